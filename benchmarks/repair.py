"""How exactly the sound of a file is moved, in each container, and whether the picture stays as it is.

    python benchmarks/repair.py VIDEO... [--endings .mp4 .mkv .mov]

Each video's sound is moved and stretched; the result is decoded and laid against what it should sound like. Told are
the distance in its first and its last quarter, how alike they are there, and whether the packets of the picture are
the same bytes.
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


def heard(path: Path) -> tuple[float, Samples]:
    """Give when sound begins after the first picture, in seconds, and its samples (N,)."""
    with open_source(path) as source:
        first = next(source.lazy_frames()).time
        parts = [part for part in source.read(video=False, audio_rates=(RATE,)) if isinstance(part, Audio)]
    return float(parts[0].start - first), np.concatenate([part.samples for part in parts])


def picture(path: Path) -> str:
    with av.open(str(path)) as container:
        return hashlib.sha256(b"".join(bytes(packet) for packet in container.demux(video=0))).hexdigest()


def apart(wanted: Float64Array, got: Samples) -> tuple[float, float]:
    """Give by how many milliseconds two rows of samples (N,) are apart, and their correlation as they are."""
    size = 1 << (2 * len(wanted)).bit_length()
    products = np.fft.irfft(np.conj(np.fft.rfft(wanted, size)) * np.fft.rfft(got, size), size)
    best = int(products.argmax())
    shift = best - size if best > size // 2 else best
    lined = np.roll(got, -shift)
    return shift / RATE * 1000, float(np.corrcoef(wanted, lined)[0, 1])


def measure(path: Path, out: Path, delay: Fraction, stretch: Fraction) -> str:
    # What lies before the first picture stays before it, so times are those of the file.
    with open_source(path) as source:
        origin = float(next(source.lazy_frames()).time)
    shift_audio(path, out, delay, stretch)
    (before, old), (after, new) = heard(path), heard(out)
    times = origin + after + np.arange(len(new)) / RATE
    old_times = origin + before + np.arange(len(old)) / RATE
    wanted = np.interp((times - float(delay)) / float(stretch), old_times, old, 0, 0)
    quarter = len(new) // 4
    ends = [apart(wanted[part], new[part]) for part in (slice(0, quarter), slice(3 * quarter, None))]
    same = "same picture" if picture(path) == picture(out) else "OTHER PICTURE"
    told = ", ".join(f"off by {ms:+.2f} ms (r {r:.3f})" for ms, r in ends)
    return f"{float(delay) * 1000:+.0f} ms x {float(stretch):g}: {told}, {same}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--endings", nargs="+", default=[".mp4", ".mkv", ".mov"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.videos:
            for ending in options.endings:
                for delay, stretch in CASES:
                    try:
                        told = measure(path, Path(folder) / f"out{ending}", delay, stretch)
                    except KinoscopeError as error:
                        told = str(error)
                    print(f"{path.name} to {ending}: {told}")


if __name__ == "__main__":
    main()
