"""Synthetic videos whose events, tracks and audio are known exactly, for tests, demos and measurements.

``synthetic:shapes?duration=2&rate=25`` is a source like any other; every option of :func:`shapes`, :func:`cuts` and
:func:`flash_and_beep` can be set so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float64Array
from kinoscope.core.errors import OptionError
from kinoscope.core.media import Audio, Pixels, Size, SourceInfo
from kinoscope.core.results import DecodeReport, Event, TaskResult, Track
from kinoscope.core.time import FrameSampler, Seconds, parse_time
from kinoscope.source.base import Item, LazyFrame, Source, cut_audio

RenderFrame = Callable[[int, Fraction], Pixels]
"""Return the pixels (H, W, 3) of the frame with an index and a time in seconds."""

Waveform = Callable[[Float64Array], Float64Array]
"""Return the audio in [-1, 1] at (N,) times in seconds."""

SHAPE_COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 80, 230), "yellow": (230, 210, 50)}
"""Colours of shapes."""
SCENE_COLOURS = [(200, 60, 60), (60, 160, 90), (70, 90, 200), (210, 190, 80), (150, 70, 170), (80, 180, 190)]
"""Colours of scenes."""


class SyntheticSource(Source):
    """A drawn video.

    Attributes:
        truth: its events and tracks, in the form of a task's result.
    """

    def __init__(
        self,
        name: str,
        render_frame: RenderFrame,
        truth: TaskResult,
        size: Size,
        duration: Seconds,
        rate: Seconds,
        start: Seconds = 0,
        waveform: Waveform | None = None,
    ) -> None:
        self.truth, self._render_frame, self._waveform = truth, render_frame, waveform
        self._step = 1 / Fraction(rate)
        self._count = frames = max(1, round(Fraction(duration) / self._step))
        self.info = SourceInfo(
            f"synthetic:{name}", *size, rate=Fraction(rate), start=Fraction(start), duration=frames * self._step,
            frames=frames, has_audio=waveform is not None, audio_rate=None if waveform is None else 48_000,
            container="synthetic", codec="rawvideo", pixel_format="rgb24", bit_depth=8,
        )  # fmt: skip
        self.report = DecodeReport()
        self._range: tuple[Fraction | None, Fraction | None, Fraction | None] = None, None, None

    def limit(self, start: Fraction | None, end: Fraction | None, rate: Fraction | None) -> SyntheticSource:
        """Limit reads to [start, end) seconds and ``rate`` frames per second, and return the source; ``truth`` stays
        whole.
        """
        self._range = start, end, rate
        if rate is not None and rate * self._step < 1:
            self.info = replace(self.info, rate=rate, frames=None)
        return self

    def read(self, video: bool = True, audio_rates: Iterable[int] = ()) -> Iterator[Item]:
        """Yield each frame and the audio that goes with it."""
        self.report = DecodeReport()
        (start, end, rate), index = self._range, 0
        rates, sampler = tuple(dict.fromkeys(audio_rates)) if self._waveform else (), FrameSampler(rate)
        for number in range(self._count):
            for audio_rate in rates:
                if (audio := cut_audio(self._audio(number, audio_rate), start, end)) is not None:
                    yield audio
            time = self.info.start + number * self._step
            inside = (start is None or time >= start) and (end is None or time < end)
            if video and inside and sampler.due(time):
                self.report.frames = index + 1
                yield self._lazy_frame(number, index)
                index += 1

    def _lazy_frame(self, number: int, index: int) -> LazyFrame:
        time = self.info.start + number * self._step

        def render(size: Size) -> Pixels:
            from kinoscope.source.decode.scaler import resize

            return resize(self._render_frame(number, time), size)

        return LazyFrame(render, self.info.size, time, index, key=True, duration=self._step)

    def _audio(self, index: int, rate: int) -> Audio:
        """Return the samples from the time of a frame to that of the next; together they leave no gap."""
        first, last = (-(-(i * self._step * rate) // 1) for i in (index, index + 1))
        times = float(self.info.start) + np.arange(first, last) / rate
        samples = np.zeros(0) if self._waveform is None else self._waveform(times)
        return Audio(samples.astype(np.float32), rate, self.info.start + Fraction(first, rate))

    def write(self, path: str | Path, **options: Any) -> Path:
        """Write the video, and its audio, to a file; ``options`` are those of the Writer."""
        from kinoscope.source.encode.writer import Writer

        size = options.pop("size", self.info.size)
        with Writer(path, size=size, rate=self.info.rate, audio_rate=self.info.audio_rate, **options) as writer:
            for item in self.read(audio_rates=(self.info.audio_rate or 0,)):
                if isinstance(item, Audio):
                    writer.write_audio(item)
                else:
                    writer.write(item.frame(size))
        return Path(path)


def shapes(
    duration: Seconds = 2,
    rate: Seconds = 25,
    width: int = 320,
    height: int = 240,
    count: int = 3,
    start: Seconds = 0,
) -> SyntheticSource:
    """Return a video of squares (and, every second one, discs) that move straight and bounce off the borders.

    ``truth.tracks`` hold their boxes (x2, y2 exclusive) at each frame's time; ``label`` is the colour and the shape,
    such as ``red square``. A later one covers an earlier one.
    """
    names = [f"{list(SHAPE_COLOURS)[i % 4]} {'disc' if i % 2 else 'square'}" for i in range(count)]
    sides = [max(4, min(width, height) // (5 + i % 3)) for i in range(count)]

    def box(number: int, time: Fraction) -> tuple[int, int, int, int]:
        side, elapsed = sides[number], float(time - Fraction(start))
        x = _bounce(width * (0.1 + 0.3 * number) + elapsed * width * 0.30 * (-1) ** number, width - side)
        y = _bounce(height * (0.1 + 0.25 * number) + elapsed * height * (0.2 + 0.05 * number), height - side)
        return x, y, x + side, y + side

    def render_frame(index: int, time: Fraction) -> Pixels:
        pixels = np.full((height, width, 3), 24, np.uint8)
        for number, name in enumerate(names):
            _paint(pixels, box(number, time), SHAPE_COLOURS[name.split()[0]], round_="disc" in name)
        return pixels

    source = SyntheticSource("shapes", render_frame, TaskResult(), (width, height), duration, rate, start)
    step = 1 / Fraction(rate)
    times = [Fraction(start) + i * step for i in range(source.info.frames or 0)]
    source.truth.tracks = [
        Track(i + 1, "objects", name, 1.0, np.array([[float(t), *box(i, t), 1.0] for t in times]))
        for i, name in enumerate(names)
    ]
    return source


def cuts(
    times: Iterable[Seconds] | str = (1, 2),
    dissolves: Iterable[tuple[Seconds, Seconds]] | str = (),
    duration: Seconds = 3,
    rate: Seconds = 25,
    width: int = 320,
    height: int = 240,
    start: Seconds = 0,
) -> SyntheticSource:
    """Return a video of scenes with a moving pattern, with hard cuts and slow dissolves between them.

    Args:
        times: of the cuts, in seconds from the start; in a URL, joined by commas: ``1,2``.
        dissolves: (from, to) of each, in seconds from the start; in a URL: ``3-4,5-5.5``.
        duration, rate, width, height, start: of the whole, in seconds, frames per second, pixels, seconds.

    ``truth.events`` are the shots (a dissolve changes the shot at its middle), and the ``dissolve`` spans.
    """
    cut_spans = [(parse_time(t), parse_time(t)) for t in _split_list(times)]
    dissolve_spans = [_parse_span(span) for span in _split_list(dissolves)]
    changes = sorted([*cut_spans, *dissolve_spans])

    def scene(number: int, time: float) -> Float64Array:
        across = np.arange(width)[None, :] + np.arange(height)[:, None] * (number % 3 - 1)
        stripes = 18 * np.sin(2 * np.pi * (across / (24 + 8 * (number % 4)) - time / 4))
        shade: Float64Array = np.array(SCENE_COLOURS[number % len(SCENE_COLOURS)], float) + stripes[..., None]
        return shade.clip(0, 255)

    def render_frame(index: int, time: Fraction) -> Pixels:
        seconds = time - Fraction(start)
        number = sum(seconds >= end for _, end in changes)
        pixels = scene(number, float(seconds))
        if number < len(changes) and changes[number][0] <= seconds < changes[number][1]:
            first, last = changes[number]
            weight = float((seconds - first) / (last - first))
            pixels = (1 - weight) * pixels + weight * scene(number + 1, float(seconds))
        return pixels.round().astype(np.uint8)

    source = SyntheticSource("cuts", render_frame, TaskResult(), (width, height), duration, rate, start)
    source.truth.events = _shots(changes, Fraction(start), source.info.duration or Fraction(0))
    return source


def flash_and_beep(
    offset: Seconds = 0,
    period: Seconds = 1,
    duration: Seconds = 4,
    rate: Seconds = 25,
    width: int = 320,
    height: int = 240,
    start: Seconds = 0,
) -> SyntheticSource:
    """Return a video with a white flash and a 1 kHz beep every ``period`` seconds; the beep is ``offset`` seconds late.

    Both last 80 ms, rounded up to whole frames. ``truth.events`` hold the flashes and the beeps.
    """
    step, late, origin = 1 / Fraction(rate), parse_time(offset), parse_time(start)
    length = math.ceil(Fraction(2, 25) / step) * step
    count = int(Fraction(duration) // Fraction(period))
    firsts = (math.ceil((i + Fraction(2, 5)) * Fraction(period) / step) for i in range(count))
    flashes = [origin + first * step for first in firsts]

    def render_frame(index: int, time: Fraction) -> Pixels:
        is_flash = any(flash <= time < flash + length for flash in flashes)
        return np.full((height, width, 3), 255 if is_flash else 16, np.uint8)

    def waveform(times: Float64Array) -> Float64Array:
        samples = np.zeros(len(times))
        for flash in flashes:
            since = times - float(flash + late)
            samples += np.where((since >= -1e-9) & (since < float(length)), np.sin(2000 * np.pi * since) * 0.8, 0)
        return samples

    truth = TaskResult()
    for label, shift in (("flash", Fraction(0)), ("beep", late)):
        truth.events += [Event("sync", float(t + shift), float(t + shift + length), label) for t in flashes]
    return SyntheticSource("flash_and_beep", render_frame, truth, (width, height), duration, rate, start, waveform)


def _split_list(values: Iterable[Any] | str) -> list[Any]:
    return [part for part in values.split(",") if part] if isinstance(values, str) else list(values)


def _parse_span(span: str | tuple[Seconds, Seconds]) -> tuple[Fraction, Fraction]:
    parts = span.split("-") if isinstance(span, str) else list(span)
    if len(parts) != 2:
        raise OptionError(f"dissolve {span!r} is not a span; write 2-2.5")
    return parse_time(parts[0]), parse_time(parts[1])


def _shots(changes: list[Any], start: Fraction, duration: Fraction) -> list[Event]:
    boundaries = [Fraction(0), *((first + last) / 2 for first, last in changes), duration]
    shots = [Event("shots", float(start + a), float(start + b), "shot") for a, b in pairwise(boundaries) if b > a]
    dissolve_spans = [Event("shots", float(start + a), float(start + b), "dissolve") for a, b in changes if b > a]
    return shots + dissolve_spans


def _bounce(position: float, available: int) -> int:
    """Fold a straight trajectory into [0, ``available``], as if it were reflected at both ends."""
    folded = position % (2 * available) if available > 0 else 0
    return round(min(folded, 2 * available - folded))


def _paint(pixels: Pixels, box: tuple[int, int, int, int], colour: tuple[int, int, int], round_: bool) -> None:
    x1, y1, x2, y2 = box
    y, x = np.mgrid[y1:y2, x1:x2]
    inside = (
        np.hypot(x - (x1 + x2 - 1) / 2, y - (y1 + y2 - 1) / 2) <= (x2 - x1) / 2 if round_ else np.ones(x.shape, bool)
    )
    pixels[y1:y2, x1:x2][inside] = colour
