"""Models that generate frames, as ``kinoscope.load_model`` returns them: new clips, or the next frames of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.errors import SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.validation import require_number
from kinoscope.pipeline.evaluation.options import TEST_CLIPS, ScoredClipOptions
from kinoscope.pipeline.generation import CLIPS_AS_TRAINED, GeneratedClipOptions, sample_clips
from kinoscope.pipeline.inputs import one_source, release
from kinoscope.pipeline.loaded_model import LoadedModel, frames_of

if TYPE_CHECKING:
    from kinoscope.results.evaluate import EvaluateResult
    from kinoscope.results.predict import PredictResult
    from kinoscope.source.names import SourceObject


class Generator(LoadedModel):
    """A generator of clips.

    Attributes:
        metadata: of the model: ``frames`` of ``size`` x ``size`` pixels at ``rate``, as in training.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        from kinoscope.models.trainable.generators import TrainedGenerator

        self._generator = TrainedGenerator(reference, device)
        self.metadata = self._generator.metadata
        name, labels = self._generator.folder.resolve().name, self.metadata.classes
        super().__init__(name, reference, device, labels, self._generator.runtime)

    def __call__(self, n: int = 1, seed: int = 0, clips: GeneratedClipOptions = CLIPS_AS_TRAINED) -> Pixels:
        """Return new clips (N, T, H, W, 3) uint8 RGB.

        Args:
            n: number of clips.
            seed: the same seed generates the same clips; a smaller n generates the first of them.
            clips: their classes, length, rate and truncation; ``enlarge`` has no effect.

        Raises:
            OptionError: an option cannot be used, or there is no such class.
        """
        with self._lock:
            return sample_clips(self._generator, n, seed=seed, clips=clips)

    def evaluate(
        self,
        data: str | Path,
        *,
        compare: str | None = None,
        features: str | None = None,
        classifier: str | None = None,
        clips: ScoredClipOptions = TEST_CLIPS,
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> EvaluateResult:
        """Return the scores of generated clips against real ones, as ``kinoscope.evaluate`` does."""
        from kinoscope.pipeline.evaluation.run import evaluate_model

        return evaluate_model(
            self.reference, data, compare=compare, features=features, classifier=classifier, clips=clips, out=out,
            overwrite=overwrite, device=self.device,
        )  # fmt: skip


class FramePredictor(LoadedModel):
    """A network that predicts the next frames of a video.

    Attributes:
        metadata: of the model: ``context`` frames are read, and ``horizon`` frames predicted at once, at ``rate``.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        from kinoscope.models.trainable.predictors import load_predictor

        self._predictor = load_predictor(reference, device)
        self.metadata = self._predictor.metadata
        super().__init__(Path(reference).resolve().name, reference, device)

    def __call__(self, frames: Any, count: int | None = None) -> Pixels:
        """Return the frames that follow a clip, (count, H, W, 3) uint8 RGB in its size.

        Args:
            frames: uint8 RGB (T, H, W, 3) at the rate of the model, or an iterable of frames of one size.
            count: number of frames; as many as the model predicts at once if None.

        Raises:
            SourceError: there are fewer frames than the model reads, they have several sizes, or one has another type
                or shape.
        """
        from kinoscope.pipeline.prediction import predict_next_frames

        require_number("count", count, 1)
        clip = _stack(frames_of(frames))
        with self._lock:
            return predict_next_frames(self._predictor, clip, count)

    def predict(
        self,
        video: SourceObject,
        *,
        frames: int | None = None,
        out: str | Path | None = None,
        include_input: bool = False,
        overwrite: bool = False,
    ) -> PredictResult:
        """Return the next frames of a video (``pixels``), as ``kinoscope.predict`` does; ``out`` is a file for them."""
        from kinoscope.pipeline.prediction import predict_video

        require_number("frames", frames, 1)
        return release(predict_video(
            self.reference, one_source(video, strips=True), out=out, frames=frames, include_input=include_input,
            overwrite=overwrite, device=self.device,
        ))  # fmt: skip


def _stack(frames: list[Pixels]) -> Pixels:
    """Return frames of one size as an array (T, H, W, 3)."""
    sizes = sorted({(frame.shape[1], frame.shape[0]) for frame in frames})
    if len(sizes) > 1:
        first, second = (f"{width}x{height}" for width, height in sizes[:2])
        raise SourceError(f"the frames have several sizes, such as {first} and {second}; give frames of one size")
    return np.stack(frames) if frames else np.zeros((0, 1, 1, 3), np.uint8)
