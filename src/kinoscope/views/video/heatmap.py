"""Heatmaps over frames, and curves over time: the video and the contact sheet of an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.explanation import Explanation, Heatmap, TimeSeries
from kinoscope.core.media import Pixels
from kinoscope.views.video import primitives
from kinoscope.views.video.contact_sheet import draw_contact_sheet
from kinoscope.views.video.primitives import Colour, TextRenderer

MAX_OPACITY = 0.75
"""Opacity of a heatmap value of 1."""
MAX_VIDEO_WIDTH = 1280
"""Pixels of the width of the video."""
MIN_FRAME_WIDTH = 240
"""Pixels of the width of one of its frames."""

BACKGROUND: Colour = (24, 26, 30)
TEXT_COLOUR: Colour = (232, 233, 237)
MUTED_COLOUR: Colour = (150, 155, 165)
GRID_COLOUR: Colour = (58, 62, 70)
CURSOR_COLOUR: Colour = (240, 80, 60)
CURVE_COLOURS: tuple[Colour, ...] = ((156, 156, 255), (255, 184, 77), (94, 201, 150), (240, 130, 180), (110, 195, 235))
"""Colours of the curves, one each."""


@lru_cache
def colormap() -> Pixels:
    """Return the (256, 3) colours of heatmap values from 0 to 1: dark to bright, legible without colour too."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)


def overlay_heatmaps(frames: Pixels, heatmaps: Heatmap, opacity: float = MAX_OPACITY) -> Pixels:
    """Blend heatmaps (T, h, w) over frames (T, H, W, 3): the higher the value, the more opaque."""
    size = frames.shape[2], frames.shape[1]
    return np.stack([
        _overlay_heatmap(frame, cv2.resize(heatmap, size), opacity)
        for frame, heatmap in zip(frames, heatmaps, strict=True)
    ])  # fmt: skip


def _overlay_heatmap(frame: Pixels, heatmap: Float32Array, opacity: float) -> Pixels:
    heatmap = heatmap.clip(0, 1)
    colours = colormap()[(255 * heatmap).astype(np.uint8)]
    alpha = (opacity * np.sqrt(heatmap))[..., None]
    return np.asarray((1 - alpha) * frame + alpha * colours, np.uint8)


def explanation_sheet(explanation: Explanation, frames: Pixels) -> Pixels:
    """Draw the clip as a row of its frames (T, H, W, 3), and another row with the heatmaps of each method."""
    head = f"{explanation.model}: {explanation.label} {100 * explanation.probability:.1f} %"
    span = f"{explanation.times[0]:.2f} to {explanation.times[-1]:.2f} s"
    rows = [(f"{head}, {span}", frames)]
    rows += [(verdict(explanation, name), overlay_heatmaps(frames, maps)) for name, maps in explanation.maps.items()]
    return draw_contact_sheet(rows, columns=8, width=160)


def verdict(explanation: Explanation, method: str) -> str:
    """Return one line on the faithfulness and the sanity check of a method's heatmaps."""
    parts = [method]
    if method in explanation.faithfulness:
        scores, random_gains = explanation.faithfulness[method], [scores.gain for scores in explanation.random]
        chance = f" (random {np.mean(random_gains):.2f})" if random_gains else ""
        gain = f"gain {scores.gain:.2f}{chance}"
        parts.append(f"insertion {scores.insertion:.2f}, deletion {scores.deletion:.2f}, {gain}")
    if method in explanation.sanity:
        changed = explanation.sane(method)
        parts.append(f"{'changes' if changed else 'hardly changes'} with shuffled weights")
    return " · ".join(parts)


