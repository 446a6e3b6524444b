"""Which frames are missing: stamps that went into a decoder and never came out, and gaps where bytes were skipped."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from av.packet import Packet
from av.video.frame import VideoFrame

NO_KEYFRAME_BEFORE = "no key frame came before it"
"""Why frames at the beginning of a stream that was joined midway are missing."""

ONE_FRAME_PER_PACKET = {"hevc", "vp9", "av1"}
"""Codecs of whose packets each makes a frame, so that none may be missing though no error was raised."""

MAX_GAP_FRAMES = 100_000
"""Frames of one gap that are named at most: a stamp that is far off is no gap."""


@dataclass(frozen=True, slots=True)
class LostFrame:
    """A frame (or a packet of audio) that could not be decoded.

    Attributes:
        pts: its stamp in ticks of its stream, if known.
        why: FFmpeg's reason.
        picture: False for audio.
    """

    pts: int | None
    why: str
    picture: bool = True


class LossDetector:
    """Find which frames of a video stream are missing.

    Decoders run ahead in threads, so the packet that raises is seldom the damaged one. Frames come out in order of
    time, however: after a sign of damage, the stamps that went in and lie before the next frame are the lost ones.
    Where packets are missing as well, the stamps between are counted on at the distance of the frames before.
    Packets that never make a frame of their own (second fields) are known from the undamaged part.

    Args:
        codec: as FFmpeg names it.
        joined: whether decoding begins at a keyframe that was sought; nothing that lies before it is missing.
    """

    def __init__(self, codec: str = "", joined: bool = False) -> None:
        self._strict = codec in ONE_FRAME_PER_PACKET
        self.joined = joined
        self._waiting: list[int] = []
        self._errors: list[str] = []
        self._sign: str | None = None
        self._until = 0
        self._keyed = False
        self._joint: int | None = None
        self._key: int | None = None
        self._begun = False
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=24)
        self._frames = self._silent = 0

    def sent(self, packet: Packet[Any], joint: int | None = None) -> None:
        """Take note of a packet that goes into the decoder; nothing is missing just before the ``joint`` of parts."""
        self._joint = joint
        if packet.is_keyframe and not self._keyed:
            self._keyed, self._key = True, packet.pts
        if packet.pts is None or packet.is_discard:
            return
        self._waiting.append(packet.pts)
        if packet.is_corrupt:
            self.suspect("the packet is corrupt")

    def failed(self, why: str) -> None:
        """Take note of an error of the decoder."""
        self._errors.append(why)
        self.suspect(why)

    def suspect(self, why: str) -> None:
        """Take note of a sign of damage: what is missing up to here is lost."""
        self._sign = self._sign or why
        self._until = max(self._waiting, default=self._until)

    def headless(self, frame: VideoFrame) -> bool:
        """Return whether a corrupt frame depends on a keyframe from before the beginning."""
        if self._key is None or frame.pts is None:
            return not self._keyed
        return frame.pts < self._key

    def before(self, frame: VideoFrame) -> Iterator[LostFrame]:
        """Yield what is missing before ``frame``."""
        if frame.pts is None:
            yield from self._unplaced()
            return
        if not self._begun:
            yield from self._head(frame.pts)
        missing = sorted(pts for pts in self._waiting if pts < frame.pts)
        if frame.is_corrupt or (missing and self._strict):
            self.suspect("invalid data")
        self._waiting = [pts for pts in self._waiting if pts > frame.pts]
        yield from self._named(missing, frame.pts)
        self._learn(frame.pts, len(missing))

    def rest(self) -> Iterator[LostFrame]:
        """Yield what never came out."""
        yield from self._named(sorted(self._waiting), None)
        yield from self._unplaced()
        self._waiting = []

    def _head(self, first: int) -> Iterator[LostFrame]:
        """Yield what was sent before the first frame that came out."""
        self._begun = True
        if self.joined:
            self._waiting = [pts for pts in self._waiting if pts >= first]
        sent = self._waiting.index(first) if first in self._waiting else len(self._waiting)
        lost = [pts for pts in self._waiting[:sent] if pts < first]
        self._waiting = [pts for pts in self._waiting if pts >= first]
        if lost:
            errors, self._errors = self._errors, []
            why = errors[0] if errors and lost[0] == self._key else NO_KEYFRAME_BEFORE
            yield from (LostFrame(pts, why) for pts in sorted(lost))

    def _named(self, missing: list[int], now: int | None) -> Iterator[LostFrame]:
        """Yield the missing frames, if there is a sign of damage; without a stamp if none can be found."""
        if self._sign is None:
            return
        lost = self._whole(missing)
        lost = lost if now is None else self._filled(lost, now)
        if lost:
            self._errors = []
            yield from (LostFrame(pts, self._sign) for pts in lost)
        if now is None or now > self._until:
            yield from self._unplaced()

    def _unplaced(self) -> Iterator[LostFrame]:
        """Yield failures to which no stamp belongs, and be at rest."""
        errors, self._errors, self._sign = self._errors, [], None
        yield from (LostFrame(None, why) for why in errors)

    def _whole(self, stamps: list[int]) -> list[int]:
        """Leave out stamps of packets that make no frame of their own even where nothing is damaged."""
        packets = 1 + round(self._silent / self._frames) if self._frames else 1
        return stamps[packets - 1 :: packets]

    def _filled(self, lost: list[int], now: int) -> list[int]:
        """Add the stamps of frames whose packets are missing too."""
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

    def _learn(self, pts: int, missing: int) -> None:
        if self._last is not None and self._sign is None:
            self._frames, self._silent = self._frames + 1, self._silent + missing
            self._steps.append(pts - self._last)
        self._last = pts
