"""Write small files with exactly known content."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from kinoscope.core.media import Audio, Frame, Pixels
from kinoscope.source.base import Item
from kinoscope.source.encode.writer import Writer


def noise(count: int, width: int = 32, height: int = 24, seed: int = 0) -> list[Pixels]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(0, 256, (count, height, width, 3), np.uint8))


def lossless(path: Path, pixels: Sequence[Pixels], times: Sequence[Fraction], **options: Any) -> Path:
    size = pixels[0].shape[1], pixels[0].shape[0]
    with Writer(path, size, lossless=True, preset="ultrafast", **options) as writer:
        for image, time in zip(pixels, times, strict=True):
            writer.write(Frame(image, time))
    return path


def encode(
    path: Path,
    count: int = 12,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int | None = None,
    gop: int = 12,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    seed: int = 0,
    **context: int,
) -> Path:
    """Encode a video that gets brighter, with any codec and container that FFmpeg supports."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        if time_base is not None:
            stream.codec_context.time_base = time_base
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        base = noise(1, *size, seed=seed)[0] // 2
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(base + np.uint8(index * 100 // count), "rgb24").reformat(format=pix_fmt)
            frame.pts = index if pts is None else pts[index]
            frame.time_base = time_base or Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, format: str | None = None, **options: str) -> Path:
    """Copy only the video stream to another container."""
    with av.open(str(source)) as old, av.open(str(target), "w", format=format, options=options) as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    return target


def audio_of(items: Iterable[Item]) -> Iterator[Audio]:
    """Yield the blocks of a source that is read without its frames; a frame among them is an error."""
    for item in items:
        assert isinstance(item, Audio)
        yield item


def close_reader(items: Iterator[Item]) -> None:
    """Stop reading before the end."""
    assert isinstance(items, Generator)
    items.close()
