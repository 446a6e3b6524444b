"""How well hits tell the offset of sound, and how often they tell one that is none.

    python benchmarks/onsets.py SYNC... [--others VIDEO...]

SYNC are videos in which something strikes, bounces or barks in view. Their sound is moved by -400 to 400 ms; told are
what is found and its distance from the move. Then each video's picture is laid against each other's sound (of OTHERS,
too), which have nothing to do with each other: told are how often that counts as measured, and the distribution of
the best fits, from which ``core.signal.onsets.NULL_DISTRIBUTION`` comes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np

from kinoscope.core.media import Audio
from kinoscope.core.signal.onsets import AudioOnsets, MotionOnsets, match_onsets
from kinoscope.source import open_source

WIDTH, RATE = 96, 16_000
MOVES = range(-400, 401, 100)


def read(path: str) -> tuple[MotionOnsets, list[Audio]]:
    """Read the onsets of the picture and the sound of a video."""
    motion, sound = MotionOnsets(), []
    with open_source(path) as source:
        size = source.info.fit(WIDTH)
        for item in source.read(audio_rates=(RATE,)):
            if isinstance(item, Audio):
                sound.append(item)
            else:
                motion.take(item.pixels(size).mean(axis=2), item.time)
    return motion, sound


def onsets(sound: list[Audio], late: Fraction = Fraction(0)) -> AudioOnsets:
    taken = AudioOnsets()
    for part in sound:
        taken.take(replace(part, start=part.start + late))
    return taken


def recovered(path: str, motion: MotionOnsets, sound: list[Audio]) -> None:
    for move in MOVES:
        found = match_onsets(motion, onsets(sound, Fraction(move, 1000)))
        print(
            f"{path}: {move:+d} ms: {found.seconds * 1000:+.0f} ms, off by {found.seconds * 1000 - move:+.0f};"
            f" [{found.low * 1000:+.0f}, {found.high * 1000:+.0f}], confidence {found.confidence:.3f},"
            f" {found.hits} hits; {found.reason or 'measured'}"
        )


def by_chance(videos: dict[str, tuple[MotionOnsets, list[Audio]]]) -> None:
    answers = [match_onsets(videos[a][0], onsets(videos[b][1])) for a, b in permutations(videos, 2)]
    fits = np.array([answer.fits.max() for answer in answers if answer.fits.any()])
    scale = fits.std() * np.sqrt(6) / np.pi
    print(f"of {len(fits)} pairs without relation, {sum(a.measurable for a in answers)} count as measured")
    print(f"best fits: median {np.median(fits):.2f}, largest {fits.max():.2f}; Gumbel, by its moments: "
          f"place {fits.mean() - np.euler_gamma * scale:.2f}, scale {scale:.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sync", nargs="+")
    parser.add_argument("--others", nargs="*", default=[])
    options = parser.parse_args()
    videos = {path: read(path) for path in [*options.sync, *options.others]}
    for path in options.sync:
        recovered(path, *videos[path])
    for path in options.others:
        found = match_onsets(videos[path][0], onsets(videos[path][1]))
        print(
            f"{path}: {found.seconds * 1000:+.0f} ms, confidence {found.confidence:.3f}: {found.reason or 'measured'}"
        )
    by_chance(videos)


if __name__ == "__main__":
    main()
