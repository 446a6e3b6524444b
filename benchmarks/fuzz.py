"""Read mutated small media files: each must yield frames or audio or one clear error, in time and without a leak.

Videos of many containers and codecs, audio alone, GIF, WebM and still images; half of the cases are changed bytes, half
are damaged in their structure (boxes, elements, chunks and packets removed, duplicated, moved, resized).

    python benchmarks/fuzz.py [--cases 2000] [--seed 0] [--workers 2]

Exits with status 1, and prints the seed of each case, upon a crash, a hang, an unexpected exception or memory growth.
``--case SEED`` repeats one.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from structure import restructure

MAX_CASE_SECONDS = 30.0

MAX_GROWTH_BYTES = 100 * 2**20
"""Bytes by which the memory of a worker may grow after its first cases."""

WARM_UP_CASES = 50


def make_seeds(folder: Path) -> None:
    """Write the small files that are mutated: videos with and without audio, audio alone, images."""
    from kinoscope.source.synthetic.video import flash_and_beep, shapes

    os.environ["SVT_LOG"] = "0"  # its encoder would report on itself
    small = {"width": 64, "height": 48, "duration": 1}
    for name in ("audio.mp4", "audio.mkv", "audio.mov"):
        flash_and_beep(**small).write(folder / name)
    shapes(**small).write(folder / "exact.mp4", lossless=True)
    shapes(**small).write(folder / "moving.gif")
    for name, codec in (
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("a.webm", "libvpx"),
        ("b.webm", "libvpx-vp9"),
        ("hevc.mp4", "libx265"),
        ("av1.mkv", "libsvtav1"),
        ("a.mpg", "mpeg2video"),
        ("a.h264", "libx264"),
    ):
        transcode(folder / name, codec)
    for name, codec in (
        ("a.wav", "pcm_s16le"),
        ("a.flac", "flac"),
        ("a.mp3", "libmp3lame"),
        ("a.ogg", "libopus"),
        ("a.m4a", "aac"),
    ):
        write_audio(folder / name, codec)
    for suffix in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".avif", ".ppm"):
        write_image(folder / f"image{suffix}")


def transcode(path: Path, codec: str) -> None:
    import av

    from kinoscope.source.synthetic.video import shapes

    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options=quiet)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in shapes(width=64, height=48, duration=1).frames():
            encoded = av.VideoFrame.from_ndarray(frame.pixels, "rgb24")
            encoded.pts = frame.index
            container.mux(stream.encode(encoded))
        container.mux(stream.encode(None))


def write_audio(path: Path, codec: str) -> None:
    import av
    import numpy as np

    tone = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone, "s16", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_image(path: Path) -> None:
    import cv2
    import numpy as np

    rows, columns = np.mgrid[:48, :64]
    cv2.imwrite(str(path), np.stack([rows * 5, columns * 3, rows + columns], 2).astype(np.uint8))


def damage(data: bytes, suffix: str, rng: random.Random) -> bytes:
    """Change bytes, or the structure, or both."""
    kind = rng.randrange(5)
    if kind < 3:
        data = restructure(data, suffix, rng)
    return data if kind in (0, 1) else mutate(data, rng)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Change data at one to eight positions, as transfers, disks and attackers do."""
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not damaged:
            break
        # Headers are short and matter most, so half of the damage goes there.
        at = rng.randrange(min(len(damaged), 1000)) if rng.random() < 0.5 else rng.randrange(len(damaged))
        length = min(rng.choice((1, 1, 4, 16, 200)), len(damaged) - at)
        kind = rng.randrange(6)
        if kind == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            damaged[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            damaged[at : at + length] = bytes([rng.choice((0, 255, 127))]) * length
        elif kind == 3:
            del damaged[at : at + length]
        elif kind == 4:
            damaged[at:at] = damaged[at : at + length]
        elif len(damaged) > 20:
            del damaged[max(20, at) :]
    return bytes(damaged) or b"\0"


def read_one(seed: int, folder: Path, bases: list[Path]) -> str:
    """Read the case of one seed, and return its outcome."""
    from kinoscope.core.errors import KinoscopeError, UnexpectedError
    from kinoscope.source import LazyFrame, open_source

    rng = random.Random(seed)
    base = rng.choice(bases)
    path = folder / f"case-{os.getpid()}{base.suffix}"
    path.write_bytes(damage(base.read_bytes(), base.suffix, rng))
    policy = rng.choice(("skip", "repeat", "blank", "raise"))
    limits = rng.choice(({}, {}, {"start": 0.3, "end": 0.6}))
    try:
        with open_source(path, on_error=policy, **limits) as source:
            last = None
            for item in source.read(audio_rates=(16_000,)):
                if isinstance(item, LazyFrame):
                    assert item.pixels((32, 24)).shape == (24, 32, 3)
                    assert last is None or item.time > last, "times do not increase"
                    last = item.time
            mode = rng.randrange(3)
            if mode == 0 and source.info.width:
                list(source.keyframes((16, 16)))
            elif mode == 1 and source.info.width:
                list(source.evenly(4, (16, 16)))
    except UnexpectedError as error:
        return f"FAILED {error}"
    except KinoscopeError as error:
        return "refused" if "\n" not in str(error) else f"FAILED more than one line: {error!r}"
    return "read" if source.report.failures == 0 and source.report.complete else "read in part"


def memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def work(pipe: Connection, folder: Path, bases: list[Path]) -> None:
    """Read cases until the seed is None; send the outcome and the memory in bytes after each."""
    import av

    av.logging.set_libav_level(av.logging.PANIC)
    while (seed := pipe.recv()) is not None:
        try:
            outcome = read_one(seed, folder, bases)
        except Exception as error:
            outcome = f"FAILED {type(error).__name__}: {error}"
        pipe.send((outcome, memory()))


class Worker:
    """A process that reads case after case, and is restarted if it crashes or hangs."""

    def __init__(self, folder: Path, bases: list[Path]) -> None:
        self.folder, self.bases = folder, bases
        self.start()

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, self.folder, self.bases), daemon=True)
        self.process.start()
        other.close()
        self.done, self.first = 0, 0
        self.seed: int | None = None

    def submit(self, seed: int) -> None:
        self.seed, self.started = seed, time.monotonic()
        self.pipe.send(seed)

    def outcome(self) -> str | None:
        """Return the outcome of the case, or None while it runs."""
        if not self.pipe.poll(0.01):
            if time.monotonic() - self.started < MAX_CASE_SECONDS:
                return None
            return self.restart("HANG")
        try:
            outcome, memory_now = self.pipe.recv()
        except EOFError:
            return self.restart("CRASH")
        self.done += 1
        if self.done == WARM_UP_CASES:
            self.first = memory_now
        if self.first and memory_now - self.first > MAX_GROWTH_BYTES:
            return self.restart(f"GROWTH by {(memory_now - self.first) >> 20} MiB")
        return str(outcome)

    def restart(self, outcome: str) -> str:
        self.process.kill()
        self.process.join()
        self.start()
        return outcome


