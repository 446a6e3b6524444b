"""Visible and audible onsets, collected from a video as long as no face is in it; see ``core.signal.onsets``."""

from __future__ import annotations

import numpy as np

from kinoscope.core.media import Audio, Pixels
from kinoscope.core.signal.onsets import AudioOnsets, MotionOnsets, OnsetOffset, match_onsets

FRAME_SIDE = 96
"""Longer side in pixels of the frames in which motion is measured."""

MAX_SECONDS = 600.0
"""Maximum seconds that are collected: memory stays bounded, and there are enough onsets."""

MAX_FACE_FRAMES = 25
"""Frames with a face from which lips are better evidence than onsets, and collection stops."""


class OnsetFallback:
    """Collector of abrupt motion and abrupt audio."""

    def __init__(self) -> None:
        self._motion_onsets: MotionOnsets | None = MotionOnsets()
        self._audio_onsets = AudioOnsets()
        self._start_time: float | None = None
        self._face_frames = 0

    def add_frame(self, pixels: Pixels, time: float, face_count: int) -> None:
        """Add the next frame (H, W, 3), in which ``face_count`` faces were detected, at ``time`` in seconds."""
        import cv2

        self._face_frames += face_count > 0
        self._start_time = time if self._start_time is None else self._start_time
        if self._motion_onsets is None or time - self._start_time > MAX_SECONDS:
            return
        if self._face_frames >= MAX_FACE_FRAMES:
            self._motion_onsets, self._audio_onsets = None, AudioOnsets()
            return
        height, width = pixels.shape[:2]
        scale = FRAME_SIDE / max(height, width)
        size = max(8, round(width * scale)), max(8, round(height * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        self._motion_onsets.update(np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), time)

    def add_audio(self, audio: Audio) -> None:
        """Add the next chunk of audio."""
        start = float(audio.start) if self._start_time is None else self._start_time
        if self._motion_onsets is not None and float(audio.start) - start <= MAX_SECONDS:
            self._audio_onsets.update(audio)

    def match(self) -> OnsetOffset | None:
        """Return the offset that the onsets indicate; None if faces were detected."""
        return None if self._motion_onsets is None else match_onsets(self._motion_onsets, self._audio_onsets)
