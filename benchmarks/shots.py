"""Cuts between pictures that are alike, flashes and pans: what the shots task makes of them.

    python benchmarks/shots.py FOLDER_OF_TALKERS [--flashes a.mp4,b.mp4] [--photos FOLDER]

The talkers are short clips before like backdrops (GRID): every two of them are joined, 50 frames each, and the join is
the one cut. Flashes of 1 to 12 frames are drawn into the clips of ``--flashes``, and cameras are panned over the
pictures of ``--photos``, at 6 to 96 pixels a frame in a picture of 192: neither is a cut. All at the size at which the
task looks.
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
from kinoscope.core.results import Timeline
from kinoscope.source import open_source
from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from kinoscope.tasks.shots import FRAME_SIZE, Shots

RATE, HALF, AT = 25, 50, 70
WIDE = 192, 108
LIGHTS = {"brighter": lambda x: x + 60, "gain": lambda x: 2 * x, "white": lambda x: 0.1 * x + 230}


def frames_of(video: Path, most: int) -> Pixels:
    with open_source(video) as source:
        frames = [
            cv2.resize(frame.pixels, FRAME_SIZE, interpolation=cv2.INTER_AREA)
            for frame, _ in zip(source.frames(), range(most), strict=False)
        ]
    return np.stack(frames)


def cuts(pixels: Pixels) -> list[int]:
    """Return the first frames of all shots but the first."""
    task = Shots()
    task.needs(SourceInfo("a.mp4", *FRAME_SIZE, rate=Fraction(RATE)))
    for first in range(0, len(pixels), 50):
        indices = np.arange(first, min(first + 50, len(pixels)))
        task.step(FrameBatch(pixels[first : first + 50], indices / RATE, indices))
    return [round(event.start * RATE) for event in task.finish(Timeline()).events[1:]]


def flashes(pixels: Pixels) -> Iterator[Pixels]:
    for length, light in product((1, 2, 5, 12), LIGHTS.values()):
        lit: Float64Array = pixels.astype(float)
        lit[AT : AT + length] = light(lit[AT : AT + length])
        yield lit.clip(0, 255).round().astype(np.uint8)


def pans(photo: Path) -> Iterator[Pixels]:
    width, height = WIDE
    picture = cv2.imread(str(photo))[..., ::-1]
    picture = cv2.resize(picture, (3 * height * picture.shape[1] // picture.shape[0], 3 * height))
    wide = np.concatenate([picture, picture[:, ::-1]] * 8, axis=1)[height : 2 * height]
    for speed, ramp in product((6, 12, 24, 48, 96), (1, 11)):
        speeds = np.convolve(np.repeat([0, speed, 0], [50, 20, 50]), np.ones(ramp) / ramp, "same")
        places = np.cumsum(speeds).round().astype(int) % (wide.shape[1] - width)
        views = [cv2.resize(wide[:, x : x + width], FRAME_SIZE, interpolation=cv2.INTER_AREA) for x in places]
        noise = np.random.default_rng(0).normal(0, 1, (len(views), FRAME_SIZE[1], FRAME_SIZE[0], 3))
        yield (np.stack(views) + noise).clip(0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("talkers", type=Path)
    parser.add_argument("--flashes", type=lambda text: [Path(part) for part in text.split(",")], default=[])
    parser.add_argument("--photos", type=Path)
    options = parser.parse_args()
    clips = [frames_of(path, HALF) for path in sorted(options.talkers.glob("grid_*")) if path.suffix in VIDEO_SUFFIXES]
    found = [cuts(np.concatenate(pair)) for pair in permutations(clips, 2)]
    right, false = sum(HALF in some for some in found), sum(len(set(some) - {HALF}) for some in found)
    print(f"joins: {right} of {len(found)} found, {false} false, F1 {2 * right / (right + false + len(found)):.3f}")
    for video in options.flashes:
        pixels = frames_of(video, 120)
        own = set(cuts(pixels))
        some = [set(cuts(lit)) - own for lit in flashes(pixels)]
        print(f"flashes in {video.name}: a false cut in {sum(map(bool, some))} of {len(some)}", flush=True)
    photos = (
        sorted(path for path in options.photos.iterdir() if path.suffix in IMAGE_SUFFIXES) if options.photos else []
    )
    for photo in photos:
        some = [cuts(pan) for pan in pans(photo)]
        print(f"pans over {photo.name}: a false cut in {sum(map(bool, some))} of {len(some)}", flush=True)


if __name__ == "__main__":
    main()
