"""Redaction of a video: hide regions of its frames, and log what was hidden.

``blur`` and ``pixels`` leave information: a blur can be sharpened in part, and many frames of a mosaic over a moving
object together reveal more than one frame. ``solid`` replaces every pixel by one colour that does not depend on the
image: it alone is irreversible.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kinoscope.core.media import Frame, Pixels, Size
from kinoscope.core.results import Track
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.primitives import Rect, fill
from kinoscope.views.video.redaction_plan import (
    BOX_MARGIN,
    EXTENSION_SECONDS,
    TIME_TOLERANCE,
    Mask,
    Method,
    RedactionPlan,
)

SCHEMA = 1
"""Of ``blurred.json``."""

BLUR_PIXELS = 32
"""Pixels along the longer side of a region after the downscaling that precedes its blur."""

MOSAIC_CELLS = 6
"""Cells of the mosaic along the shorter side of a region."""

GREY = (64, 64, 64)


class Redactor:
    """Redactor of frames, which may come in any order, all of the size that the plan was made for.

    Attributes:
        frames: number of frames processed.
        redacted_frames: number of those in which something was hidden.
        first, last: times of the earliest and the latest frame, in seconds.
    """

    def __init__(self, plan: RedactionPlan, method: Method) -> None:
        self.plan, self.method = plan, method
        self.frames = self.redacted_frames = 0
        self.first, self.last = math.inf, -math.inf
        self._hide = _METHODS[method]
        self._masks = IntervalLookup(
            (mask.start - TIME_TOLERANCE, mask.end + TIME_TOLERANCE, mask) for mask in plan.masks
        )
        self._hidden_area = 0.0

    def draw(self, frame: Frame) -> Frame:
        """Return the frame with all masks at its time applied to a copy of its pixels."""
        pixels, time = frame.pixels.copy(), float(frame.time)
        self.first, self.last = min(self.first, time), max(self.last, time)
        hidden = np.zeros(pixels.shape[:2], bool)
        for mask in self._masks.at(time):
            x1, y1, x2, y2 = _rect(mask, time, frame.size)
            if x2 > x1 and y2 > y1:
                self._hide(pixels, (x1, y1, x2, y2))
                hidden[y1:y2, x1:x2] = True
        self.frames, self.redacted_frames = self.frames + 1, self.redacted_frames + bool(hidden.any())
        self._hidden_area += float(hidden.mean())
        return Frame(pixels, frame.time, frame.index, frame.duration)

    @property
    def share(self) -> float:
        """Mean fraction of the frame area that was hidden, 0 to 1."""
        return self._hidden_area / max(1, self.frames)


def _rect(mask: Mask, time: float, size: Size) -> Rect:
    """Return the rectangle of whole pixels of a frame that a mask touches."""
    x1, y1, x2, y2 = mask.at(time).tolist()
    right, bottom = min(size[0], int(np.ceil(x2))), min(size[1], int(np.ceil(y2)))
    return max(0, int(np.floor(x1))), max(0, int(np.floor(y1))), right, bottom


def apply_blur(pixels: Pixels, rect: Rect) -> None:
    """Blur a region of an image (H, W, C) in place, in proportion to its size, so that no detail remains."""
    x1, y1, x2, y2 = rect
    region = pixels[y1:y2, x1:x2]
    scale = BLUR_PIXELS / max(region.shape[:2])
    small = _downscale(region, max(1, round(region.shape[1] * scale)), max(1, round(region.shape[0] * scale)))
    blurred = cv2.GaussianBlur(small, (0, 0), BLUR_PIXELS / 6, borderType=cv2.BORDER_REPLICATE)
    pixels[y1:y2, x1:x2] = cv2.resize(blurred, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)


def apply_pixels(pixels: Pixels, rect: Rect) -> None:
    """Replace a region of an image (H, W, C) by a coarse mosaic, in place."""
    x1, y1, x2, y2 = rect
    region = pixels[y1:y2, x1:x2]
    side = min(region.shape[:2]) / MOSAIC_CELLS
    small = _downscale(region, max(1, round(region.shape[1] / side)), max(1, round(region.shape[0] / side)))
    pixels[y1:y2, x1:x2] = cv2.resize(small, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def _downscale(region: Pixels, width: int, height: int) -> Pixels:
    width, height = min(width, region.shape[1]), min(height, region.shape[0])
    return np.asarray(cv2.resize(region, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def apply_solid(pixels: Pixels, rect: Rect) -> None:
    """Replace a region of an image (H, W, C) by grey, in place."""
    fill(pixels, rect, GREY)


_METHODS: dict[Method, Callable[[Pixels, Rect], None]] = {
    "blur": apply_blur,
    "pixels": apply_pixels,
    "solid": apply_solid,
}


def audit_log(redactor: Redactor, video: Path, source: dict[str, Any], has_audio: bool) -> dict[str, Any]:
    """Return the log of a redacted video: what was hidden when, where and how, and which tracks were exempt.

    Args:
        redactor: that rendered the video.
        video: path of the redacted video.
        source: metadata of the original video.
        has_audio: whether the redacted video has the audio of the original.
    """
    size = int(source["width"]), int(source["height"])
    with video.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "schema": SCHEMA,
        "source": source.get("path"),
        "file": video.name,
        "sha256": digest,
        "method": redactor.method,
        "irreversible": redactor.method == "solid",
        "audio": "unchanged: voices and names remain audible" if has_audio else "none",
        "margin": BOX_MARGIN,
        "extension": EXTENSION_SECONDS,
        "frames": redactor.frames,
        "frames_with_something_hidden": redactor.redacted_frames,
        "share_of_frame_hidden": round(redactor.share, 4),
        "hidden": [_hidden_entry(redactor, mask, size) for mask in redactor.plan.masks],
        "exempt": [_exempt_entry(kind, track) for kind, track in redactor.plan.exempt],
    }


def _hidden_entry(redactor: Redactor, mask: Mask, size: Size) -> dict[str, Any]:
    track, start, end = mask.track, max(mask.start, redactor.first), min(mask.end, redactor.last)
    entry: dict[str, Any] = {"kind": mask.kind, "task": track.task, "track": track.id, "label": track.label}
    entry |= {"identity": track.identity, "start": round(start, 3), "end": round(end, 3)}
    entry |= {"extent": mask.extent(size), "score": round(track.score, 4)}
    entry |= {"doubtful": True} if track.extra.get("doubtful") else {}
    return entry | ({} if mask.next_track is None else {"gap_before_track": mask.next_track})


def _exempt_entry(kind: str, track: Track) -> dict[str, Any]:
    match = {key: track.extra[key] for key in ("known_by", "distance", "margin") if key in track.extra}
    times = {"start": round(track.start, 3), "end": round(track.end, 3)}
    return {"kind": kind, "task": track.task, "track": track.id, "name": track.identity} | times | match
