"""Hiding parts of a video, and the log of what was hidden.

``blur`` and ``pixels`` leave traces: a blur can be sharpened in part, and of a mosaic over something that moves many
frames together tell more than one. ``solid`` replaces every pixel by one colour that does not depend on the picture:
it alone cannot be undone.
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
"""Pixels across the longer side of what is hidden that a blur is made from."""

MOSAIC_CELLS = 6
"""Cells of the mosaic along the shorter side of what is hidden."""

GREY = (64, 64, 64)


class Redactor:
    """Hides parts of frames. Frames may come in any order, all of the size that the plan was made for.

    Attributes:
        frames: how many were given. touched: in how many of them something was hidden.
        first, last: times of the earliest and the latest frame given, in seconds.
    """

    def __init__(self, plan: RedactionPlan, method: Method) -> None:
        self.plan, self.method = plan, method
        self.frames = self.touched = 0
        self.first, self.last = math.inf, -math.inf
        self._hide = _METHODS[method]
        self._covers = IntervalLookup(
            (cover.start - TIME_TOLERANCE, cover.end + TIME_TOLERANCE, cover) for cover in plan.covers
        )
        self._share = 0.0

    def draw(self, frame: Frame) -> Frame:
        """Give the frame with all that is to be hidden at its time hidden, in a copy of its pixels."""
        pixels, time = frame.pixels.copy(), float(frame.time)
        self.first, self.last = min(self.first, time), max(self.last, time)
        mask = np.zeros(pixels.shape[:2], bool)
        for cover in self._covers.at(time):
            x1, y1, x2, y2 = _rect(cover, time, frame.size)
            if x2 > x1 and y2 > y1:
                self._hide(pixels, (x1, y1, x2, y2))
                mask[y1:y2, x1:x2] = True
        self.frames, self.touched = self.frames + 1, self.touched + bool(mask.any())
        self._share += float(mask.mean())
        return Frame(pixels, frame.time, frame.index, frame.duration)

    @property
    def share(self) -> float:
        """Mean share of the picture that was hidden, 0 to 1."""
        return self._share / max(1, self.frames)


def _rect(cover: Mask, time: float, size: Size) -> Rect:
    """Give the whole pixels of a picture that a cover touches."""
    x1, y1, x2, y2 = cover.at(time).tolist()
    right, bottom = min(size[0], int(np.ceil(x2))), min(size[1], int(np.ceil(y2)))
    return max(0, int(np.floor(x1))), max(0, int(np.floor(y1))), right, bottom


def blur(pixels: Pixels, rect: Rect) -> None:
    """Blur a part of a picture (H, W, C) in place, as strongly as it is large: only a stain remains."""
    x1, y1, x2, y2 = rect
    part = pixels[y1:y2, x1:x2]
    scale = BLUR_PIXELS / max(part.shape[:2])
    small = _downscale(part, max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    stain = cv2.GaussianBlur(small, (0, 0), BLUR_PIXELS / 6, borderType=cv2.BORDER_REPLICATE)
    pixels[y1:y2, x1:x2] = cv2.resize(stain, (x2 - x1, y2 - y1), interpolation=cv2.INTER_LINEAR)


def pixelate(pixels: Pixels, rect: Rect) -> None:
    """Turn a part of a picture (H, W, C) into a coarse mosaic, in place."""
    x1, y1, x2, y2 = rect
    part = pixels[y1:y2, x1:x2]
    side = min(part.shape[:2]) / MOSAIC_CELLS
    small = _downscale(part, max(1, round(part.shape[1] / side)), max(1, round(part.shape[0] / side)))
    pixels[y1:y2, x1:x2] = cv2.resize(small, (x2 - x1, y2 - y1), interpolation=cv2.INTER_NEAREST)


def _downscale(part: Pixels, width: int, height: int) -> Pixels:
    width, height = min(width, part.shape[1]), min(height, part.shape[0])
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _fill_grey(pixels: Pixels, rect: Rect) -> None:
    fill(pixels, rect, GREY)


_METHODS: dict[Method, Callable[[Pixels, Rect], None]] = {"blur": blur, "pixels": pixelate, "solid": _fill_grey}


def audit_log(hider: Redactor, video: Path, source: dict[str, Any], has_audio: bool) -> dict[str, Any]:
    """Give the log of a video in which things were hidden: what, when, where, how, and who was spared.

    Args:
        hider: that hid them.
        video: the finished file.
        source: the facts of the video that it was made from.
        has_audio: whether the sound of the source goes along.
    """
    size = int(source["width"]), int(source["height"])
    with video.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "schema": SCHEMA,
        "source": source.get("path"),
        "file": video.name,
        "sha256": digest,
        "method": hider.method,
        "irreversible": hider.method == "solid",
        "sound": "kept as it is: voices and names can be heard" if has_audio else "none",
        "margin": BOX_MARGIN,
        "extension": EXTENSION_SECONDS,
        "frames": hider.frames,
        "frames_with_something_hidden": hider.touched,
        "share_of_picture_hidden": round(hider.share, 4),
        "hidden": [_hidden_entry(hider, cover, size) for cover in hider.plan.covers],
        "kept": [_exempt_entry(kind, track) for kind, track in hider.plan.kept],
    }


def _hidden_entry(hider: Redactor, cover: Mask, size: Size) -> dict[str, Any]:
    track, start, end = cover.track, max(cover.start, hider.first), min(cover.end, hider.last)
    told: dict[str, Any] = {"kind": cover.kind, "task": track.task, "track": track.id, "label": track.label}
    told |= {"identity": track.identity, "start": round(start, 3), "end": round(end, 3)}
    told |= {"extent": cover.extent(size), "score": round(track.score, 4)}
    told |= {"doubtful": True} if track.extra.get("doubtful") else {}
    return told | ({} if cover.bridge is None else {"gap_before_track": cover.bridge})


def _exempt_entry(kind: str, track: Track) -> dict[str, Any]:
    why = {key: track.extra[key] for key in ("known_by", "distance", "margin") if key in track.extra}
    times = {"start": round(track.start, 3), "end": round(track.end, 3)}
    return {"kind": kind, "task": track.task, "track": track.id, "name": track.identity} | times | why
