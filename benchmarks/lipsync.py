"""Measure a lip-sync model: synchronization before and after, identity, and similarity to the real frames.

    python benchmarks/lipsync.py --model FOLDER --video VIDEO --audio AUDIO [--reference VIDEO] [--own]
        [--beside OUT.mp4]

Synchronization is measured by the network that comes with kinoscope, which took no part in the generator's training:
once with the audio muxed with the original frames, once with the generated ones. With ``--own`` the audio is the
video's, so that generated frames can be compared with real ones. ``--beside`` writes both, side by side.
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

IDENTITY_STRIDE = 5
"""Frames from one whose identity is measured to the next."""


def main() -> None:
    """Generate, measure and print."""
    options = parse()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, out = folder / "plain.mp4", options.out or folder / "generated.mp4"
        done = kinoscope.lipsync(options.video, options.audio, out, options.model, options.reference, quiet=True)
        replace_audio(options.video, options.audio, plain)
        print(f"{done.painted} of {done.frames} frames generated,{done.seconds / done.frames:.2f} s each; {machine()}")
        for title, path in (("audio replaced", plain), ("lips generated", out)):
            print(f"{title:>26}: {sync_of(path)}")
        with open_source(plain) as source:
            trajectories = track_face(source, FaceTracker())
        print(f"identity: distance {identity(plain, out):.3f} on average, of the same frames")
        real, generated = (crops(path, trajectories) for path in (plain, out))
        print(f"flicker of the lower face: {flicker(real):.2f} before, {flicker(generated):.2f} generated, of 255")
        if options.own:
            similarity = np.mean([ssim(a, b) for a, b in zip(real, generated, strict=True)])
            print(f"similarity of the lower face to real frames: {psnr(real, generated):.2f} dB, SSIM {similarity:.3f}")
        if options.beside:
            side_by_side(plain, out, options.beside)


def parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "video", "audio"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    for name in ("reference", "out", "beside"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--own", action="store_true", help="the audio is the video's own")
    return parser.parse_args()


def replace_audio(video: Path, audio: Path, out: Path) -> None:
    """Write the original frames with the other audio, timed as ``kinoscope lipsync`` does."""
    with open_source(audio) as audio_source:
        start = audio_source.info.start
    with open_source(video) as source, Writer(out, source.info.size, source.info.rate, audio, quality=16) as writer:
        for frame in source.frames():
            writer.write(Frame(frame.pixels, frame.time + start - source.info.start, frame.index))


def sync_of(path: Path) -> str:
    """Return the measured offset, as text, by the synchronization network."""
    found = kinoscope.sync(path, quiet=True)
    if found.timeline is None or "sync.curves" not in found.timeline.features:
        return f"not measurable: {found.reason}"
    curves, lags = (found.timeline.features[f"sync.{name}"] for name in ("curves", "lags"))
    mean = curves.astype(float).mean(axis=0)
    best = float(lags[mean.argmax()])
    offsets = "; ".join(f"{e.extra['offset'] * 1000:+.0f} ms, confidence {e.score:.2f}" for e in found.offsets)
    at_zero = float(mean[np.abs(lags).argmin()])
    return f"{offsets or found.reason}; most similar at {1000 * best:+.0f} ms, distance {1 - at_zero:.3f} at 0"


def frames(path: Path) -> Iterator[Frame]:
    """Yield the frames of a video."""
    with open_source(path) as source:
        yield from source.frames()


def identity(before: Path, after: Path) -> float:
    """Return the mean distance of face embeddings of the same frames of both videos."""
    detector, embedder = FaceDetector(), FaceEmbedder()
    distances = []
    for number, (a, b) in enumerate(zip(frames(before), frames(after), strict=True)):
        if number % IDENTITY_STRIDE == 0 and len(found := detector(a.pixels, a.size)):
            points = found.points[int(found.scores.argmax())]
            first, second = embedder(np.stack([align_face(one.pixels, points) for one in (a, b)]))
            distances.append(float(np.linalg.norm(first - second)))
    return float(np.mean(distances))


def crops(path: Path, trajectories: list[FaceTrajectory]) -> Pixels:
    """Crop the lower faces, (T, S, S, 3)."""
    transforms = {
        time: trajectory.transforms[i]
        for trajectory in trajectories
        for i, time in enumerate(trajectory.times.tolist())
    }
    return np.stack(
        [crop_face(f.pixels, transforms[float(f.time)]) for f in frames(path) if float(f.time) in transforms]
    )


def side_by_side(before: Path, after: Path, out: Path) -> None:
    """Write both videos side by side, with the audio of the second; it is marked as generated, too."""
    with open_source(after) as source:
        size, rate = (2 * source.info.width, source.info.height), source.info.rate or Fraction(25)
    with Writer(out, size, rate, after, generated_by="lips generated, to the right") as writer:
        for a, b in zip(frames(before), frames(after), strict=True):
            writer.write(Frame(np.concatenate([a.pixels, b.pixels], axis=1), b.time, b.index))


if __name__ == "__main__":
    main()
