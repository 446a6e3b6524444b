"""Select one of several audio or video tracks."""

from __future__ import annotations

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from kinoscope.core.errors import OptionError

COVER_DISPOSITIONS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Kinds of video streams without video."""


def select_audio(
    container: InputContainer, number: int | None = None, video: VideoStream | None = None
) -> AudioStream | None:
    """Return an audio track that can be decoded, or None if there is none.

    Args:
        container: an opened file.
        number: its index, from 0 among the audio tracks, or None for the one that players choose.
        video: the video track that it goes with: where a file holds several programmes, one of the same.

    Raises:
        OptionError: there is no such track; the message lists the existing ones.
    """
    if number is None:
        best = container.streams.best("audio", related=video)
        return best if isinstance(best, AudioStream) and best.codec_context is not None else None
    tracks = container.streams.audio
    if not 0 <= number < len(tracks) or tracks[number].codec_context is None:
        raise OptionError(
            f"there is no audio track {number} that can be decoded in {_file_name(container)}; {_list_audio(tracks)}"
        )
    return tracks[number]


def list_videos(container: InputContainer) -> list[VideoStream]:
    """Return the video tracks that can be decoded, without cover images."""
    return [
        s for s in container.streams.video if s.codec_context is not None and not s.disposition & COVER_DISPOSITIONS
    ]


def select_video(container: InputContainer, number: int | None = None) -> VideoStream | None:
    """Return a video track, or None if there is none.

    Args:
        container: an opened file.
        number: its index, from 0 among the video tracks, or None for the largest; of equal ones the one that players
            choose.

    Raises:
        OptionError: there is no such track; the message lists the existing ones.
    """
    tracks = list_videos(container)
    if number is None:
        best = container.streams.best("video")
        return max(tracks, key=lambda track: (track.width * track.height, track is best), default=None)
    if not 0 <= number < len(tracks):
        listed = ", ".join(f"{i} ({track.width}x{track.height})" for i, track in enumerate(tracks))
        available = f"it has {len(tracks)}: {listed}" if tracks else "it has no video"
        raise OptionError(
            f"there is no video track {number} that can be decoded in {_file_name(container)}; {available}"
        )
    return tracks[number]


def _file_name(container: InputContainer) -> str:
    return container.name.removeprefix("file:")


def _list_audio(tracks: tuple[AudioStream, ...]) -> str:
    if not tracks:
        return "it has no audio"
    named = ", ".join(f"{i} ({track.language or 'und'})" for i, track in enumerate(tracks))
    return f"it has {len(tracks)}: {named}"
