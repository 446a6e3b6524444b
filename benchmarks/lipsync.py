"""How well lips follow a voice that was painted onto them: sync before and after, identity, nearness to what is real.

    python benchmarks/lipsync.py --model FOLDER --video VIDEO --sound SOUND [--looks VIDEO] [--own] [--beside OUT.mp4]

Sync is measured by the network that comes with kinoscope, which took no part in the painter's training: once with
the sound laid beside the pictures as they are, once with the painted ones. With ``--own`` the sound is the video's, so
that what is painted can be compared with what is real. ``--beside`` writes both, side by side.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from measure import machine

import kinoscope
from kinoscope.core.media import Frame, Pixels
from kinoscope.core.metrics.image_quality import flicker, psnr, ssim
from kinoscope.models.inference.face_compositor import FaceTrajectory, crop_face, track_face
from kinoscope.models.inference.faces import FaceDetector, FaceEmbedder, align_face
from kinoscope.models.inference.mouth_tracker import FaceTracker
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer

STEP = 5
"""Pictures from one whose identity is measured to the next."""


def main() -> None:
    """Paint, measure and print."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, out = folder / "plain.mp4", options.out or folder / "painted.mp4"
        done = kinoscope.lipsync(options.video, options.sound, out, options.model, options.looks, quiet=True)
        lay_beside(options.video, options.sound, plain)
        print(f"{done.painted} of {done.frames} pictures painted, {done.seconds / done.frames:.2f} s each; {machine()}")
        for what, path in (("sound beside the pictures", plain), ("painted", out)):
            print(f"{what:>26}: {sync_of(path)}")
        with open_source(plain) as source:
            ways = track_face(source, FaceTracker())
        print(f"identity: distance {identity(plain, out):.3f} on average, of the same pictures")
        real, made = (crops(path, ways) for path in (plain, out))
        print(f"flicker of the lower face: {flicker(real):.2f} before, {flicker(made):.2f} painted, of 255")
        if options.own:
            likeness = np.mean([ssim(a, b) for a, b in zip(real, made, strict=True)])
            print(f"nearness to what is real, of the lower face: {psnr(real, made):.2f} dB, SSIM {likeness:.3f}")
        if options.beside:
            side_by_side(plain, out, options.beside)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "video", "sound"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    for name in ("looks", "out", "beside"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--own", action="store_true", help="the sound is the video's own")
    return parser.parse_args()


def lay_beside(video: Path, sound: Path, out: Path) -> None:
    """Write the pictures as they are with the other sound, timed as ``kinoscope lipsync`` does."""
    with open_source(sound) as heard:
        start = heard.info.start
    with open_source(video) as source, Writer(out, source.info.size, source.info.rate, sound, quality=16) as writer:
        for frame in source.frames():
            writer.write(Frame(frame.pixels, frame.time + start - source.info.start, frame.index))


def sync_of(path: Path) -> str:
    """Tell what the network of lips and sound says."""
    (found,) = kinoscope.sync(path, quiet=True)
    if found.timeline is None or "sync.curves" not in found.timeline.features:
        return f"not measurable: {found.reason}"
    curves, lags = (found.timeline.features[f"sync.{name}"] for name in ("curves", "lags"))
    mean = curves.astype(float).mean(axis=0)
    best = float(lags[mean.argmax()])
    told = "; ".join(f"{e.extra['offset'] * 1000:+.0f} ms, {e.score:.2f} sure" for e in found.offsets)
    at = float(mean[np.abs(lags).argmin()])
    return f"{told or found.reason}; likest at {1000 * best:+.0f} ms, distance {1 - at:.3f} at 0"


def pictures(path: Path) -> Iterator[Frame]:
    """Yield the pictures of a video."""
    with open_source(path) as source:
        yield from source.frames()


def identity(before: Path, after: Path) -> float:
    """Give the mean distance of face embeddings of the same pictures of both videos."""
    finder, embedder = FaceDetector(), FaceEmbedder()
    distances = []
    for number, (a, b) in enumerate(zip(pictures(before), pictures(after), strict=True)):
        if number % STEP == 0 and len(found := finder(a.pixels, a.size)):
            points = found.points[int(found.scores.argmax())]
            first, second = embedder(np.stack([align_face(one.pixels, points) for one in (a, b)]))
            distances.append(float(np.linalg.norm(first - second)))
    return float(np.mean(distances))


def crops(path: Path, ways: list[FaceTrajectory]) -> Pixels:
    """Cut out the lower faces, (T, S, S, 3)."""
    places = {time: way.into[i] for way in ways for i, time in enumerate(way.times.tolist())}
    return np.stack([crop_face(f.pixels, places[float(f.time)]) for f in pictures(path) if float(f.time) in places])


def side_by_side(before: Path, after: Path, out: Path) -> None:
    """Write both videos beside each other, with the sound of the second; it is marked as generated, too."""
    with open_source(after) as source:
        size, rate = (2 * source.info.width, source.info.height), source.info.rate or Fraction(25)
    with Writer(out, size, rate, after, generated_by="lips painted, to the right") as writer:
        for a, b in zip(pictures(before), pictures(after), strict=True):
            writer.write(Frame(np.concatenate([a.pixels, b.pixels], axis=1), b.time, b.index))


if __name__ == "__main__":
    main()
