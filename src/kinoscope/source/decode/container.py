"""Open containers safely, with a one-line error if that fails."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer

from kinoscope.core.addresses import reveal
from kinoscope.core.errors import SourceError
from kinoscope.source.limits import DEFAULT_LIMITS, Limits

FORBIDDEN_FORMATS = {"concat", "dash", "hls", "hds", "imf", "sdp", "tty", "lavfi", "webm_dash_manifest"}
"""Formats of local files that are refused: playlists open other files, and the rest are not recordings."""

URL_PROTOCOLS = {
    "http": "http,https,tcp,tls,crypto,httpproxy",
    "https": "http,https,tcp,tls,crypto,httpproxy",
    "rtsp": "rtsp,rtp,udp,tcp,tls,srtp",
    "rtsps": "rtsp,rtsps,rtp,udp,tcp,tls,srtp",
    "rtmp": "rtmp,rtmpt,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "udp": "udp",
    "rtp": "rtp,udp",
}
"""URL scheme -> protocols that it, and whatever it names in turn, may use. None of them reaches local files."""


def is_url(path: str) -> bool:
    """Return whether ``path`` is written as a URL."""
    return "://" in path


def open_file(path: str, limits: Limits = DEFAULT_LIMITS) -> InputContainer:
    """Open a local file.

    Args:
        path: the file.
        limits: on the pixels of a frame; FFmpeg may decode one already to detect its format.

    Raises:
        SourceError: it is missing, empty, or not a video that can be read; in one line.
    """
    _check_file(Path(path))
    allowed = ",".join(sorted(av.formats_available - FORBIDDEN_FORMATS))
    options = {"protocol_whitelist": "file", "format_whitelist": allowed, "pattern_type": "none"}
    options["max_pixels"] = str(limits.pixels)
    try:
        return av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(_open_error_message(Path(path), error)) from None


OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS = 10.0, 5.0
"""Seconds after which a network stream that does not answer, or sends no more data, is abandoned."""

REOPEN_PROBE_MICROSECONDS = 1_000_000
"""Microseconds of a stream that are probed when it is reopened; FFmpeg's five seconds would be lost to an alert."""


def open_url(
    url: str, limits: Limits = DEFAULT_LIMITS, again: bool = False, wall_clock: bool = False
) -> InputContainer:
    """Open a network stream.

    Args:
        url: its address.
        limits: on what is read.
        again: whether it was open before, so that less of it needs to be probed.
        wall_clock: whether frames are stamped on arrival.

    Raises:
        SourceError: the scheme is not allowed, or there is no answer.
    """
    scheme = url.split("://", 1)[0].lower()
    if scheme not in URL_PROTOCOLS:
        raise SourceError(f"cannot open {url}: scheme {scheme!r} is not one of {', '.join(URL_PROTOCOLS)}")
    options = {"protocol_whitelist": URL_PROTOCOLS[scheme], "max_pixels": str(limits.pixels)}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    options |= {"analyzeduration": str(REOPEN_PROBE_MICROSECONDS)} if again else {}
    options |= {"use_wallclock_as_timestamps": "1"} if wall_clock else {}
    try:
        return av.open(
            reveal(url),
            options=options,
            timeout=(OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"cannot open {url}: {error_message(error)}; check the address and that it is being sent"
        ) from None


@contextmanager
def read_errors(path: str) -> Iterator[None]:
    """Raise SourceError in place of whatever PyAV raises while ``path`` is read."""
    try:
        yield
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        raise SourceError(f"{path} cannot be read: {error_message(error)}; check the file, or convert it") from error


def error_message(error: Exception) -> str:
    """Return FFmpeg's own message for an error, in lower case and without its number."""
    return str(getattr(error, "strerror", None) or error).lower().replace("\n", " ")


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist{_suggest_names(path)}") from None
    except OSError as error:
        raise SourceError(f"cannot open {path}: {error_message(error)}") from None
    if path.is_file() and not size:
        raise SourceError(f"{path} is empty (0 bytes); copy or download it again")


_MIN_NAME_SIMILARITY = 0.7
"""Similarity of two names, 0 to 1, from which one may be a misspelling of the other: a letter or two apart."""


def _suggest_names(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f", nor does the folder {path.parent}; check the path"
    # Without the suffixes, which all videos of a folder share.
    stems = difflib.get_close_matches(path.stem, {Path(name).stem for name in names}, n=3, cutoff=_MIN_NAME_SIMILARITY)
    close = [name for stem in stems for name in sorted(names) if Path(name).stem == stem][:3]
    return f"; did you mean {', '.join(close)}?" if close else "; check the path"


def _open_error_message(path: Path, error: Exception) -> str:
    if isinstance(error, (av.InvalidDataError, av.error.DemuxerNotFoundError)):
        if _lacks_index(path):
            return f"{path} is an mp4 without its index (moov): it was cut short; record or download it again"
        return f"{path} is not a video that can be read (mp4, mkv, webm, mov, avi, ts, gif and others can)"
    if isinstance(error, av.error.EOFError):
        return f"{path} ends before anything that can be read: it was cut short; record or download it again"
    return f"cannot open {path}: {error_message(error)}"


def _lacks_index(path: Path) -> bool:
    """Return whether a file is an mp4 without its index: its top-level boxes have a file type, but no ``moov``."""
    names: set[bytes] = set()
    end = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8 and len(names) < 100:
            size, name = int.from_bytes(head[:4], "big"), head[4:]
            names.add(name)
            if size == 1:
                size = int.from_bytes(file.read(8), "big") - 8
            if not 8 <= size <= end:
                break
            file.seek(size - 8, 1)
    return b"ftyp" in names and b"moov" not in names
