"""Demux a container: packets in, decoded frames out, with lost frames reported."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kinoscope.source.decode.audio_tracks import select_audio, select_video
from kinoscope.source.decode.container import error_message
from kinoscope.source.decode.lost_frames import NO_KEYFRAME_BEFORE, LossDetector, LostFrame
from kinoscope.source.decode.packets import PacketReader
from kinoscope.source.limits import DEFAULT_LIMITS, Limits

MIN_SLICE_THREADED_PIXELS = 4096 * 4096
"""Pixels from which frames are decoded one at a time: each thread would buffer frames of its own."""

NO_TIMESTAMPS_FLAG = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS: the container never has any."""

MAX_REORDERED_PACKETS, MAX_LEAD_PACKETS = 16, 500
"""Packets after the first timestamp among which an earlier one may be, and packets in which it is searched for."""

DemuxEvent = VideoFrame | AudioFrame | LostFrame


class Demuxer:
    """A decoder of one video and one audio stream of a container, interleaved as stored.

    Args:
        container: an opened file.
        track: index of the audio track, from 0, or None for the one that players choose.
        limits: on the pixels of a frame; a larger one is lost.
        video_track: index of the video track, from 0, or None for the largest.

    Attributes:
        video, audio: the streams, or None; the cover image of a song is not video.
        want_video, want_audio: whether to decode them from here on.
        packets: the packet reader, which reports how far it has read, and why it stopped before the end if it did.
        lead: the number of frames without a timestamp at the beginning, and the first timestamp after them; None if
            there are none.
    """

    def __init__(
        self,
        container: InputContainer,
        track: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        video_track: int | None = None,
    ) -> None:
        self.container = container
        self.video = select_video(container, video_track)
        self.audio = select_audio(container, track, self.video)
        self.want_video = self.video is not None
        self.want_audio = self.audio is not None
        self._peeked: deque[DemuxEvent] = deque()
        self._losses = LossDetector(self._codec)
        if self.video is not None:
            _configure_decoder(self.video, limits)
        self.lead: tuple[int, int] | None = None
        self._restart()

    @property
    def _codec(self) -> str:
        return "" if self.video is None else self.video.codec_context.name

    def _restart(self) -> None:
        tracks = [stream for stream in (self.video, self.audio) if stream is not None]
        self.packets = PacketReader(self.container, tracks)
        self._stream = self._decode()

    def __iter__(self) -> Iterator[DemuxEvent]:
        while self._peeked:
            event = self._peeked.popleft()
            if self.want_video if not isinstance(event, AudioFrame) else self.want_audio:
                yield event
        yield from self._stream

    def peek(self) -> VideoFrame | None:
        """Return the next frame, which stays to be read, or None if there is none."""
        for event in self._stream if self.video is not None else ():
            self._peeked.append(event)
            if isinstance(event, VideoFrame):
                return event
        return None

    def seek(self, pts: int) -> None:
        """Seek to the last keyframe at or before ``pts``, in ticks of the video stream (or the audio stream)."""
        self.container.seek(pts, stream=self.video or self.audio)
        self._peeked.clear()
        self._losses = LossDetector(self._codec, joined=True)
        self._restart()

    def only_keyframes(self) -> None:
        """Decode only keyframes, from the beginning."""
        if self.video is not None:
            self.video.codec_context.skip_frame = "NONKEY"

    def close(self) -> None:
        """Close the container."""
        self._stream.close()
        self._peeked.clear()
        self.container.close()

    def _decode(self) -> Generator[DemuxEvent, None, None]:
        for packet in self._with_lead():
            is_video = packet.stream is self.video
            if is_video and self.want_video:
                yield from self._decode_video(packet)
            elif not is_video and self.want_audio:
                yield from self._decode_audio(packet)
        yield from self._losses.lost_at_end()

    def _with_lead(self) -> Iterator[Packet[Any]]:
        """Yield all packets; find how many frames without a timestamp come first, and the first timestamp."""
        packets, missing = iter(self.packets), 0
        buffered: list[Packet[Any]] = []
        stamps: list[int] = []
        stampless = self.video is None or bool(self.container.format.flags & NO_TIMESTAMPS_FLAG)
        for packet in () if stampless else packets:
            buffered.append(packet)
            if packet.stream is self.video and packet.pts is not None:
                stamps.append(packet.pts)
            elif packet.stream is self.video and packet.size:
                missing += 1
            known = len(stamps) > (MAX_REORDERED_PACKETS if missing else 0)
            if known or len(buffered) >= MAX_LEAD_PACKETS or not packet.size:
                break
        self.lead = (missing, min(stamps)) if missing and stamps else None
        yield from buffered
        yield from packets

    def _decode_video(self, packet: Packet[Any]) -> Iterator[DemuxEvent]:
        self._losses.record_packet(packet, self.packets.joints.get(packet.stream_index))
        if self.packets.skipped:
            self.packets.skipped = False
            self._losses.mark_damage("the file is damaged there")
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            self._losses.record_error(error_message(error))
            return
        for frame in frames:
            yield from self._losses.lost_before(frame)
            if not (frame.is_corrupt and self._losses.lacks_keyframe(frame)):
                yield frame
            elif not self._losses.joined:
                yield LostFrame(frame.pts, NO_KEYFRAME_BEFORE)

    def _decode_audio(self, packet: Packet[Any]) -> Iterator[DemuxEvent]:
        try:
            yield from packet.decode()
        except av.FFmpegError as error:
            yield LostFrame(None, f"audio: {error_message(error)}", is_video=False)


def _configure_decoder(stream: VideoStream, limits: Limits) -> None:
    context = stream.codec_context
    context.flags |= Flags.output_corrupt  # otherwise HEVC drops all frames after damage, up to the next keyframe
    context.options = {"max_pixels": str(limits.pixels)}
    large = context.width * context.height > MIN_SLICE_THREADED_PIXELS
    stream.thread_type = "SLICE" if large else "AUTO"
