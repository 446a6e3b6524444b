"""Open any kind of source with one call.

``open_source`` takes a video file, a URL, a camera, an image, a folder or pattern of images, or a synthetic video. PyAV
is imported only when a source is opened.
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from kinoscope.core.addresses import Address
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.time import Seconds, parse_time
from kinoscope.source.base import Item, LazyFrame, Source
from kinoscope.source.frames import FrameSource, VideoAddress, in_memory
from kinoscope.source.limits import Limits

__all__ = ["Item", "LazyFrame", "Source", "open_clip", "open_source"]


def open_source(
    path: str | Path,
    start: str | Seconds | None = None,
    end: str | Seconds | None = None,
    rate: str | Seconds | None = None,
    on_error: str = "skip",
    live: bool | None = None,
    audio_track: int | None = None,
    limit: str | None = None,
    endless: bool = False,
    video_track: int | None = None,
) -> Source:
    """Open a source.

    Args:
        path: a video file; a URL (http, https, rtsp, rtsps, rtmp, rtmps, udp, rtp); a camera (``camera:0`` or
            ``/dev/video0``); an image; a folder of images or a pattern of their names (``shots/%05d.png``,
            ``shots/*.png``); a synthetic video (``synthetic:shapes?duration=2``); or the address of a ``Video``. An
            existing file takes precedence over an address.
        start, end: read only [start, end), in seconds or as a clock, on the time axis of the frames.
        rate: frames per second: a video is sampled down to it, and images are shown at it (25 otherwise).
        on_error: what to do about a frame that cannot be decoded: ``skip``, ``repeat``, ``blank`` or ``raise``.
        live: whether the oldest frames are dropped if the reader is too slow; by default for cameras and endless
            streams. An HTTP address that is read so is taken for a camera.
        audio_track: index of the file's audio track to read, from 0; by default the one that players choose.
        limit: limits on what is read, by default ``pixels=134217728,channels=64,rate=768000,hours=100``: pixels of a
            frame, channels, samples per second and length of audio. More is refused before it is decoded.
        video_track: index of the file's video track to read, from 0; by default the largest.
        endless: whether an address sends until it is closed, though its form does not show it: a camera over HTTP.

    Raises:
        SourceError: it cannot be opened, or there is nothing in it.
        OptionError: an option has a value that cannot be used.
    """
    if isinstance(path, VideoAddress) and path.options:
        options = path.merge({
            "start": start, "end": end, "audio_track": audio_track, "limit": limit, "video_track": video_track,
        })  # fmt: skip
        return open_source(Address(path.real), rate=rate, on_error=on_error, live=live, endless=endless, **options)
    first, last, speed = (None if value is None else parse_time(value) for value in (start, end, rate))
    check_time_range(first, last, speed)
    limits, continues = Limits.parse(limit or ""), endless or bool(live)
    source = _open(Address(path), first, last, speed, on_error, (audio_track, video_track), limits, continues)
    for name, number in (("audio", audio_track), ("video", video_track)):
        if number is not None and not _is_file(source):
            source.close()
            raise OptionError(f"{path} is no video file, whose {name} tracks could be chosen; leave {name}_track out")
    _require_content(source, first, last)
    if live or (live is None and source.info.live):
        from kinoscope.source.live import LiveSource

        return LiveSource(source)
    return source


def open_clip(
    path: str | Path, start: str | Seconds | None = None, end: str | Seconds | None = None, limit: str | None = None
) -> Source:
    """Open a clip of a dataset: as ``open_source`` does, but an image is a strip of square frames.

    Raises:
        SourceError: it cannot be opened, or an image is no strip.
        OptionError: ``start`` or ``end`` cannot be used.
    """
    from kinoscope.source.image_strip import ImageStripSource, is_image_file

    path = Address(path)
    if not is_image_file(path):
        return open_source(path, start, end, limit=limit)
    first, last = (None if value is None else parse_time(value) for value in (start, end))
    check_time_range(first, last, None)
    return ImageStripSource(path, first, last, Limits.parse(limit or ""))


def _require_content(source: Source, start: Fraction | None, end: Fraction | None) -> None:
    """Raise SourceError if the requested time range lies outside a source of known duration, and nothing is there.

    Raises:
        SourceError: there is nothing between start and end.
    """
    info = source.info
    if info.live or not info.duration:
        return
    first, last = info.start, info.start + info.duration
    if start is not None and start >= last:
        outside = f"start {float(start):g} s is past the end"
    elif end is not None and end <= first:
        outside = f"end {float(end):g} s is before the beginning"
    else:
        return
    audio_rates = () if info.width else (8000,)
    if next(iter(source.read(info.width > 0, audio_rates)), None) is None:
        source.close()
        raise SourceError(f"{outside} of {info.path}: it lasts from {float(first):g} to {float(last):g} s")


def check_time_range(start: Fraction | None, end: Fraction | None, rate: Fraction | None) -> None:
    """Raise OptionError if a time range or a rate selects nothing.

    Raises:
        OptionError: ``end`` does not lie after ``start``, or the rate is not positive.
    """
    if start is not None and end is not None and end <= start:
        raise OptionError(f"end {float(end):g} s does not lie after start {float(start):g} s")
    if rate is not None and rate <= 0:
        raise OptionError(f"rate {float(rate):g} is not positive; give frames per second, such as 5")


def _open(
    path: str,
    start: Fraction | None,
    end: Fraction | None,
    rate: Fraction | None,
    on_error: str,
    tracks: tuple[int | None, int | None],
    limits: Limits,
    endless: bool,
) -> Source:
    if (frames := in_memory(path)) is not None:
        return FrameSource(frames, start, end, rate)
    if path.startswith("synthetic:") and not os.path.exists(path):
        from kinoscope.source.synthetic.address import source_from_address

        return source_from_address(path).limit(start, end, rate)
    from kinoscope.source.camera import CameraSource, is_camera
    from kinoscope.source.decode.container import is_url
    from kinoscope.source.images import ImageSource, is_image_path
    from kinoscope.source.stream import StreamSource
    from kinoscope.source.video import VideoSource

    if is_camera(path) and not os.path.isfile(path):
        return CameraSource(path, end, rate, on_error)
    if is_url(path):
        return StreamSource(path, start, end, rate, on_error, endless=endless, limits=limits)
    if is_image_path(path):
        return ImageSource(path, start, end, rate, on_error, limits)
    return VideoSource(path, start, end, rate, on_error, track=tracks[0], limits=limits, video_track=tracks[1])


def _is_file(source: Source) -> bool:
    from kinoscope.source.video import VideoSource

    return type(source) is VideoSource  # streams and cameras are subclasses
