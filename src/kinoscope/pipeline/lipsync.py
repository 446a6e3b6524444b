"""Lip synchronization of the speaker of a video to other audio; the written video is marked as generated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import OptionError, SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.results.lipsync import LipSyncResult
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    import numpy as np

    from kinoscope.core.media import Audio, Frame, Pixels
    from kinoscope.models.inference.face_compositor import FaceTrajectory
    from kinoscope.models.inference.lipsync import LipSyncModel, ReferenceFrames
    from kinoscope.source.base import Source

BATCH_FRAMES = 8
"""Frames that are painted at once and held in memory."""

MOUTH_SMOOTHING_SECONDS = 0.02
"""Standard deviation of the Gaussian filter over the trajectory of the driven landmarks."""


def synchronize_lips(
    video: str | Path,
    audio: str | Path,
    out: str | Path,
    model: str | Path,
    reference: str | Path | None = None,
    *,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = True,
) -> LipSyncResult:
    """Write a video whose lips follow other audio, which replaces that of the video; marked as generated.

    Args:
        video: of a person who speaks towards the camera.
        audio: file with speech, or a video with it.
        out: the video to write.
        model: folder of a trained model.
        reference: another video of the person to take images of the mouth from; the video itself if None.

    Raises:
        OptionError: the ending of ``out`` is not that of a video.
        SourceError: there is no face, or no audio.
        ModelError: the model cannot be used.
        OutputError: the video cannot be written.
    """
    path, inputs = Path(out), [Address(name) for name in (video, audio, reference) if name]
    _demand_video(path)
    with claim_output(path, command_id("lipsync", inputs), inputs, overwrite=overwrite):
        return _synchronize(inputs, path, model, device, quiet)


def _demand_video(path: Path) -> None:
    """Raise OptionError unless the ending of the output is that of a video."""
    from kinoscope.source.encode.writer import VIDEO_SUFFIXES

    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise OptionError(f"cannot write {path}: give a name that ends in {', '.join(VIDEO_SUFFIXES)}")


def _synchronize(inputs: Sequence[Address], path: Path, model: str | Path, device: str, quiet: bool) -> LipSyncResult:
    """Write the video with painted lips.

    Args:
        inputs: the video, the audio and, if there is one, the reference.
    """
    from kinoscope.models.inference.lipsync import LipSyncModel

    began = time.perf_counter()
    (video, audio), reference = inputs[:2], next(iter(inputs[2:]), None)
    generator = LipSyncModel(Path(model), device)
    speech, start = load_speech(audio)
    trajectories = _track_face(video, quiet)
    reference_trajectories = _track_face(reference, quiet) if reference else trajectories
    references = _collect_references(reference or video, reference_trajectories, quiet)
    result = LipSyncResult(video, str(model), written=[path])
    if speech.seconds < trajectories[-1].times[-1] - trajectories[0].times[0]:
        result.notes.append(f"{audio} lasts {speech.seconds:.1f} s, the video longer: lips rest from there on")
    _write(result, path, audio, start, LipSyncPlan(generator, speech, trajectories, references), quiet)
    result.seconds = time.perf_counter() - began
    return result


@dataclass(frozen=True)
class VoiceAudio:
    """The log-mel spectrogram of speech.

    Attributes:
        mel: the spectrogram of the file.
        start: presentation time of the file's beginning, in seconds.
        seconds: duration from there to the end of the audio.
    """

    mel: Any
    start: float
    seconds: float

    def around(self, times: np.ndarray) -> Any:
        """Return log-mel windows (N, 53, 40) around N times, in seconds from the beginning of the file."""
        return self.mel.around(times + self.start)


def load_speech(path: str) -> tuple[VoiceAudio, Fraction]:
    """Load the audio of a file, and return it with the presentation time at which the file begins.

    Raises:
        SourceError: the file has no audio.
    """
    from kinoscope.core.media import Audio
    from kinoscope.core.signal.mel import SAMPLE_RATE
    from kinoscope.models.inference.lipsync import NormalizedMel
    from kinoscope.source import open_source

    with open_source(path) as source:
        if not source.info.has_audio:
            raise SourceError(f"{path} has no audio for lips to follow; give a file with speech")
        start = source.info.start
        chunks: list[Audio] = [item for item in source.read(False, (SAMPLE_RATE,)) if isinstance(item, Audio)]
    return VoiceAudio(NormalizedMel(chunks), float(start), float(chunks[-1].end - start)), start


def _track_face(path: str, quiet: bool) -> list[FaceTrajectory]:
    """Return the trajectories of the face to be painted, in order of time.

    Raises:
        SourceError: the video shows no face.
    """
    from kinoscope.models.inference.face_compositor import track_face
    from kinoscope.models.inference.mouth_tracker import FaceTracker
    from kinoscope.source import open_source

    with open_source(path) as source, bar("track", quiet) as progress:
        trajectories = track_face(source, FaceTracker(), _progress_by_time(source, progress))
    if not trajectories:
        raise SourceError(f"{path} shows no face that could be painted; give a video of one who speaks to the camera")
    return sorted(trajectories, key=lambda trajectory: float(trajectory.times[0]))


def _progress_by_time(source: Source, progress: ProgressCallback | None) -> Callable[[float], None] | None:
    """Return a callback that takes the time of a frame in seconds and reports progress; None without progress."""
    if progress is None:
        return None
    start, duration = float(source.info.start), float(source.info.duration) if source.info.duration else None
    return lambda time: progress(time - start, duration)


def _collect_references(path: str, trajectories: Sequence[FaceTrajectory], quiet: bool) -> ReferenceFrames:
    """Return images of the person's mouth from a video whose face trajectories are known."""
    from kinoscope.models.inference.lipsync import collect_references
    from kinoscope.source import open_source

    with open_source(path) as source, bar("reference", quiet) as progress:
        return collect_references(trajectories, _timed_frames(source, _progress_by_time(source, progress)))


