"""Heat over pictures, and its course over time: the video and the contact sheet of an explanation."""

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
"""Of the hottest place."""
MAX_VIDEO_WIDTH = 1280
"""Most pixels of the video's width."""
MIN_FRAME_WIDTH = 240
"""Least pixels of the width of one of its pictures."""

BACKGROUND: Colour = (24, 26, 30)
TEXT_COLOUR: Colour = (232, 233, 237)
MUTED_COLOUR: Colour = (150, 155, 165)
GRID_COLOUR: Colour = (58, 62, 70)
CURSOR_COLOUR: Colour = (240, 80, 60)
CURVE_COLOURS: tuple[Colour, ...] = ((156, 156, 255), (255, 184, 77), (94, 201, 150), (240, 130, 180), (110, 195, 235))
"""Colours of the curves, one each."""


@lru_cache
def colormap() -> Pixels:
    """Give the (256, 3) colours of heat from 0 to 1: dark to bright, so that it reads without colour too."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)


def overlay_heatmaps(pictures: Pixels, heat: Heatmap, opacity: float = MAX_OPACITY) -> Pixels:
    """Lay heat (T, h, w) over pictures (T, H, W, 3): the hotter, the less of the picture is seen."""
    size = pictures.shape[2], pictures.shape[1]
    return np.stack(
        [_overlay_heatmap(picture, cv2.resize(one, size), opacity) for picture, one in zip(pictures, heat, strict=True)]
    )


def _overlay_heatmap(picture: Pixels, heat: Float32Array, opacity: float) -> Pixels:
    heat = heat.clip(0, 1)
    colours = colormap()[(255 * heat).astype(np.uint8)]
    share = (opacity * np.sqrt(heat))[..., None]
    return np.asarray((1 - share) * picture + share * colours, np.uint8)


def explanation_sheet(found: Explanation, pictures: Pixels) -> Pixels:
    """Draw the clip as a row of its pictures (T, H, W, 3), and one with the heat of each method."""
    head = f"{found.model}: {found.label} {100 * found.probability:.1f} %"
    span = f"{found.times[0]:.2f} to {found.times[-1]:.2f} s"
    rows = [(f"{head}, {span}", pictures)]
    rows += [(verdict(found, name), overlay_heatmaps(pictures, heat)) for name, heat in found.maps.items()]
    return draw_contact_sheet(rows, columns=8, width=160)


def verdict(found: Explanation, method: str) -> str:
    """Say in one line how far a method's map can be trusted."""
    parts = [method]
    if method in found.faithfulness:
        one, others = found.faithfulness[method], [other.gain for other in found.random]
        chance = f" (random {np.mean(others):.2f})" if others else ""
        parts.append(f"insertion {one.insertion:.2f}, deletion {one.deletion:.2f}, gain {one.gain:.2f}{chance}")
    if method in found.sanity:
        parts.append(
            "another map with shuffled weights" if found.sane(method) else "much the same with shuffled weights"
        )
    return " · ".join(parts)


def explanation_frames(found: Explanation, pictures: Pixels) -> Pixels:
    """Draw the frames (T, H', W', 3) of a video: the heat of each method over the picture, and below it the curves.

    Args:
        pictures: (T, H, W, 3), those of the clip.
    """
    width = _frame_width(len(found.maps), pictures.shape[2])
    height = 2 * max(1, round(pictures.shape[1] * width / pictures.shape[2] / 2))
    small = np.stack([cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures])
    columns = [_with_title(overlay_heatmaps(small, heat), name) for name, heat in found.maps.items()]
    top = np.concatenate([_with_title(small, _headline(found)), *columns], 2)
    graph = CurvePlot(found, top.shape[2])
    return np.stack([np.concatenate([picture, graph.draw(i)]) for i, picture in enumerate(top)])


def _frame_width(methods: int, own: int) -> int:
    """Give an even width of one picture."""
    return 2 * round(max(MIN_FRAME_WIDTH, min(own, MAX_VIDEO_WIDTH // (methods + 1))) / 2)


def _headline(found: Explanation) -> str:
    return f"{found.label} {100 * found.probability:.0f} %"


def _with_title(pictures: Pixels, title: str) -> Pixels:
    """Put a line of text above pictures."""
    pen = TextRenderer(15)
    strip = np.full((24, pictures.shape[2], 3), BACKGROUND, np.uint8)
    pen.write(strip, pen.fit(title, strip.shape[1] - 16), 8, 1, TEXT_COLOUR)
    return np.concatenate([np.broadcast_to(strip, (len(pictures), *strip.shape)), pictures], 1)


def curves(found: Explanation) -> Iterator[tuple[str, TimeSeries]]:
    """Give the names and values (T,) of all that is known over time, each scaled to at most 1."""
    yield "motion stops there", _normalize(found.curve)
    for name in found.maps:
        yield name, _normalize(found.over_time(name))
    if found.attention is not None:
        yield "attention", _normalize(found.attention)


def _normalize(values: TimeSeries) -> TimeSeries:
    most = float(np.abs(values).max(initial=0.0))
    return np.asarray(values / most if most > 0 else values, np.float32)


class CurvePlot:
    """Curves over time with a moving cursor, ``width`` pixels wide."""

    HEIGHT = 150
    SIDE = 14

    def __init__(self, found: Explanation, width: int) -> None:
        self._count, self._width = len(found.times), width
        self._plain = np.full((self.HEIGHT, width, 3), BACKGROUND, np.uint8)
        named = list(curves(found))
        self._low = min(0.0, *(float(values.min()) for _, values in named))
        self._legend([name for name, _ in named])
        primitives.fill(self._plain, (self.SIDE, self._y(0), width - self.SIDE, self._y(0) + 1), GRID_COLOUR)
        for (_, values), colour in zip(named, CURVE_COLOURS * len(named), strict=False):
            points = [[self._x(i), self._y(float(value))] for i, value in enumerate(values)]
            cv2.polylines(self._plain, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)

    def _legend(self, names: list[str]) -> None:
        pen, left = TextRenderer(13), self.SIDE
        for name, colour in zip(names, CURVE_COLOURS * len(names), strict=False):
            primitives.fill(self._plain, (left, 13, left + 14, 16), colour)
            pen.write(self._plain, name, left + 20, 5, MUTED_COLOUR)
            left += pen.width(name) + 40

    def _x(self, index: int) -> int:
        return round(self.SIDE + index * (self._width - 1 - 2 * self.SIDE) / max(1, self._count - 1))

    def _y(self, value: float) -> int:
        top, bottom = 34, self.HEIGHT - 12
        return round(top + (1 - value) / (1 - self._low) * (bottom - top))

    def draw(self, index: int) -> Pixels:
        """Give the picture (H, W, 3) with the cursor at one of the clip's pictures."""
        pixels, x = self._plain.copy(), self._x(index)
        primitives.fill(pixels, (x - 1, 28, x + 1, self.HEIGHT - 6), CURSOR_COLOUR)
        return pixels
