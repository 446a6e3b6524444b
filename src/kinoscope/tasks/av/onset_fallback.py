"""Hits that are seen and heard, gathered from a video as long as no face is in it; see ``core.signal.onsets``."""

from __future__ import annotations

import numpy as np

from kinoscope.core.media import Audio, Pixels
from kinoscope.core.signal.onsets import AudioOnsets, MotionOnsets, OnsetOffset, match_onsets

FRAME_SIDE = 96
"""Longer side in pixels of the pictures that motion is told from."""

MAX_SECONDS = 600.0
"""Seconds that are gathered at most: so that little is held, and hits enough are in it."""

MAX_FACE_FRAMES = 25
"""Pictures with a face from which lips tell more than hits, and nothing is gathered any more."""


class OnsetFallback:
    """Gather what moves and sounds abruptly."""

    def __init__(self) -> None:
        self._motion: MotionOnsets | None = MotionOnsets()
        self._sound = AudioOnsets()
        self._first: float | None = None
        self._faces = 0

    def see(self, pixels: Pixels, time: float, faces: int) -> None:
        """Take the next picture (H, W, 3), in which there are so many faces."""
        import cv2

        self._faces += faces > 0
        self._first = time if self._first is None else self._first
        if self._motion is None or time - self._first > MAX_SECONDS:
            return
        if self._faces >= MAX_FACE_FRAMES:
            self._motion, self._sound = None, AudioOnsets()
            return
        height, width = pixels.shape[:2]
        scale = FRAME_SIDE / max(height, width)
        size = max(8, round(width * scale)), max(8, round(height * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        self._motion.update(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), time)

    def hear(self, sound: Audio) -> None:
        """Take the next sound."""
        begun = float(sound.start) if self._first is None else self._first
        if self._motion is not None and float(sound.start) - begun <= MAX_SECONDS:
            self._sound.update(sound)

    def match(self) -> OnsetOffset | None:
        """Give what hits say; None where faces were seen."""
        return None if self._motion is None else match_onsets(self._motion, self._sound)
