"""Prediction of the next frames of a video, or of a clip in memory, by a trained network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.addresses import Address
from kinoscope.core.errors import SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.media import Pixels, Size
from kinoscope.pipeline import inputs
from kinoscope.results.predict import PredictResult

if TYPE_CHECKING:
    from kinoscope.models.trainable.predictors import Predictor, PredictorMetadata
    from kinoscope.source.base import LazyFrame, Source

READ_MARGIN_SECONDS = 2
"""Time by which reading begins before the needed frames: the declared duration of a video is not always right."""


def predict_next_frames(predictor: Predictor, clip: Pixels, count: int | None = None) -> Pixels:
    """Return the frames that follow a clip in memory, (count, H, W, 3) uint8 RGB in the size of the clip.

    Args:
        predictor: as ``load_predictor`` returns it.
        clip: (T, H, W, 3) uint8 RGB at the frame rate of the model, of which the last frames are read.
        count: number of frames; as many as the model predicts at once if None.

    Raises:
        SourceError: the clip has fewer frames than the model reads.
    """
    from kinoscope.imaging.augment import resize_clip

    context, side = predictor.metadata.context, predictor.metadata.size
    if len(clip) < context:
        raise SourceError(f"the clip has {len(clip)} frames, and the model reads {context}; give {context} or more")
    height, width = clip.shape[1:3]
    return _predict(predictor, resize_clip(clip[-context:], (side, side)), count, (width, height))


def predict_video(
    model: str | Path,
    video: str | Path,
    *,
    out: str | Path | None = None,
    frames: int | None = None,
    include_input: bool = False,
    overwrite: bool = False,
    device: str = "auto",
) -> PredictResult:
    """Predict the next frames of a video from its last ones, and write them, marked as generated.

    Args:
        model: folder of a trained predictor.
        video: a video, a strip of square frames or a folder of frames.
        out: the file to write; None writes nothing.
        frames: number of frames; as many as the model predicts at once if None.
        include_input: also write the frames that were read, before the predicted ones.

    Raises:
        OptionError: the ending of ``out`` is unknown.
        SourceError: the video is too short, or has no end.
        ModelError: the model cannot be used.
        OutputError: the file cannot be written.
    """
    from kinoscope.models.trainable.predictors import load_predictor

    began = time.perf_counter()
    with nullcontext() if out is None else _claimed(model, video, Path(out), overwrite):
        predictor = load_predictor(model, device)
        last_frames = read_last_frames(Address(video), predictor.metadata)
        size = last_frames[-1].size
        predicted = _predict(predictor, _model_input(last_frames, predictor.metadata.size), frames, size)
        written = [] if out is None else [Path(out)]
        if out is not None:
            shown = [frame.pixels(size) for frame in last_frames] if include_input else []
            _save(model, Path(out), np.stack([*shown, *predicted]), predictor.metadata.rate)
        return _result(Address(video), model, predictor.metadata, predicted, written, time.perf_counter() - began)


@contextmanager
def _claimed(model: str | Path, video: str | Path, out: Path, overwrite: bool) -> Iterator[None]:
    """Claim the file to write, before anything is read."""
    from kinoscope.source.encode.writer import check_target

    with claim_output(out, command_id("predict", [model, video]), inputs.files_of(str(video)), overwrite=overwrite):
        check_target(out)
        yield


def _save(model: str | Path, out: Path, frames: Pixels, rate: float) -> None:
    """Write frames (T, H, W, 3), marked as generated."""
    from kinoscope.source.encode.save_clip import save_clip

    save_clip(out, frames, rate, f"next frames predicted by {Path(model).resolve().name}")


def _result(
    video: str,
    model: str | Path,
    metadata: PredictorMetadata,
    predicted: Pixels,
    written: list[Path],
    seconds: float,
) -> PredictResult:
    """Return the result, with a note if some frames are predicted from predicted ones."""
    count = len(predicted)
    result = PredictResult(
        video, str(model), metadata.context, count, metadata.rate, seconds, pixels=predicted, written=written
    )
    if count > metadata.horizon:
        result.notes.append(
            f"the model predicts {metadata.horizon} frames; further ones are predicted from those it predicted"
        )
    return result


def _predict(predictor: Predictor, context: Pixels, count: int | None, size: Size) -> Pixels:
    """Return the frames that follow those that the model reads (T, S, S, 3), as RGB in ``size`` (width, height)."""
    from kinoscope.imaging.augment import LUMA, resize_clip

    if predictor.metadata.channels == 1:
        context = np.asarray((context @ LUMA).round()[..., None], np.uint8)
    predicted = (predictor.predict(context[None], count)[0] * 255).round().astype("uint8")
    return resize_clip(predicted if predicted.shape[-1] == 3 else np.repeat(predicted, 3, -1), size)


def read_last_frames(path: str, metadata: PredictorMetadata) -> list[LazyFrame]:
    """Return the last frames of a video, as many as a model reads and as far apart.

    Raises:
        SourceError: the video is too short, or has no end.
    """
    from kinoscope.source.base import frames_on_screen

    step = 1 / Fraction(metadata.rate).limit_denominator(1001)
    span = (metadata.context - 1) * step
    frames: list[LazyFrame] = []
    for source in _from_late(path, span):
        frames = _tail(source, span)
        if frames and frames[-1].time - frames[0].time >= span:
            break
    if not frames or frames[-1].time - frames[0].time < span:
        duration = float(frames[-1].time - frames[0].time + step) if frames else 0
        raise SourceError(
            f"{path} lasts {duration:.2g} s, and the model reads {metadata.context} frames at {metadata.rate:g} frames "
            f"per second; give {float(span + step):.2g} s or more"
        )
    times = [frames[-1].time - (metadata.context - 1 - number) * step for number in range(metadata.context)]
    return list(frames_on_screen(frames, times))


def _from_late(path: str, span: Fraction) -> Iterator[Source]:
    """Yield the video from shortly before its last ``span`` seconds, then, if that was too late, from its beginning."""
    from kinoscope.source import open_clip

    with open_clip(path) as source:
        info = source.info
        if info.live or not info.width:
            raise SourceError(f"{path} has no {'end' if info.live else 'frames'}; give a video that has both")
        late = info.start + (info.duration or 0) - span - READ_MARGIN_SECONDS
    if late > info.start:
        with open_clip(path, late) as source:
            yield source
    with open_clip(path) as source:
        yield source


def _tail(source: Source, span: Fraction) -> list[LazyFrame]:
    """Return the last frames of a source, which cover at least ``span`` seconds if the source does."""
    frames: list[LazyFrame] = []
    for frame in source.lazy_frames():
        frames.append(frame)
        while len(frames) > 1 and frames[1].time <= frame.time - span:
            frames.pop(0)
    return frames


def _model_input(frames: list[LazyFrame], side: int) -> Pixels:
    """Return frames in the size in which the model reads them, (T, S, S, 3) uint8."""
    return np.stack([frame.pixels((side, side)) for frame in frames])
