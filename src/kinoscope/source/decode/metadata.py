"""Read the metadata of a container as a SourceInfo."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from kinoscope.core.media import SourceInfo
from kinoscope.core.time import to_seconds
from kinoscope.source.decode.audio_tracks import list_videos
from kinoscope.source.decode.demux import Demuxer
from kinoscope.source.decode.scaler import Orientation, display_size
from kinoscope.source.decode.wav import truncated_wav_duration

COLOUR_SPACES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    9: "bt2020nc",
    10: "bt2020c",
}
"""Matrix coefficients (ITU-T H.273) -> name."""
TRANSFERS = {
    1: "bt709",
    4: "gamma22",
    5: "gamma28",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    11: "xvycc",
    13: "srgb",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "pq",
    17: "smpte428",
    18: "hlg",
}
"""Transfer characteristics (ITU-T H.273) -> name; ``pq`` and ``hlg`` are of high dynamic range."""

COLOUR_RANGES = {ColorRange.MPEG: "tv", ColorRange.JPEG: "pc"}
"""Colour range -> name."""

DURATION_DECLARED = {"aiff", "asf", "au", "avi", "flv", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "nut"}
"""Containers that declare their duration."""

DURATION_EXACT = {"aiff", "au", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "nut", "wav"}
"""Containers whose declared duration is exact at any length; that of others may be off by a few percent."""

DURATION_ESTIMATED = {"mpeg", "mpegts"}
"""Containers whose duration FFmpeg estimates from their last packets."""

MAX_INDEX_ENTRIES = 2_000
"""Index entries that are read to determine whether the rate varies and how far keyframes are apart."""


def build_source_info(path: str, demuxer: Demuxer, first: VideoFrame | None, live: bool) -> SourceInfo:
    """Return the metadata of an opened container, of which ``first`` is the first frame."""
    container, audio = demuxer.container, demuxer.audio
    start, duration = _start_and_duration(container)
    info: dict[str, Any] = {
        "path": path,
        "start": start,
        "duration": None if live else duration,
        "live": live,
        "container": container.format.name,
        "has_audio": audio is not None,
        "audio_codec": audio.codec_context.name if audio else None,
        "audio_rate": audio.codec_context.sample_rate if audio else None,
    }
    if demuxer.video is not None and first is not None:
        info |= _video_metadata(demuxer.video, first)
        info["extra"] = _track_metadata(container, demuxer.video) | info["extra"]
    return SourceInfo(**info)


def _video_metadata(stream: VideoStream, frame: VideoFrame) -> dict[str, object]:
    orientation = Orientation.of(frame)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = orientation.swap_sides(display_size((frame.width, frame.height), aspect))
    return {
        "width": width,
        "height": height,
        "rate": average_rate(stream),
        "frames": stream.frames or None,
        "codec": stream.codec_context.name,
        "pixel_format": frame.format.name,
        "bit_depth": frame.format.components[0].bits,
        "colour_space": COLOUR_SPACES.get(frame.colorspace),
        "transfer": TRANSFERS.get(frame.color_trc),
        "colour_range": COLOUR_RANGES.get(ColorRange(frame.color_range)),
        "rotation": orientation.rotation,
        "aspect": 1 / aspect if orientation.rotation % 180 else aspect,
        "interlaced": frame.interlaced_frame,
        "variable": _has_variable_rate(stream),
        "extra": {"mirrored": True} if orientation.mirror else {},
    }


def _track_metadata(container: InputContainer, video: VideoStream) -> dict[str, object]:
    """Return the index and number of video tracks; nothing if there is only one."""
    tracks = list_videos(container)
    return {} if len(tracks) < 2 else {"video_track": tracks.index(video), "video_tracks": len(tracks)}


def average_rate(stream: VideoStream) -> Fraction | None:
    """Return the average frames per second, or FFmpeg's best guess if the container does not declare it."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return None


def keyframe_interval(stream: VideoStream) -> Fraction | None:
    """Return the mean distance of keyframes in seconds from the container's index, or None if it has none."""
    keys = [entry.timestamp for entry in stream.index_entries[:MAX_INDEX_ENTRIES] if entry.is_keyframe]
    if len(keys) < 2 or stream.time_base is None:
        return None
    return to_seconds(keys[-1] - keys[0], stream.time_base) / (len(keys) - 1)


def _has_variable_rate(stream: VideoStream) -> bool:
    """Return whether frames are unevenly spaced, beyond one tick of rounding."""
    entries = stream.index_entries[:MAX_INDEX_ENTRIES]
    if stream.frames and len(entries) > 2:  # the index holds every frame
        steps = [b.timestamp - a.timestamp for a, b in pairwise(entries)][:-1]
        return bool(steps) and max(steps) - min(steps) > 1
    average, base = stream.average_rate, stream.base_rate
    return bool(average and base and abs(average / base - 1) > Fraction(1, 100))


def _start_and_duration(container: InputContainer) -> tuple[Fraction, Fraction | None]:
    """Return the earliest time of any stream and the seconds from there to the latest end."""
    streams = [s for s in container.streams if isinstance(s, (VideoStream, AudioStream)) and s.time_base]
    starts = [to_seconds(s.start_time, s.time_base) for s in streams if s.start_time is not None and s.time_base]
    start = min(starts, default=Fraction(container.start_time or 0, av.time_base))
    ends = [end for s in streams if (end := stream_end(s)) is not None]
    if ends and max(ends) > start:
        return start, max(ends) - start
    if container.duration and container.duration > 0:
        duration = Fraction(container.duration, av.time_base)
        # A Matroska file declares the end of its last packet, not its duration.
        late = start if container.format.name == "matroska,webm" and 0 < start < duration else Fraction(0)
        return start, duration - late
    return start, None


def declared_end(container: InputContainer, video: VideoStream | None) -> Fraction | None:
    """Return the time in seconds at which a container declares its end, or None if that is only an estimate."""
    if video is not None and (end := stream_end(video)) is not None and container.format.name not in DURATION_ESTIMATED:
        whole = Fraction(video.frames) / rate if (rate := video.average_rate) else Fraction(0)
        return max(end, whole) if container.format.name == "avi" else end
    if container.format.name == "wav" and container.name.startswith("file:"):
        return truncated_wav_duration(Path(container.name.removeprefix("file:")))
    if container.format.name not in DURATION_DECLARED or not container.duration:
        return None
    # Some writers count from zero, others from the first packet; the earlier end is certain.
    return Fraction(container.duration, av.time_base)


def stream_end(stream: VideoStream | AudioStream) -> Fraction | None:
    """Return the time in seconds at which a stream declares its end, or None."""
    if stream.duration is None or stream.time_base is None:
        return None
    return to_seconds((stream.start_time or 0) + stream.duration, stream.time_base)
