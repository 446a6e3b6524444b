"""Measure how exactly the audio of a file is shifted, in each container, and whether the video is unchanged.

    python benchmarks/repair.py VIDEO... [--suffixes .mp4 .mkv .mov]

Each video's audio is shifted and stretched; the result is decoded and compared with the expected samples. Printed are
the offset and the correlation in its first and its last quarter, and whether the packets of the video are the same
bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import KinoscopeError
from kinoscope.core.media import Audio
from kinoscope.source import open_source
from kinoscope.source.encode.shift_audio import shift_audio

RATE = 48_000
CASES = [
    (Fraction(-2, 5), Fraction(1)),
    (Fraction(-123, 1000), Fraction(1)),
    (Fraction(2, 5), Fraction(1)),
    (Fraction(1, 10), Fraction(1001, 1000)),
    (Fraction(0), Fraction(999, 1000)),
]
Samples = Float32Array


def read_audio(path: Path) -> tuple[float, Samples]:
    """Return the start of the audio in seconds after the first frame, and its samples (N,)."""
    with open_source(path) as source:
        first = next(source.lazy_frames()).time
        parts = [part for part in source.read(video=False, audio_rates=(RATE,)) if isinstance(part, Audio)]
    return float(parts[0].start - first), np.concatenate([part.samples for part in parts])


def hash_video(path: Path) -> str:
    with av.open(str(path)) as container:
        return hashlib.sha256(b"".join(bytes(packet) for packet in container.demux(video=0))).hexdigest()


def compare(expected: Float64Array, samples: Samples) -> tuple[float, float]:
    """Return the offset of two signals (N,) in milliseconds, and their correlation once aligned."""
    size = 1 << (2 * len(expected)).bit_length()
    products = np.fft.irfft(np.conj(np.fft.rfft(expected, size)) * np.fft.rfft(samples, size), size)
    best = int(products.argmax())
    shift = best - size if best > size // 2 else best
    aligned = np.roll(samples, -shift)
    return shift / RATE * 1000, float(np.corrcoef(expected, aligned)[0, 1])


def measure(path: Path, out: Path, delay: Fraction, stretch: Fraction) -> str:
    # Audio before the first frame stays before it, so times are those of the file.
    with open_source(path) as source:
        origin = float(next(source.lazy_frames()).time)
    shift_audio(path, out, delay, stretch)
    (before, old), (after, new) = read_audio(path), read_audio(out)
    times = origin + after + np.arange(len(new)) / RATE
    old_times = origin + before + np.arange(len(old)) / RATE
    expected = np.interp((times - float(delay)) / float(stretch), old_times, old, 0, 0)
    quarter = len(new) // 4
    ends = [compare(expected[part], new[part]) for part in (slice(0, quarter), slice(3 * quarter, None))]
    video = "same video" if hash_video(path) == hash_video(out) else "VIDEO CHANGED"
    errors = ", ".join(f"error {ms:+.2f} ms (r {r:.3f})" for ms, r in ends)
    return f"{float(delay) * 1000:+.0f} ms x {float(stretch):g}: {errors}, {video}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--suffixes", nargs="+", default=[".mp4", ".mkv", ".mov"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.videos:
            for suffix in options.suffixes:
                for delay, stretch in CASES:
                    try:
                        result = measure(path, Path(folder) / f"out{suffix}", delay, stretch)
                    except KinoscopeError as error:
                        result = str(error)
                    print(f"{path.name} to {suffix}: {result}")


if __name__ == "__main__":
    main()
