"""Which of several sound tracks is meant."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from kinoscope.core.errors import OptionError


def sound_of(container: InputContainer, number: int | None = None) -> AudioStream | None:
    """Give a sound track that can be decoded, or None if there is none.

    Args:
        container: an opened file.
        number: which one, counted from 0 among the sound tracks, or None for the one that players choose.

    Raises:
        OptionError: there is no such track; the message lists those there are.
    """
    if number is None:
        best = container.streams.best("audio")
        return best if isinstance(best, AudioStream) and best.codec_context is not None else None
    tracks = container.streams.audio
    if not 0 <= number < len(tracks) or tracks[number].codec_context is None:
        raise OptionError(f"there is no sound track {number} that can be heard in {_name(container)}; {_list(tracks)}")
    return tracks[number]


def video_of(container: InputContainer) -> VideoStream | None:
    """Return the video stream that players choose, or None; the cover picture of a song is not video."""
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic:
            best = container.streams.best("video")
            return best if isinstance(best, VideoStream) and best.codec_context is not None else stream
    return None


def _name(container: InputContainer) -> str:
    return container.name.removeprefix("file:")


def _list(tracks: tuple[AudioStream, ...]) -> str:
    if not tracks:
        return "it has no sound"
    named = ", ".join(f"{i} ({track.language or 'und'})" for i, track in enumerate(tracks))
    return f"it has {len(tracks)}: {named}"
