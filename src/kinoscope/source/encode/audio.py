"""Audio of a written video: copied from a file, transcoded from a file, or encoded from samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from kinoscope.core.errors import OutputError
from kinoscope.core.media import Audio
from kinoscope.core.time import to_pts
from kinoscope.source.decode.audio_tracks import select_audio, select_video
from kinoscope.source.decode.container import open_file
from kinoscope.source.decode.packets import PacketReader, Track

MAX_PRIMING_SECONDS = Fraction(1, 10)
"""Seconds by which copied audio may start before the first frame (priming)."""

PASSTHROUGH_CODECS = {
    "mp4": {"aac", "mp3", "mp3float", "ac3", "eac3", "alac"},
    "mov": {"aac", "mp3", "mp3float", "ac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le"},
    "matroska": {"aac", "mp3", "mp3float", "ac3", "eac3", "flac", "opus", "vorbis", "pcm_s16le", "mp2", "mp2float"},
}
"""Container -> audio codecs that players support in it."""


class AudioTrack(ABC):
    """Audio that is written beside the frames."""

    def begin(self, start: Fraction, shift: Fraction) -> None:
        """Set the time of the first frame, and the seconds by which everything is shifted."""
        self._start, self._shift = start, shift

    def write_until(self, time: Fraction) -> None:  # noqa: B027  (samples are pushed)
        """Write the audio up to ``time``."""

    @abstractmethod
    def finish(self, end: Fraction) -> None:
        """Write the audio up to the last frame's ``end`` and flush the encoder."""

    def write(self, audio: Audio) -> None:
        """Write samples."""
        raise OutputError("the audio comes from a file already; give the Writer either audio_from or audio_rate")

    def close(self) -> None:  # noqa: B027  (encoded samples have no open file)
        """Close the file."""


def add_audio_track(
    container: OutputContainer, audio_from: str | Path | None, rate: int | None, track: int | None = None
) -> AudioTrack | None:
    """Add the requested audio to a container that is being written."""
    if audio_from is not None:
        return _audio_from_file(container, str(audio_from), track)
    return None if rate is None else EncodedAudio(container, rate)


def _audio_from_file(container: OutputContainer, path: str, track: int | None) -> AudioTrack | None:
    source = open_file(path)
    stream = select_audio(source, track, select_video(source))
    if stream is None:
        source.close()
        return None
    kind = (
        PassthroughAudio if stream.codec_context.name in PASSTHROUGH_CODECS[container.format.name] else TranscodedAudio
    )
    return kind(container, source, stream)


