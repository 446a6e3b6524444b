"""Detect lost frames: timestamps that went into a decoder and never came out, and gaps where bytes were skipped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

NO_KEYFRAME_BEFORE = "no key frame came before it"
"""Reason why frames at the beginning of a stream that was joined midway are missing."""

ONE_FRAME_PER_PACKET = {"hevc", "vp9", "av1"}
"""Codecs of which each packet makes a frame, so that none may be missing even if no error was raised."""

MAX_GAP_FRAMES = 100_000
"""Frames of one gap that are reported at most: a timestamp that is far off is no gap."""


@dataclass(frozen=True, slots=True)
class LostFrame:
    """A frame (or a packet of audio) that could not be decoded.

    Attributes:
        pts: its timestamp in ticks of its stream, if known.
        reason: FFmpeg's message.
        is_video: False for audio.
    """

    pts: int | None
    reason: str
    is_video: bool = True


class LossDetector:
    """A detector of the missing frames of a video stream.

    Decoders run ahead in threads, so the packet that raises is seldom the damaged one. Frames come out in order of
    time, however: after a sign of damage, the timestamps that went in and lie before the next frame are the lost ones.
    Where packets are missing as well, timestamps between are extrapolated at the distance of the previous frames.
    Packets that never make a frame of their own (second fields) are known from the undamaged part.

    Args:
        codec: FFmpeg's name of it.
        joined: whether decoding begins at a keyframe that was sought; nothing that lies before it is missing.
    """

    def __init__(self, codec: str = "", joined: bool = False) -> None:
        self._strict = codec in ONE_FRAME_PER_PACKET
        self.joined = joined
        self._pending: list[int] = []
        self._errors: list[str] = []
        self._damage: str | None = None
        self._damaged_until = 0
        self._has_keyframe = False
        self._joint: int | None = None
        self._first_keyframe: int | None = None
        self._started = False
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=24)
        self._frames = self._frameless = 0

    def record_packet(self, packet: Packet[Any], joint: int | None = None) -> None:
        """Record a packet that goes into the decoder; nothing is missing just before the ``joint`` of parts."""
        self._joint = joint
        if packet.is_keyframe and not self._has_keyframe:
            self._has_keyframe, self._first_keyframe = True, packet.pts
        if packet.pts is None or packet.is_discard:
            return
        self._pending.append(packet.pts)
        if packet.is_corrupt:
            self.mark_damage("the packet is corrupt")

    def record_error(self, reason: str) -> None:
        """Record an error of the decoder."""
        self._errors.append(reason)
        self.mark_damage(reason)

    def mark_damage(self, reason: str) -> None:
        """Record a sign of damage: what is missing up to here is lost."""
        self._damage = self._damage or reason
        self._damaged_until = max(self._pending, default=self._damaged_until)

    def lacks_keyframe(self, frame: VideoFrame) -> bool:
        """Return whether a corrupt frame depends on a keyframe from before the beginning."""
        if self._first_keyframe is None or frame.pts is None:
            return not self._has_keyframe
        return frame.pts < self._first_keyframe

    def lost_before(self, frame: VideoFrame) -> Iterator[LostFrame]:
        """Yield the frames that are missing before ``frame``."""
        if frame.pts is None:
            yield from self._untimed_errors()
            return
        if not self._started:
            yield from self._lost_at_start(frame.pts)
        missing = sorted(pts for pts in self._pending if pts < frame.pts)
        if frame.is_corrupt or (missing and self._strict):
            self.mark_damage("invalid data")
        self._pending = [pts for pts in self._pending if pts > frame.pts]
        yield from self._report_lost(missing, frame.pts)
        self._update(frame.pts, len(missing))

    def lost_at_end(self) -> Iterator[LostFrame]:
        """Yield the frames that never came out."""
        yield from self._report_lost(sorted(self._pending), None)
        yield from self._untimed_errors()
        self._pending = []

    def _lost_at_start(self, first: int) -> Iterator[LostFrame]:
        """Yield the frames that were sent before the first frame that came out."""
        self._started = True
        if self.joined:
            self._pending = [pts for pts in self._pending if pts >= first]
        index = self._pending.index(first) if first in self._pending else len(self._pending)
        lost = [pts for pts in self._pending[:index] if pts < first]
        self._pending = [pts for pts in self._pending if pts >= first]
        if lost:
            errors, self._errors = self._errors, []
            reason = errors[0] if errors and lost[0] == self._first_keyframe else NO_KEYFRAME_BEFORE
            yield from (LostFrame(pts, reason) for pts in sorted(lost))

    def _report_lost(self, missing: list[int], now: int | None) -> Iterator[LostFrame]:
        """Yield the missing frames, if there is a sign of damage; without a timestamp if none can be found."""
        if self._damage is None:
            return
        lost = self._frame_stamps(missing)
        lost = lost if now is None else self._fill_gaps(lost, now)
        if lost:
            self._errors = []
            yield from (LostFrame(pts, self._damage) for pts in lost)
        if now is None or now > self._damaged_until:
            yield from self._untimed_errors()

    def _untimed_errors(self) -> Iterator[LostFrame]:
        """Yield errors without a timestamp, and reset the sign of damage."""
        errors, self._errors, self._damage = self._errors, [], None
        yield from (LostFrame(None, reason) for reason in errors)

    def _frame_stamps(self, stamps: list[int]) -> list[int]:
        """Return timestamps without those of packets that make no frame of their own even in undamaged parts."""
        packets = 1 + round(self._frameless / self._frames) if self._frames else 1
        return stamps[packets - 1 :: packets]

    def _fill_gaps(self, lost: list[int], now: int) -> list[int]:
        """Return timestamps with those of frames whose packets are missing too."""
        step = max(self._steps, default=0)
        if self._last is None or step <= 0:
            return lost
        added = []
        for a, b in pairwise([self._last, *lost, now]):
            if self._joint is not None and a < self._joint <= b:
                continue
            count = min(round((b - a) / step) - 1, MAX_GAP_FRAMES)
            added += [a + (b - a) * i // (count + 1) for i in range(1, count + 1)]
        return sorted(lost + added)

    def _update(self, pts: int, missing: int) -> None:
        if self._last is not None and self._damage is None:
            self._frames, self._frameless = self._frames + 1, self._frameless + missing
            self._steps.append(pts - self._last)
        self._last = pts
