"""The motion vectors that a codec stored, as speeds of the parts of a picture.

An encoder has already searched for where each block of a picture comes from; FFmpeg tells what it found for little
more than the decode costs (H.264, MPEG-1, -2 and -4 and their kin; not HEVC, VP9 or AV1). A vector does not say how
far away in time its reference is, so that is worked out from the order of decoding: the nearest picture, on the
vector's side in display order, that was decoded before and that others may refer to. Where an encoder took an older
one, a speed is told too large; with x264's usual settings that is seldom.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame

from kinoscope.core.media import Flow, Size
from kinoscope.source.scaling import Orientation, side_data

EXPORT = {"flags2": "+export_mvs"}
"""Options of a codec context, set before its first packet, under which FFmpeg gives vectors."""

HEADERS = 4096
"""Bytes of a packet in which its first slice is looked for; a picture whose slice lies behind them is a reference."""

REMEMBERED = 128
"""Packets of which the order is remembered: more than threads and reordering hold back."""

MOST = 8192
"""Vectors kept of one picture; of more, every second, third... is taken."""

Spans = tuple[int | None, int | None]
"""Ticks from the earlier and from the later picture that vectors refer to; None where there is none."""


class References:
    """Tell which pictures a picture's vectors refer to.

    Args:
        codec: as FFmpeg names it. The header of H.264 says of each picture whether others refer to it; in the
            older codecs all but B-frames are referred to.
        extradata: what the container says for the decoder; in H.264 it tells how units are parted.
    """

    def __init__(self, codec: str, extradata: bytes | None) -> None:
        self._h264 = codec == "h264"
        self._start_codes = not extradata or extradata[0] != 1
        self._sent: deque[tuple[int, bool]] = deque(maxlen=REMEMBERED)

    def sent(self, packet: Packet[Any]) -> None:
        """Take note of a packet of video, in order of decoding."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is not None:
            self._sent.append(
                (stamp, not self._h264 or is_reference(bytes(memoryview(packet)[:HEADERS]), self._start_codes))
            )

    def spans(self, frame: VideoFrame) -> Spans:
        """Give the ticks to the pictures that a frame's vectors refer to, both positive."""
        stamp = frame.dts if frame.pts is None else frame.pts
        stamps = [sent for sent, _ in self._sent]
        if stamp is None or stamp not in stamps:
            return None, None
        order = stamps.index(stamp)
        if not self._h264 and int(frame.pict_type) == 3:
            self._sent[order] = stamp, False
        known = [sent for sent, refers in list(self._sent)[:order] if refers]
        past = max((sent for sent in known if sent < stamp), default=None)
        future = min((sent for sent in known if sent > stamp), default=None)
        return (None if past is None else stamp - past), (None if future is None else future - stamp)


def is_reference(packet: bytes, start_codes: bool) -> bool:
    """Tell whether others may refer to the picture in a packet of H.264: nal_ref_idc of its first slice (H.264 7.4.1).

    Units lie behind start codes (streams), or behind their length in four bytes (mp4).
    """
    at = 0
    while at + 4 < len(packet):
        if start_codes:
            at = packet.find(b"\0\0\1", at) - 1
            if at < -1 or at + 4 >= len(packet):
                break
        header = packet[at + 4]
        if header & 31 in (1, 2, 5):
            return bool(header >> 5 & 3)
        at += 4 if start_codes else 4 + int.from_bytes(packet[at : at + 4], "big")
    return True


def flow_of(
    frame: VideoFrame, time: Fraction, spans: Spans, time_base: Fraction, orientation: Orientation, shown: Size
) -> Flow:
    """Give the speeds that a frame's vectors tell, in pixels of the picture as it is displayed.

    Args:
        time: of the frame, in seconds.
        spans: see ``References.spans``.
        time_base: seconds of one tick.
        orientation: how the picture is turned to be displayed.
        shown: its displayed size.
    """
    stored = side_data(frame, "MOTION_VECTORS")
    if stored is None:
        return Flow.none(float(time))
    vectors = stored.to_ndarray()
    back, ahead = (0.0 if span is None else float(span * time_base) for span in spans)
    seconds = np.where(vectors["source"] < 0, np.float32(back), np.float32(-ahead))
    use = seconds != 0
    if (many := int(use.sum())) > MOST:
        use[np.flatnonzero(use)[np.arange(many) % -(-many // MOST) != 0]] = False
    if many < len(use) or many > MOST:
        vectors, seconds = vectors[use], seconds[use]
    scale = -1 / (vectors["motion_scale"] * seconds)
    points = np.stack([vectors["dst_x"], vectors["dst_y"]], axis=1).astype(np.float32)
    speeds = np.stack([vectors["motion_x"] * scale, vectors["motion_y"] * scale], axis=1)
    points, speeds = turn(points, speeds, (frame.width, frame.height), orientation)
    stretch = np.array(shown) / orientation.turn((frame.width, frame.height))
    area = vectors["w"].astype(np.float32) * vectors["h"]
    return Flow(float(time), (points * stretch).astype(np.float32), (speeds * stretch).astype(np.float32), area)


def turn(
    points: np.ndarray[Any, Any], speeds: np.ndarray[Any, Any], size: Size, orientation: Orientation
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Turn points and speeds (N, 2) of a decoded picture of ``size`` as the picture is turned."""
    width, height = size
    if orientation.mirror:
        points, speeds = points * (-1, 1) + (width, 0), speeds * (-1, 1)
    for _ in range(orientation.rotation // 90):
        points, speeds = points[:, ::-1] * (1, -1) + (0, width), speeds[:, ::-1] * (1, -1)
        width, height = height, width
    return points, speeds