class PassthroughAudio(AudioTrack):
    """The packets of a file, copied, on the clock on which its frames are read."""

    def __init__(self, container: OutputContainer, file: InputContainer, source: AudioStream) -> None:
        self._container, self._file, self._source = container, file, source
        self._packets = self._read()
        self._peeked: Packet[AudioStream] | None = None
        self._written: int | None = None
        self._target = self._add()

    def _add(self) -> AudioStream:
        return self._container.add_stream_from_template(self._source)

    def _read(self) -> Iterator[Packet[AudioStream]]:
        video = select_video(self._file)
        tracks: list[Track] = [self._source] if video is None else [video, self._source]
        yield from (packet for packet in PacketReader(self._file, tracks) if packet.stream is self._source)

    def write_until(self, time: Fraction) -> None:
        """Write the audio up to ``time``."""
        while (packet := self._peek()) is not None:
            stamp = packet.pts if packet.pts is not None else packet.dts
            packet_start = None if stamp is None else stamp * packet.time_base
            if packet_start is not None and packet_start >= time:
                return
            self._peeked = None
            if stamp is not None and packet_start is not None and packet_start >= self._start - MAX_PRIMING_SECONDS:
                self._forward(packet)

    def _peek(self) -> Packet[AudioStream] | None:
        if self._peeked is None:
            self._peeked = next(self._packets, None)
        return self._peeked

    def _forward(self, packet: Packet[AudioStream]) -> None:
        ticks = to_pts(self._shift, packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        if packet.dts is not None and self._written is not None and packet.dts <= self._written:
            return  # it overlaps what is written already
        self._written = packet.dts
        packet.stream = self._target
        self._container.mux(packet)

    def finish(self, end: Fraction) -> None:
        """Write the audio up to the last frame's ``end``: the packet that plays then is the last."""
        self.write_until(end)
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class TranscodedAudio(PassthroughAudio):
    """The audio of a file, decoded and encoded as AAC."""

    def __init__(self, container: OutputContainer, file: InputContainer, source: AudioStream) -> None:
        super().__init__(container, file, source)
        self._pending: list[AudioFrame] = []

    def _add(self) -> AudioStream:
        rate = min(self._source.codec_context.sample_rate, 48_000)
        return self._container.add_stream("aac", rate, layout=_layout(self._source))

    def _forward(self, packet: Packet[AudioStream]) -> None:
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            return  # a corrupt packet leaves a gap
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                frame.pts += to_pts(self._shift, frame.time_base)
            if self._is_in_order(frame):
                self._pending.append(frame)

    def write_until(self, time: Fraction) -> None:
        """Encode what has ended by ``time``; the rest may be cut off yet."""
        super().write_until(time)
        while self._pending and _samples_before(self._pending[0], time + self._shift) >= self._pending[0].samples:
            self._container.mux(self._target.encode(self._pending.pop(0)))

    def _is_in_order(self, frame: AudioFrame) -> bool:
        """Return whether a frame does not lie before the end of the previous one."""
        if frame.pts is None:
            return True
        late = self._written is None or frame.pts >= self._written
        self._written = frame.pts if late else self._written
        return late

    def finish(self, end: Fraction) -> None:
        """Write the audio up to the last frame's ``end`` and flush the encoder."""
        self.write_until(end)
        for frame in self._pending:
            samples = _samples_before(frame, end + self._shift)
            if samples > 0:
                self._container.mux(self._target.encode(_first_samples(frame, samples)))
        self._container.mux(self._target.encode(None))
        self.close()


class EncodedAudio(AudioTrack):
    """Mono samples, encoded as AAC."""

    def __init__(self, container: OutputContainer, rate: int) -> None:
        self._container, self._rate = container, rate
        self._target = container.add_stream("aac", rate, layout="mono")
        self._pending: list[Audio] | None = []

    def begin(self, start: Fraction, shift: Fraction) -> None:
        """Set the shift, and encode what came before the first frame."""
        super().begin(start, shift)
        pending, self._pending = self._pending or [], None
        for audio in pending:
            self.write(audio)

    def write(self, audio: Audio) -> None:
        """Encode samples."""
        if audio.rate != self._rate:
            raise OutputError(
                f"audio has {audio.rate} samples a second, not the {self._rate} of the Writer; resample it"
            )
        if self._pending is not None:
            self._pending.append(audio)
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(audio.samples[None]), "fltp", "mono")
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = to_pts(audio.start + self._shift, frame.time_base)
        self._container.mux(self._target.encode(frame))

    def finish(self, end: Fraction) -> None:
        """Flush the encoder."""
        self._container.mux(self._target.encode(None))


def _samples_before(frame: AudioFrame, time: Fraction) -> int:
    """Return how many samples of a frame lie before a time, or would if it continued; all if the frame has no time."""
    if frame.pts is None or frame.time_base is None:
        return frame.samples
    return round((time - frame.pts * frame.time_base) * frame.sample_rate)


def _first_samples(frame: AudioFrame, samples: int) -> AudioFrame:
    """Return the first samples of a frame, whose data is copied."""
    values = samples if frame.format.is_planar else samples * frame.layout.nb_channels
    cut = AudioFrame.from_ndarray(frame.to_ndarray()[:, :values].copy(), frame.format.name, frame.layout.name)
    cut.sample_rate, cut.time_base, cut.pts = frame.sample_rate, frame.time_base, frame.pts
    return cut


def _layout(stream: AudioStream) -> str:
    return "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
