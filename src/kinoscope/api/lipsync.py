"""``kinoscope lipsync``: a video in which somebody's lips follow another voice, marked as generated."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.arguments import choose_device
from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.addresses import Address, short_name
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.progress import ProgressCallback
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    import numpy as np

    from kinoscope.core.media import Audio, Frame
    from kinoscope.models.inference.face_compositor import FaceTrajectory
    from kinoscope.models.inference.lipsync import LipSyncModel, ReferenceFrames
    from kinoscope.source.base import Source

BATCH_FRAMES = 8
"""Pictures painted at once, which is also how many are held."""

MOUTH_SMOOTHING_SECONDS = 0.02
"""Seconds, a standard deviation, over which the way of heard lips is averaged."""


@dataclass
class LipSyncResult:
    """What was made.

    Attributes:
        path: the video. model: folder of the painter.
        frames, painted: how many pictures it has, and in how many of them a mouth was painted.
        seconds: that it took. notes: what a viewer should know.
    """

    path: Path
    model: str
    frames: int = 0
    painted: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {
            "written": [str(self.path)],
            "model": self.model,
            "frames": self.frames,
            "painted": self.painted,
            "seconds": round(self.seconds, 2),
            "notes": self.notes,
        }


@accept_old_names
def lipsync(
    video: str | Path,
    sound: str | Path,
    out: str | Path,
    model: str | Path,
    reference: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> LipSyncResult:
    """Make the lips of a speaker follow other audio, which replaces that of the video; marked as generated.

    The person seen largest and longest is painted. Frames without that face, and all that lies around the mouth, stay
    as they are. The audio begins with the video; where it is over, lips rest. Obtain the speaker's consent first.

    Args:
        video: of a person who speaks towards the camera.
        sound: file with speech, or a video with it.
        out: the video to write (-o), .mp4 .mov .m4v or .mkv.
        model: folder that `kinoscope train lipsync` wrote; it paints well only whom it has learned from.
        reference: another video of the person, in the same light, to take images of the mouth from; the video itself if
            not given.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        SourceError: there is no face, or no sound.
        ModelError: the painter cannot be used.
        OutputError: the video cannot be written.
    """
    path, inputs = Path(out), [Address(one) for one in (video, sound, reference) if one]
    choose_device(device)
    _demand_video(path)
    with claim_output(path, command_id("lipsync", inputs), inputs, overwrite=overwrite):
        return _lipsync(inputs, path, model, device, quiet)


def _lipsync(inputs: Sequence[Address], path: Path, model: str | Path, device: str, quiet: bool) -> LipSyncResult:
    from kinoscope.models.inference.lipsync import LipSyncModel

    began = time.perf_counter()
    (video, sound), more = inputs[:2], next(iter(inputs[2:]), None)
    painter = LipSyncModel(Path(model), device)
    voice, start = load_speech(sound)
    ways = _ways(video, quiet)
    seen = _looks(more or video, _ways(more, quiet) if more else ways, quiet)
    done = LipSyncResult(path, str(model))
    if voice.seconds < ways[-1].times[-1] - ways[0].times[0]:
        done.notes.append(f"{sound} lasts {voice.seconds:.1f} s, the video longer: lips rest from there on")
    _write(done, video, sound, start, LipSyncPlan(painter, voice, ways, seen), quiet)
    done.seconds = time.perf_counter() - began
    return done


def _demand_video(path: Path) -> None:
    """Demand that what is written is a video.

    Raises:
        OptionError: its ending says that it is none.
    """
    from kinoscope.source.encode.writer import VIDEO_SUFFIXES

    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise OptionError(f"cannot write {path}: give a name that ends in {', '.join(VIDEO_SUFFIXES)}")


@dataclass(frozen=True)
class VoiceAudio:
    """A voice: ``around`` gives its log-mel around times in seconds from its begin; it lasts ``seconds``."""

    hearing: Any
    start: float
    seconds: float

    def around(self, times: np.ndarray) -> Any:
        """Give log-mel (N, 53, 40)."""
        return self.hearing.around(times + self.start)


def load_speech(path: str) -> tuple[VoiceAudio, Fraction]:
    """Read a sound; give it, and the time at which its file begins.

    Raises:
        SourceError: there is none.
    """
    from kinoscope.core.media import Audio
    from kinoscope.core.signal.mel import SAMPLE_RATE
    from kinoscope.models.inference.lipsync import NormalizedMel
    from kinoscope.source import open_source

    with open_source(path) as source:
        if not source.info.has_audio:
            raise SourceError(f"{path} has no sound for lips to follow; give a file with speech")
        start = source.info.start
        sounds: list[Audio] = [one for one in source.read(False, (SAMPLE_RATE,)) if isinstance(one, Audio)]
    return VoiceAudio(NormalizedMel(sounds), float(start), float(sounds[-1].end - start)), start


def _ways(path: str, quiet: bool) -> list[FaceTrajectory]:
    """Follow the face that is to be painted.

    Raises:
        SourceError: there is none.
    """
    from kinoscope.models.inference.face_compositor import track_face
    from kinoscope.models.inference.mouth_tracker import FaceTracker
    from kinoscope.source import open_source

    with open_source(path) as source, bar("follow", quiet) as report:
        ways = track_face(source, FaceTracker(), _clock(source, report))
    if not ways:
        raise SourceError(f"{path} shows no face that could be painted; give a video of one who speaks to the camera")
    return sorted(ways, key=lambda way: float(way.times[0]))


def _clock(source: Source, report: ProgressCallback | None) -> Any:
    """Give what is called with the time of a picture, to tell how much is done."""
    whole = float(source.info.duration) if source.info.duration else None
    return (lambda now: report(now - float(source.info.start), whole)) if report else None


def _looks(path: str, ways: Sequence[FaceTrajectory], quiet: bool) -> ReferenceFrames:
    from kinoscope.models.inference.lipsync import collect_references
    from kinoscope.source import open_source

    with open_source(path) as source, bar("look", quiet) as report:
        clock = _clock(source, report) or (lambda now: None)
        return collect_references(ways, _shown(source, clock))


def _shown(source: Source, clock: Any) -> Iterator[tuple[float, Any]]:
    """Yield time and pixels of each picture, made only when they are asked for."""
    for picture in source.lazy_frames():
        clock(float(picture.time))
        yield float(picture.time), picture.pixels


class LipSyncPlan:
    """Where lips are to be in each picture that shows the face, and how they are painted there.

    Args:
        ways: of the face, in order of time. looks: of the person.
    """

    def __init__(
        self,
        painter: LipSyncModel,
        voice: VoiceAudio,
        ways: Sequence[FaceTrajectory],
        looks: ReferenceFrames,
        start: float = 0.0,
    ) -> None:
        from kinoscope.models.inference.face_compositor import FaceCompositor

        self.painter, self.voice, self.ways, self.looks = painter, voice, ways, looks
        self._at = {time: (number, i) for number, way in enumerate(ways) for i, time in enumerate(way.times.tolist())}
        self._layers = [FaceCompositor() for _ in ways]
        self._places: dict[int, tuple[Any, Any]] = {}
        self._before: int | None = None
        self.start = start

    def __contains__(self, frame: Frame) -> bool:
        return float(frame.time) in self._at

    def paint(self, frames: Sequence[Frame]) -> list[Frame]:
        """Paint pictures that follow each other; those without the face are given back as they are."""
        import numpy as np

        from kinoscope.core.media import Frame
        from kinoscope.models.inference.face_compositor import crop_face

        rows = [(n, *self._at[float(frame.time)]) for n, frame in enumerate(frames) if frame in self]
        if not rows:
            return list(frames)
        faces = np.stack([crop_face(frames[n].pixels, self.ways[w].into[i]) for n, w, i in rows])
        places, heard = (np.stack([self._driven(w)[part][i] for _, w, i in rows]) for part in (0, 1))
        picks = [self._pick(places[k], float(self.ways[w].times[i])) for k, (_, w, i) in enumerate(rows)]
        made = self.painter.paint(faces, places, self.looks, picks, heard)
        done = list(frames)
        for k, (n, w, i) in enumerate(rows):
            lips = (places[k], self.ways[w].places[i])
            pixels = self._layers[w].lay(frames[n].pixels, made[k], self.ways[w].into[i], lips)
            done[n] = Frame(pixels, frames[n].time, frames[n].index, frames[n].duration)
        return done

    def _pick(self, place: Any, time: float) -> list[int]:
        picks = self.looks.like(place, time, before=self._before)
        self._before = picks[0]
        return picks

    def _driven(self, number: int) -> tuple[Any, Any]:
        """Give where the points of a way are to lie, (T, 61, 2), and what else is heard, (T, 32); kept for one way."""
        from kinoscope.models.inference.face_compositor import smooth_over_time

        if number not in self._places:
            way = self.ways[number]
            moved, rest = self.painter.hear(self.voice.around(way.times - self.start))
            calm = smooth_over_time(way.times, moved.astype("float64"), MOUTH_SMOOTHING_SECONDS)
            places = way.placed((way.rest + calm).astype("float32"), slice(None))
            self._places = {number: (places, rest)}
        return self._places[number]


def _write(done: LipSyncResult, video: str, sound: str | Path, start: Fraction, plan: LipSyncPlan, quiet: bool) -> None:
    """Read the video once more and write it painted, its times moved so that it begins with the sound."""
    from kinoscope.source import open_source
    from kinoscope.source.encode.writer import Writer

    made_by = f"lips painted by {Path(done.model).resolve().name} to {short_name(sound)}"
    with open_source(video) as source, bar("paint", quiet) as report:
        clock = _clock(source, report) or (lambda now: None)
        info, moved = source.info, start - source.info.start
        plan.start = float(info.start)
        with Writer(done.path, info.size, info.rate, sound, made_by=made_by) as writer:
            for frames in _batches(source.frames()):
                for frame in plan.paint(frames):
                    writer.write(_moved(frame, moved))
                done.frames += len(frames)
                done.painted += sum(frame in plan for frame in frames)
                clock(float(frames[-1].time))


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, BATCH_FRAMES)):
        yield batch


def _moved(frame: Frame, by: Fraction) -> Frame:
    return replace(frame, time=frame.time + by)
