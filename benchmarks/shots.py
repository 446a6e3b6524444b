"""Evaluate the shots task on cuts between similar frames, on flashes and on pans.

    python benchmarks/shots.py FOLDER_OF_SPEAKERS [--flashes a.mp4,b.mp4] [--photos FOLDER]

The speakers are short clips with similar backgrounds (GRID): every two of them are concatenated, 50 frames each, and
the boundary is the one cut. Flashes of 1 to 12 frames are rendered into the clips of ``--flashes``, and a camera pans
over the images of ``--photos``, at 6 to 96 pixels a frame in a frame 192 pixels wide: neither is a cut. All at the
task's input size.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path

import cv2
import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.source import open_source
from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from kinoscope.tasks.shots import FRAME_SIZE, Shots
from kinoscope.views.timeline import Timeline

RATE, CLIP_FRAMES, FLASH_FRAME = 25, 50, 70
PAN_SIZE = 192, 108
LIGHTS = {"brighter": lambda x: x + 60, "gain": lambda x: 2 * x, "white": lambda x: 0.1 * x + 230}


def read_frames(video: Path, max_frames: int) -> Pixels:
    with open_source(video) as source:
        frames = [
            cv2.resize(frame.pixels, FRAME_SIZE, interpolation=cv2.INTER_AREA)
            for frame, _ in zip(source.frames(), range(max_frames), strict=False)
        ]
    return np.stack(frames)


def cuts(pixels: Pixels) -> list[int]:
    """Return the first frames of all shots but the first."""
    task = Shots()
    task.needs(SourceInfo("a.mp4", *FRAME_SIZE, rate=Fraction(RATE)))
    for first in range(0, len(pixels), 50):
        indices = np.arange(first, min(first + 50, len(pixels)))
        task.process_frames(FrameBatch(pixels[first : first + 50], indices / RATE, indices))
    return [round(event.start * RATE) for event in task.finish(Timeline()).events[1:]]


def flashes(pixels: Pixels) -> Iterator[Pixels]:
    for length, light in product((1, 2, 5, 12), LIGHTS.values()):
        flashed: Float64Array = pixels.astype(float)
        flashed[FLASH_FRAME : FLASH_FRAME + length] = light(flashed[FLASH_FRAME : FLASH_FRAME + length])
        yield flashed.clip(0, 255).round().astype(np.uint8)


def pans(photo: Path) -> Iterator[Pixels]:
    width, height = PAN_SIZE
    image = cv2.imread(str(photo))[..., ::-1]
    image = cv2.resize(image, (3 * height * image.shape[1] // image.shape[0], 3 * height))
    panorama = np.concatenate([image, image[:, ::-1]] * 8, axis=1)[height : 2 * height]
    for speed, ramp in product((6, 12, 24, 48, 96), (1, 11)):
        speeds = np.convolve(np.repeat([0, speed, 0], [50, 20, 50]), np.ones(ramp) / ramp, "same")
        lefts = np.cumsum(speeds).round().astype(int) % (panorama.shape[1] - width)
        frames = [cv2.resize(panorama[:, x : x + width], FRAME_SIZE, interpolation=cv2.INTER_AREA) for x in lefts]
        noise = np.random.default_rng(0).normal(0, 1, (len(frames), FRAME_SIZE[1], FRAME_SIZE[0], 3))
        yield (np.stack(frames) + noise).clip(0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speakers", type=Path)
    parser.add_argument("--flashes", type=lambda text: [Path(part) for part in text.split(",")], default=[])
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    videos = [path for path in sorted(options.speakers.glob("grid_*")) if path.suffix in VIDEO_SUFFIXES]
    clips = [read_frames(path, CLIP_FRAMES) for path in videos]
    detected = [cuts(np.concatenate(pair)) for pair in permutations(clips, 2)]
    right = sum(CLIP_FRAMES in frames for frames in detected)
    false = sum(len(set(frames) - {CLIP_FRAMES}) for frames in detected)
    f1 = 2 * right / (right + false + len(detected))
    print(f"cuts: {right} of {len(detected)} found, {false} false, F1 {f1:.3f}")
    for video in options.flashes:
        pixels = read_frames(video, 120)
        own = set(cuts(pixels))
        false_cuts = [set(cuts(flashed)) - own for flashed in flashes(pixels)]
        print(f"flashes in {video.name}: a false cut in {sum(map(bool, false_cuts))} of {len(false_cuts)}", flush=True)
    photos = (
        sorted(path for path in options.photos.iterdir() if path.suffix in IMAGE_SUFFIXES) if options.photos else []
    )
    for photo in photos:
        false_cuts = [cuts(pan) for pan in pans(photo)]
        print(f"pans over {photo.name}: a false cut in {sum(map(bool, false_cuts))} of {len(false_cuts)}", flush=True)


if __name__ == "__main__":
    main()