def explanation_frames(explanation: Explanation, frames: Pixels) -> Pixels:
    """Draw the frames (T, H', W', 3) of a video: the heatmaps of each method over the clip, and the curves below.

    Args:
        explanation: of the clip.
        frames: (T, H, W, 3) of the clip.
    """
    width = _frame_width(len(explanation.maps), frames.shape[2])
    height = 2 * max(1, round(frames.shape[1] * width / frames.shape[2] / 2))
    resized = np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames])
    columns = [_with_title(overlay_heatmaps(resized, maps), name) for name, maps in explanation.maps.items()]
    top = np.concatenate([_with_title(resized, _headline(explanation)), *columns], 2)
    plot = CurvePlot(explanation, top.shape[2])
    return np.stack([np.concatenate([frame, plot.draw(i)]) for i, frame in enumerate(top)])


def _frame_width(methods: int, source_width: int) -> int:
    """Return an even width in pixels for one frame."""
    return 2 * round(max(MIN_FRAME_WIDTH, min(source_width, MAX_VIDEO_WIDTH // (methods + 1))) / 2)


def _headline(explanation: Explanation) -> str:
    return f"{explanation.label} {100 * explanation.probability:.0f} %"


def _with_title(frames: Pixels, title: str) -> Pixels:
    """Add a line of text above frames (T, H, W, 3)."""
    renderer = TextRenderer(15)
    strip = np.full((24, frames.shape[2], 3), BACKGROUND, np.uint8)
    renderer.write(strip, renderer.fit(title, strip.shape[1] - 16), 8, 1, TEXT_COLOUR)
    return np.concatenate([np.broadcast_to(strip, (len(frames), *strip.shape)), frames], 1)


def curves(explanation: Explanation) -> Iterator[tuple[str, TimeSeries]]:
    """Yield the names and values (T,) of all curves over time, each scaled to a maximum of 1."""
    yield "motion frozen", _normalize(explanation.curve)
    for name in explanation.maps:
        yield name, _normalize(explanation.over_time(name))
    if explanation.attention is not None:
        yield "attention", _normalize(explanation.attention)


def _normalize(values: TimeSeries) -> TimeSeries:
    maximum = float(np.abs(values).max(initial=0.0))
    return np.asarray(values / maximum if maximum > 0 else values, np.float32)


class CurvePlot:
    """Plot of curves over time with a moving cursor, ``width`` pixels wide."""

    HEIGHT = 150
    SIDE = 14

    def __init__(self, explanation: Explanation, width: int) -> None:
        self._count, self._width = len(explanation.times), width
        self._canvas = np.full((self.HEIGHT, width, 3), BACKGROUND, np.uint8)
        named_curves = list(curves(explanation))
        self._low = min(0.0, *(float(values.min()) for _, values in named_curves))
        self._legend([name for name, _ in named_curves])
        primitives.fill(self._canvas, (self.SIDE, self._y(0), width - self.SIDE, self._y(0) + 1), GRID_COLOUR)
        for (_, values), colour in zip(named_curves, CURVE_COLOURS * len(named_curves), strict=False):
            points = [[self._x(i), self._y(float(value))] for i, value in enumerate(values)]
            cv2.polylines(self._canvas, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)

    def _legend(self, names: list[str]) -> None:
        renderer, left = TextRenderer(13), self.SIDE
        for name, colour in zip(names, CURVE_COLOURS * len(names), strict=False):
            primitives.fill(self._canvas, (left, 13, left + 14, 16), colour)
            renderer.write(self._canvas, name, left + 20, 5, MUTED_COLOUR)
            left += renderer.width(name) + 40

    def _x(self, index: int) -> int:
        return round(self.SIDE + index * (self._width - 1 - 2 * self.SIDE) / max(1, self._count - 1))

    def _y(self, value: float) -> int:
        top, bottom = 34, self.HEIGHT - 12
        return round(top + (1 - value) / (1 - self._low) * (bottom - top))

    def draw(self, index: int) -> Pixels:
        """Return the plot (H, W, 3) with the cursor at a frame of the clip."""
        pixels, x = self._canvas.copy(), self._x(index)
        primitives.fill(pixels, (x - 1, 28, x + 1, self.HEIGHT - 6), CURSOR_COLOUR)
        return pixels