def fuzz(seeds: list[int], count: int) -> tuple[collections.Counter[str], list[str]]:
    """Read every case, and return the count of each outcome, and the failures."""
    tally: collections.Counter[str] = collections.Counter()
    failures = []
    with tempfile.TemporaryDirectory() as name:
        base_folder = Path(name) / "bases"
        base_folder.mkdir()
        make_seeds(base_folder)
        workers = [Worker(Path(name), sorted(base_folder.iterdir())) for _ in range(count)]
        waiting, running = list(reversed(seeds)), 0
        idle = list(workers)
        while waiting or running:
            while idle and waiting:
                idle.pop().submit(waiting.pop())
                running += 1
            for worker in workers:
                if worker in idle or worker.seed is None or (seed := worker.seed) is None:
                    continue
                if (outcome := worker.outcome()) is None:
                    continue
                running -= 1
                idle.append(worker)
                tally[outcome.split(" by ")[0].split(":")[0]] += 1
                if outcome not in ("read", "read in part", "refused"):
                    failures.append(f"--case {seed}: {outcome}")
        for worker in workers:
            worker.process.kill()
            worker.process.join()
    return tally, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--case", type=int)
    options = parser.parse_args()
    seeds = [options.case] if options.case is not None else list(range(options.seed, options.seed + options.cases))
    start = time.monotonic()
    tally, failures = fuzz(seeds, min(options.workers, len(seeds)))
    print(
        f"{len(seeds)} cases in {time.monotonic() - start:.0f} s: "
        + ", ".join(f"{n} {k}" for k, n in tally.most_common())
    )
    for failure in failures:
        print(failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
