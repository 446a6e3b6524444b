"""Measure the error of audio offsets that are estimated from onsets, and how often unrelated videos yield one.

    python benchmarks/onsets.py SYNC... [--others VIDEO...]

SYNC are videos in which something strikes, bounces or barks in view. Their audio is shifted by -400 to 400 ms; printed
are the estimated offset and its error. Then the motion of each video is matched with the audio of each other one (of
OTHERS, too), which are unrelated: printed are how many of those pairs count as measured, and the distribution of the
best fits, from which ``core.signal.onsets.NULL_DISTRIBUTION`` comes.
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
SHIFTS_MS = range(-400, 401, 100)


def read(path: str) -> tuple[MotionOnsets, list[Audio]]:
    """Read the motion onsets and the audio of a video."""
    motion, audio = MotionOnsets(), []
    with open_source(path) as source:
        size = source.info.fit(WIDTH)
        for item in source.read(audio_rates=(RATE,)):
            if isinstance(item, Audio):
                audio.append(item)
            else:
                motion.update(item.pixels(size).mean(axis=2), item.time)
    return motion, audio


def onsets(audio: list[Audio], delay: Fraction = Fraction(0)) -> AudioOnsets:
    result = AudioOnsets()
    for part in audio:
        result.update(replace(part, start=part.start + delay))
    return result


def print_errors(path: str, motion: MotionOnsets, audio: list[Audio]) -> None:
    for shift in SHIFTS_MS:
        found = match_onsets(motion, onsets(audio, Fraction(shift, 1000)))
        print(
            f"{path}: {shift:+d} ms: {found.seconds * 1000:+.0f} ms, error {found.seconds * 1000 - shift:+.0f};"
            f" [{found.low * 1000:+.0f}, {found.high * 1000:+.0f}], confidence {found.confidence:.3f},"
            f" {found.hits} hits; {found.reason or 'measured'}"
        )


def print_null_distribution(videos: dict[str, tuple[MotionOnsets, list[Audio]]]) -> None:
    results = [match_onsets(videos[a][0], onsets(videos[b][1])) for a, b in permutations(videos, 2)]
    fits = np.array([result.fits.max() for result in results if result.fits.any()])
    scale = fits.std() * np.sqrt(6) / np.pi
    print(f"of {len(fits)} unrelated pairs, {sum(result.measurable for result in results)} count as measured")
    print(f"best fits: median {np.median(fits):.2f}, maximum {fits.max():.2f}; Gumbel, by its moments: "
          f"location {fits.mean() - np.euler_gamma * scale:.2f}, scale {scale:.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sync", nargs="+")
    parser.add_argument("--others", nargs="*", default=[])
    options = parser.parse_args()
    videos = {path: read(path) for path in [*options.sync, *options.others]}
    for path in options.sync:
        print_errors(path, *videos[path])
    for path in options.others:
        found = match_onsets(videos[path][0], onsets(videos[path][1]))
        print(
            f"{path}: {found.seconds * 1000:+.0f} ms, confidence {found.confidence:.3f}: {found.reason or 'measured'}"
        )
    print_null_distribution(videos)


if __name__ == "__main__":
    main()