def _timed_frames(
    source: Source, on_time: Callable[[float], None] | None
) -> Iterator[tuple[float, Callable[..., Pixels]]]:
    """Yield the time of each frame in seconds, and the function that converts its pixels."""
    for frame in source.lazy_frames():
        if on_time:
            on_time(float(frame.time))
        yield float(frame.time), frame.pixels


class LipSyncPlan:
    """The mouth landmarks and the painted mouth of each frame that shows the face.

    Args:
        generator: paints the mouth.
        speech: that lips follow.
        trajectories: of the face, in order of time.
        references: images of the person's mouth.
        start: presentation time of the video's beginning, in seconds.
    """

    def __init__(
        self,
        generator: LipSyncModel,
        speech: VoiceAudio,
        trajectories: Sequence[FaceTrajectory],
        references: ReferenceFrames,
        start: float = 0.0,
    ) -> None:
        from kinoscope.models.inference.face_compositor import FaceCompositor

        self.generator, self.speech, self.references = generator, speech, references
        self.trajectories = trajectories
        self._index_of_time = {
            time: (number, i)
            for number, trajectory in enumerate(trajectories)
            for i, time in enumerate(trajectory.times.tolist())
        }
        self._compositors = [FaceCompositor() for _ in trajectories]
        self._driven: dict[int, tuple[Any, Any]] = {}
        self._last_reference: int | None = None
        self.start = start

    def __contains__(self, frame: Frame) -> bool:
        return float(frame.time) in self._index_of_time

    def paint(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return consecutive frames with the mouth painted; those without the face are returned unchanged."""
        import numpy as np

        from kinoscope.core.media import Frame
        from kinoscope.models.inference.face_compositor import crop_face

        rows = [(n, *self._index_of_time[float(frame.time)]) for n, frame in enumerate(frames) if frame in self]
        if not rows:
            return list(frames)
        faces = np.stack([crop_face(frames[n].pixels, self.trajectories[t].transforms[i]) for n, t, i in rows])
        landmarks, codes = (np.stack([self._drive(t)[part][i] for _, t, i in rows]) for part in (0, 1))
        times = [float(self.trajectories[t].times[i]) for _, t, i in rows]
        picks = [self._pick_references(*pair) for pair in zip(landmarks, times, strict=True)]
        mouths = self.generator.generate(faces, landmarks, self.references, picks, codes)
        painted = list(frames)
        for k, (n, t, i) in enumerate(rows):
            trajectory = self.trajectories[t]
            lips = (landmarks[k], trajectory.landmarks[i])
            pixels = self._compositors[t].blend(frames[n].pixels, mouths[k], trajectory.transforms[i], lips)
            painted[n] = Frame(pixels, frames[n].time, frames[n].index, frames[n].duration)
        return painted

    def _pick_references(self, landmarks: Any, time: float) -> list[int]:
        """Return the numbers of the references whose mouth is most similar, with preference for the last one."""
        picks = self.references.select(landmarks, time, previous=self._last_reference)
        self._last_reference = picks[0]
        return picks

    def _drive(self, number: int) -> tuple[Any, Any]:
        """Return the landmarks (T, 61, 2) that the speech drives, and its remaining code (T, 32), of a trajectory.

        Those of the last trajectory are cached.
        """
        from kinoscope.models.inference.face_compositor import smooth_over_time

        if number not in self._driven:
            trajectory = self.trajectories[number]
            shift, code = self.generator.predict_motion(self.speech.around(trajectory.times - self.start))
            smoothed = smooth_over_time(trajectory.times, shift.astype("float64"), MOUTH_SMOOTHING_SECONDS)
            landmarks = trajectory.project((trajectory.rest_points + smoothed).astype("float32"), slice(None))
            self._driven = {number: (landmarks, code)}
        return self._driven[number]


def _write(result: LipSyncResult, path: Path, audio: str, start: Fraction, plan: LipSyncPlan, quiet: bool) -> None:
    """Read the source again and write it painted, its times shifted so that it begins with the audio at ``start``."""
    from kinoscope.source import open_source
    from kinoscope.source.encode.writer import Writer

    origin = f"lips painted by {Path(result.model).resolve().name} to {short_name(audio)}"
    with open_source(result.source) as source, bar("paint", quiet) as progress:
        on_time = _progress_by_time(source, progress)
        info, shift = source.info, start - source.info.start
        plan.start = float(info.start)
        with Writer(path, info.size, info.rate, audio, generated_by=origin) as writer:
            for frames in _batches(source.frames()):
                for frame in plan.paint(frames):
                    writer.write(replace(frame, time=frame.time + shift))
                result.frames += len(frames)
                result.painted += sum(frame in plan for frame in frames)
                if on_time:
                    on_time(float(frames[-1].time))


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    while batch := list(islice(frames, BATCH_FRAMES)):
        yield batch
