"""Stretch audio by a small factor, to correct a clock that runs slower or faster than another."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.filter import Graph
from av.packet import Packet
from numpy.typing import NDArray

from kinoscope.core.errors import OutputError
from kinoscope.core.time import to_pts
from kinoscope.source.decode.audio import MAX_STAMP_ERROR_SECONDS, to_interleaved

ENCODERS = {"opus": "libopus", "vorbis": "libvorbis"}
"""Codec -> encoder, where FFmpeg's first one is not its best."""

MAX_RATIO_TERM = 200_000
"""Largest numerator and denominator of the stretch: off by less than a millisecond in an hour."""


class TimeStretcher:
    """A filter of one audio track: decoded, resampled about its time 0, shifted, and encoded in its own codec.

    Args:
        container: the output.
        source: the audio track.
        delay: seconds that are added to the stretched times.
        stretch: factor of the times.
        earliest: seconds before which audio is dropped.

    Raises:
        OutputError: there is no encoder for audio that the container supports.
    """

    def __init__(
        self, container: OutputContainer, source: AudioStream, delay: Fraction, stretch: Fraction, earliest: Fraction
    ) -> None:
        self._delay, self._stretch = delay, stretch
        self._earliest_sample = to_pts(earliest, Fraction(1, source.codec_context.sample_rate))
        self._rate = source.codec_context.sample_rate
        self.target = _add_encoder(container, source)
        self._graph: Graph | None = None
        self._input_end: Fraction | None = None
        self._next_sample: int | None = None

    def process(self, packet: Packet[AudioStream]) -> list[Packet[Any]]:
        """Return the stretched packets of a packet of the track; an empty packet ends it."""
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            return []  # a corrupt packet leaves a gap, which is filled
        continuous = (part for frame in map(to_interleaved, frames) for part in self._fill_gaps(frame))
        return [stretched_packet for part in continuous for stretched_packet in self._resample(part)]

    def flush(self) -> list[Packet[Any]]:
        """Return the packets that are still buffered."""
        rest = [] if self._graph is None else self._resample(None)
        return [*rest, *self.target.encode(None)]

    def _fill_gaps(self, frame: AudioFrame) -> Iterator[AudioFrame]:
        """Yield silence for the gap before a frame, then the frame."""
        time = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else None
        if self._input_end is None:
            self._input_end = time or Fraction(0)
            self._next_sample = to_pts(self._input_end * self._stretch + self._delay, Fraction(1, self._rate))
        elif time is not None and time - self._input_end > MAX_STAMP_ERROR_SECONDS:
            missing = to_pts(time - self._input_end, Fraction(1, self._rate))
            for first in range(0, missing, self._rate):
                yield _silence(frame, min(self._rate, missing - first))
            self._input_end = time
        self._input_end += Fraction(frame.samples, self._rate)
        yield frame

    def _resample(self, frame: AudioFrame | None) -> list[Packet[Any]]:
        if self._graph is None:
            assert frame is not None
            self._graph = _build_resampler(frame, self._stretch)
        if frame is not None:
            frame.pts = None
        self._graph.push(frame)
        return [packet for stretched in self._pull(self._graph) for packet in self._encode(stretched)]

    def _pull(self, graph: Graph) -> Iterator[AudioFrame]:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            yield frame

    def _encode(self, frame: AudioFrame) -> list[Packet[Any]]:
        """Encode a frame, without what lies before the earliest sample."""
        assert self._next_sample is not None
        first, self._next_sample = self._next_sample, self._next_sample + frame.samples
        if self._next_sample <= self._earliest_sample:
            return []
        if first < self._earliest_sample:
            frame, first = _drop_first(frame, self._earliest_sample - first), self._earliest_sample
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), first
        return self.target.encode(frame)


def _add_encoder(container: OutputContainer, source: AudioStream) -> AudioStream:
    """Add a track in the codec of ``source``, or in one that the container supports."""
    context = source.codec_context
    codec_name = context.codec.canonical_name
    for name in (ENCODERS.get(codec_name, codec_name), "aac", "libopus"):
        try:
            codec = av.Codec(name, "w")
            rates = codec.audio_rates or [context.sample_rate]
            rate = context.sample_rate if context.sample_rate in rates else max(rates)
            stream = container.add_stream(name, rate, layout=context.layout.name)
        except (av.codec.codec.UnknownCodecError, ValueError):
            continue
        assert isinstance(stream, AudioStream)
        if context.bit_rate:
            stream.codec_context.bit_rate = context.bit_rate
        if context.format.name in {sample_format.name for sample_format in codec.audio_formats or ()}:
            stream.codec_context.format = context.format.name
        return stream
    raise OutputError(f"there is no audio encoder for {container.format.name}; give a name that ends in .mkv")


def _build_resampler(frame: AudioFrame, stretch: Fraction) -> Graph:
    """Return a graph that outputs ``stretch`` times as many samples as are pushed."""
    ratio = stretch.limit_denominator(MAX_RATIO_TERM)
    graph = Graph()
    base = Fraction(1, frame.sample_rate)
    nodes = [
        graph.add_abuffer(None, frame.sample_rate, frame.format.name, frame.layout.name, time_base=base),
        graph.add("asetrate", str(ratio.denominator)),
        graph.add("aresample", f"{ratio.numerator}:linear_interp=1:filter_size=64"),
        graph.add("aformat", f"sample_fmts={frame.format.name}"),
        graph.add("abuffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph


def _silence(template: AudioFrame, samples: int) -> AudioFrame:
    shape = (
        (template.layout.nb_channels, samples)
        if template.format.is_planar
        else (1, samples * template.layout.nb_channels)
    )
    kind = template.to_ndarray().dtype
    frame = AudioFrame.from_ndarray(np.zeros(shape, kind), template.format.name, template.layout.name)
    frame.sample_rate = template.sample_rate
    return frame


def _drop_first(frame: AudioFrame, samples: int) -> AudioFrame:
    """Return a frame without its first samples."""
    step = 1 if frame.format.is_planar else frame.layout.nb_channels
    rest: NDArray[Any] = np.ascontiguousarray(frame.to_ndarray()[:, samples * step :])
    return AudioFrame.from_ndarray(rest, frame.format.name, frame.layout.name)
