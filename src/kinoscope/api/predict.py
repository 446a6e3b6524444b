"""``kinoscope predict``: the next frames of a video, predicted by a trained network and marked as generated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.addresses import Address
from kinoscope.core.errors import SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.validation import require_number
from kinoscope.pipeline import inputs
from kinoscope.pipeline.arguments import choose_device

if TYPE_CHECKING:
    from kinoscope.core.media import Pixels, Size
    from kinoscope.models.trainable.predictors import PredictorMetadata
    from kinoscope.source.base import LazyFrame, Source

READ_MARGIN_SECONDS = 2
"""Time by which reading begins before the needed frames: the declared duration of a video is not always right."""


@dataclass
class PredictResult:
    """Predicted frames.

    Attributes:
        path: the written file.
        model: folder of the predictor.
        read, frames: the number of frames read, and of frames predicted.
        rate: frames per second of both.
        seconds: processing time.
        notes: remarks for viewers.
    """

    path: Path
    model: str
    read: int
    frames: int
    rate: float
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        return {
            "written": [str(self.path)],
            "model": self.model,
            "read": self.read,
            "frames": self.frames,
            "rate": self.rate,
            "seconds": round(self.seconds, 2),
            "notes": self.notes,
        }


@accept_old_names
def predict(
    model: str | Path,
    video: str | Path,
    out: str | Path,
    frames: int | None = None,
    include_input: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> PredictResult:
    """Predict the next frames of a video from its last ones, and write them, marked as generated.

    The future is seldom certain, and the mean of what may follow is predicted: later frames are blurrier.

    Args:
        model: folder that `kinoscope train predict` wrote.
        video: a video, a strip of square frames or a folder of frames.
        out: file to write (-o): .mp4 .mov .m4v .mkv, .gif, or images as name-%05d.png.
        frames: number of frames to predict; as many as the model predicts at once if not given. For more, it reads
            what it predicted.
        include_input: also write the frames that were read, before the predicted ones.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: has no effect, as there is no progress to show; other verbs have it too.

    Raises:
        OptionError: an option cannot be used.
        SourceError: the video is too short, or has no end.
        ModelError: the model cannot be used.
        OutputError: it cannot be written.
    """
    from kinoscope.source.encode.writer import check_target

    began, path = time.perf_counter(), Path(out)
    require_number("frames", frames, 1, 10_000)
    choose_device(device)
    with claim_output(path, command_id("predict", [model, video]), inputs.files_of(str(video)), overwrite=overwrite):
        check_target(path)
        return _predict(model, video, path, frames, include_input, device, began)


def _predict(
    model: str | Path, video: str | Path, path: Path, frames: int | None, include_input: bool, device: str, began: float
) -> PredictResult:
    import numpy as np

    from kinoscope.models.trainable.predictors import load_predictor
    from kinoscope.source.encode.save_clip import save_clip

    predictor = load_predictor(model, device)
    metadata = predictor.metadata
    last_frames = read_last_frames(Address(video), metadata)
    context = _model_input(last_frames, metadata)
    predicted = predictor.predict(context[None], frames)[0]
    size = last_frames[-1].size
    shown = [frame.pixels(size) for frame in last_frames] if include_input else []
    origin = f"next frames predicted by {Path(model).resolve().name}"
    pixels = _resize_to_video((predicted * 255).round().astype("uint8"), size)
    save_clip(path, np.stack([*shown, *pixels]), metadata.rate, origin)
    seconds = time.perf_counter() - began
    result = PredictResult(path, str(model), len(context), len(predicted), metadata.rate, seconds)
    if len(predicted) > metadata.horizon:
        result.notes.append(
            f"the model predicts {metadata.horizon} frames; further ones are predicted from those it predicted"
        )
    return result


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


def _model_input(frames: list[LazyFrame], metadata: PredictorMetadata) -> Pixels:
    """Return frames as the model reads them, (T, S, S, C) uint8."""
    import numpy as np

    from kinoscope.imaging.augment import LUMA

    pixels = np.stack([frame.pixels((metadata.size, metadata.size)) for frame in frames])
    if metadata.channels == 3:
        return pixels
    return np.asarray((pixels @ LUMA).round()[..., None], np.uint8)


def _resize_to_video(frames: Pixels, size: Size) -> Pixels:
    """Return frames (T, S, S, C) as RGB in the size (width, height) of the video."""
    import numpy as np

    from kinoscope.imaging.augment import resize_clip

    return resize_clip(frames if frames.shape[-1] == 3 else np.repeat(frames, 3, -1), size)
