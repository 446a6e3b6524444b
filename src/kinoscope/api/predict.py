"""``kinoscope predict``: how a video goes on, as a network that learned from others tells it; marked as generated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.api.arguments import choose_device
from kinoscope.core.addresses import Address
from kinoscope.core.errors import SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.validation import require_number
from kinoscope.pipeline import inputs

if TYPE_CHECKING:
    from kinoscope.core.media import Pixels, Size
    from kinoscope.models.trainable.predictors import PredictorMetadata
    from kinoscope.source.base import LazyFrame, Source

READ_MARGIN_SECONDS = 2
"""Seconds before those that are needed from which a video is read: what it says of its length is not always so."""


@dataclass
class PredictResult:
    """What was made.

    Attributes:
        path: what was written. model: folder of the predictor.
        read, frames: how many frames were read, and how many told. rate: of both, a second.
        seconds: that it took. notes: what a viewer should know.
    """

    path: Path
    model: str
    read: int
    frames: int
    rate: float
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {
            "written": [str(self.path)],
            "model": self.model,
            "read": self.read,
            "frames": self.frames,
            "rate": self.rate,
            "seconds": round(self.seconds, 2),
            "notes": self.notes,
        }


def predict(
    model: str | Path,
    video: str | Path,
    out: str | Path,
    frames: int | None = None,
    given: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> PredictResult:
    """Predict how a video goes on: read its last frames, and write the next ones, marked as generated.

    What follows is seldom certain, and the mean of what may follow is predicted: the later, the more it blurs.

    Args:
        model: folder that `kinoscope train predict` wrote.
        video: a video, a strip of square frames or a folder of frames.
        out: file to write (-o): .mp4 .mov .m4v .mkv, .gif, or images as name-%05d.png.
        frames: number of frames to predict; as many as the model predicts at once if not given. For more, it reads
            what it predicted.
        given: also write the frames that were read, before the predicted ones.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: taken as by other verbs; there is no progress to show.

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
        return _predict(model, video, path, frames, given, device, began)


def _predict(
    model: str | Path, video: str | Path, path: Path, frames: int | None, given: bool, device: str, began: float
) -> PredictResult:
    import numpy as np

    from kinoscope.models.trainable.predictors import load_predictor
    from kinoscope.source.encode.save_clip import save_clip

    predictor = load_predictor(model, device)
    facts = predictor.facts
    pictures = read_last_frames(Address(video), facts)
    read = _seen(pictures, facts)
    told = predictor.go_on(read[None], frames)[0]
    made = (told * 255).round().astype("uint8")
    size = pictures[-1].size
    shown = [picture.pixels(size) for picture in pictures] if given else []
    made_by = f"next frames told by {Path(model).resolve().name}"
    save_clip(path, np.stack([*shown, *_stretched(made, size)]), facts.rate, made_by)
    done = PredictResult(path, str(model), len(read), len(told), facts.rate, time.perf_counter() - began)
    if len(told) > facts.after:
        done.notes.append(f"the model tells {facts.after} frames; further ones are made from those it told")
    return done


def read_last_frames(path: str, facts: PredictorMetadata) -> list[LazyFrame]:
    """Give what is on screen at the last moments of a video, as many as a model reads and as far apart.

    Raises:
        SourceError: it is too short, or has no end.
    """
    step = 1 / Fraction(facts.rate).limit_denominator(1001)
    need = (facts.before - 1) * step
    found: list[LazyFrame] = []
    for source in _from_late(path, need):
        found = _tail(source, need)
        if found and found[-1].time - found[0].time >= need:
            break
    if not found or found[-1].time - found[0].time < need:
        lasts = float(found[-1].time - found[0].time + step) if found else 0
        raise SourceError(
            f"{path} lasts {lasts:.2g} s, and the model reads {facts.before} frames at {facts.rate:g} a second; "
            f"give {float(need + step):.2g} s or more"
        )
    from kinoscope.source.base import frames_on_screen

    times = [found[-1].time - (facts.before - 1 - number) * step for number in range(facts.before)]
    return list(frames_on_screen(found, times))


def _from_late(path: str, need: Fraction) -> Iterator[Source]:
    """Yield the video from shortly before what is needed on, then, where that was not enough, from its beginning."""
    from kinoscope.source import open_clip

    with open_clip(path) as source:
        info = source.info
        if info.live or not info.width:
            raise SourceError(f"{path} has no {'end' if info.live else 'picture'}; give a video that has both")
        late = info.start + (info.duration or 0) - need - READ_MARGIN_SECONDS
    if late > info.start:
        with open_clip(path, late) as source:
            yield source
    with open_clip(path) as source:
        yield source


def _tail(source: Source, need: Fraction) -> list[LazyFrame]:
    """Give the last pictures of a source that reach back as far as is needed."""
    kept: list[LazyFrame] = []
    for picture in source.lazy_frames():
        kept.append(picture)
        while len(kept) > 1 and kept[1].time <= picture.time - need:
            kept.pop(0)
    return kept


def _seen(pictures: list[LazyFrame], facts: PredictorMetadata) -> Pixels:
    """Give pictures as the model sees them, (T, S, S, C)."""
    import numpy as np

    from kinoscope.imaging.augment import LUMA

    frames = np.stack([picture.pixels((facts.size, facts.size)) for picture in pictures])
    if facts.channels == 3:
        return frames
    return np.asarray((frames @ LUMA).round()[..., None], np.uint8)


def _stretched(frames: Pixels, size: Size) -> Pixels:
    """Give frames (T, S, S, C) in colour and in the size of the video."""
    import numpy as np

    from kinoscope.imaging.augment import resize_clip

    return resize_clip(frames if frames.shape[-1] == 3 else np.repeat(frames, 3, -1), size)
