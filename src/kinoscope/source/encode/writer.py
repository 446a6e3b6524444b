"""Write frames as a video (H.264, each frame at its own time), a GIF, or a sequence of images.

Everything is written into a temporary folder beside the target and moved into place at the end, so that a failure
leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av

from kinoscope.core.errors import OptionError, OutputError
from kinoscope.core.files import (
    numbered_pattern,
    prepare_folder,
    publish,
    remove_surplus,
    require_free,
    write_error_hint,
)
from kinoscope.core.image_metadata import provenance_text
from kinoscope.core.media import Audio, Frame, Size
from kinoscope.core.scratch import scratch_folder, suffix_of
from kinoscope.core.time import Seconds
from kinoscope.source.decode.container import error_message
from kinoscope.source.encode.sinks import GifSink, SequenceSink, Sink, VideoSink

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")


def _advice(error: Exception) -> str:
    if isinstance(error, OSError):
        return "check the folder and the free space"
    return "the encoder or the container refused it, not the folder; give a name that ends in .mkv"


def generated_tags(generated_by: str) -> dict[str, str]:
    """Return the metadata of a generated video: ``comment`` and ``description`` for people, and ``kinoscope``.

    An mp4 keeps the first two; a Matroska file all of them, with ``KINOSCOPE`` in capitals.
    """
    text = provenance_text(generated_by)
    return {"comment": text, "description": text, "kinoscope": f"generated: {generated_by}"}


def select_sink(path: str | Path) -> type[Sink]:
    """Return the class that writes files with the suffix of a path.

    Raises:
        OptionError: the suffix is unknown.
    """
    name = Path(path).name
    ending = Path(path).suffix.lower()
    if ending in VIDEO_SUFFIXES:
        return VideoSink
    if ending == ".gif":
        return GifSink
    if ending in IMAGE_SUFFIXES and "%" in name:
        return SequenceSink
    known = ", ".join((*VIDEO_SUFFIXES, ".gif"))
    raise OptionError(f"cannot write {path}: give a name that ends in {known}, or images as name-%05d.png")


def check_target(path: Path) -> None:
    """Check that a video, an animation or a sequence may be written to a path: no foreign file is in the way.

    Raises:
        OptionError: the suffix is unknown.
        OutputError: a file is in the way.
    """
    pattern = numbered_pattern(path) if select_sink(path) is SequenceSink else None
    if pattern is None:
        require_free(path)
    elif path.parent.is_dir():
        for file in (entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)):
            require_free(file)


class Writer:
    """A writer of frames to ``path``; use it in a ``with`` statement.

    The suffix selects the format: ``.mp4 .mov .m4v .mkv`` a video, ``.gif`` an animation, and the suffix of an image
    with a number in its name (``out/%05d.png``) a sequence.

    Args:
        path: the file or pattern to write.
        size: (width, height) in pixels of every frame; where H.264 needs even sides, the last row or column is
            repeated.
        rate: frames per second, if known; the frames' own times decide.
        audio_from: a file whose audio is added, from the first to the last frame's time: copied if the container
            supports its codec, encoded as AAC otherwise.
        audio_track: index of the audio track of that file, from 0; by default the one that players choose.
        zero: the frames' time in seconds that is to be the file's zero; by default their times are kept. What lies
            before zero shifts everything, for players show nothing there.
        audio_rate: samples per second of audio passed to :meth:`write_audio`.
        time_base: seconds of one tick, if times must be exact in another base than 1 / 5,760,000 s.
        lossless: keep every RGB value exact (few players can show it).
        quality: H.264 constant rate factor, 0 (best) to 51.
        preset: of x264, ``ultrafast`` to ``veryslow``.
        generated_by: the model that generated the frames, where no camera did: the file's metadata then says that it
            was generated, and by what, see ``generated_tags``; so does each PNG or JPEG of a sequence.

    Raises:
        OptionError: the suffix is unknown.
        OutputError: the path cannot be written, or a frame does not fit.
    """

    def __init__(
        self,
        path: str | Path,
        size: Size,
        rate: Seconds | None = None,
        audio_from: str | Path | None = None,
        audio_rate: int | None = None,
        time_base: Fraction | None = None,
        lossless: bool = False,
        quality: int = 21,
        preset: str = "veryfast",
        generated_by: str | None = None,
        audio_track: int | None = None,
        zero: Fraction = Fraction(0),
    ) -> None:
        self.path, self._size = Path(path), size
        self._stack = ExitStack()
        self._sink: Sink | None = None
        sink_type = select_sink(self.path)
        with self._output_errors():
            check_target(self.path)
            prepare_folder(self.path.parent)
            self._folder = self._stack.enter_context(scratch_folder(self.path.parent))
            name = self.path.name if sink_type is SequenceSink else f"file{suffix_of(self.path)}"
            options: dict[str, Any] = {
                "rate": rate,
                "audio_from": audio_from,
                "audio_rate": audio_rate,
                "audio_track": audio_track,
                "zero": zero,
                "time_base": time_base,
            }
            options["tags"] = {} if generated_by is None else generated_tags(generated_by)
            self._sink = sink_type(
                self._folder / name, size, **options, lossless=lossless, quality=quality, preset=preset
            )

    def write(self, frame: Frame) -> None:
        """Write one frame at its own time; times must increase."""
        if frame.size != self._size:
            raise OutputError(f"{self.path}: a frame is {frame.size}, not {self._size} like the first; scale it")
        with self._output_errors():
            self._open().write(frame)

    def write_audio(self, audio: Audio) -> None:
        """Write a block of mono audio at its own time; its rate must be the ``audio_rate`` of the writer."""
        with self._output_errors():
            self._open().write_audio(audio)

    def close(self) -> None:
        """Finish, and move what was written into place."""
        if self._sink is None:
            return
        with self._output_errors():
            self._sink.finish()
            self._sink = None
            self._publish()

    def _open(self) -> Sink:
        if self._sink is None:
            raise OutputError(f"{self.path} is closed; make a new Writer to write more")
        return self._sink

    def _publish(self) -> None:
        written = sorted(self._folder.iterdir())
        numbered = numbered_pattern(self.path) if select_sink(self.path) is SequenceSink else None
        names = [entry.name for entry in written] if numbered else [self.path.name]
        targets = [self.path.with_name(name) for name in names]
        for target in targets:
            require_free(target)
        for temporary, target in zip(written, targets, strict=True):
            publish(temporary, target)
        if numbered:
            remove_surplus(self.path.parent, numbered, names)
        self._stack.close()

    def abandon(self) -> None:
        """Stop, and remove what was written so far."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.abandon()
        self._stack.close()

    @contextmanager
    def _output_errors(self) -> Iterator[None]:
        """Clean up after an error, and raise it as a one-line OutputError."""
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self.abandon()
            why = write_error_hint(error) or f"{error_message(error)}; {_advice(error)}"
            raise OutputError(f"cannot write {self.path}: {why}") from None
        except BaseException:
            self.abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
