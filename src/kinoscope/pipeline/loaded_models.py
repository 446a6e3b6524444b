"""Classifiers, models of audio and lips, and all other networks, as ``kinoscope.load_model`` returns them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import ModelError, OptionError, SourceError
from kinoscope.core.media import Pixels
from kinoscope.core.validation import require_number
from kinoscope.models.registry import find
from kinoscope.pipeline.arguments import choose_time_range, split_names
from kinoscope.pipeline.evaluation.options import TEST_CLIPS, ScoredClipOptions
from kinoscope.pipeline.inputs import one_source, release
from kinoscope.pipeline.loaded_model import LoadedModel, frames_of, is_single, read_frames
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions

if TYPE_CHECKING:
    from kinoscope.results.classify import ClassifyResult
    from kinoscope.results.evaluate import EvaluateResult
    from kinoscope.results.explain import ExplainResult
    from kinoscope.results.sync import SyncResult
    from kinoscope.source.names import SourceObject


class Classifier(LoadedModel):
    """A classifier of clips.

    Attributes:
        card: of the model.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        from kinoscope.models.inference.classifier import find_classifier
        from kinoscope.models.runtime.runner import make_runner

        self.card = find_classifier(reference)
        self._runner = make_runner(self.card, device, threads=threads)
        super().__init__(self.card.name, reference, device, self.card.labels, self._runner.runtime)

    def __call__(self, clip: Any) -> dict[str, float]:
        """Return label -> probability of a clip, most probable first.

        Args:
            clip: uint8 RGB (T, H, W, 3), or an iterable of frames. As many frames as the network takes are selected,
                spread evenly over it; ``predict`` samples by time instead.

        Raises:
            SourceError: a frame has another type or shape.
        """
        (row,) = self.probabilities([clip])
        order = np.argsort(-row, kind="stable").tolist()
        return {self.labels[index]: float(row[index]) for index in order}

    def probabilities(self, clips: Any) -> Float64Array:
        """Return the calibrated probabilities (N, K) of clips, each (T, H, W, 3); see ``__call__``."""
        from kinoscope.models.inference.classifier import probabilities

        inputs = [self._input(clip) for clip in clips]
        if not inputs:
            return np.zeros((0, len(self.labels)))
        with self._lock:
            return probabilities(self.card, self._runner(np.stack(inputs))[-1])

    def _input(self, clip: Any) -> Pixels:
        """Return the network's input (T, H, W, 3) for a clip."""
        from kinoscope.models.inference.classifier import get_sampling

        sampling, frames = get_sampling(self.card), frames_of(clip)
        if not frames:
            raise OptionError("the clip has no frame; give an array (T, H, W, 3)")
        indices = ((np.arange(sampling.frames) + 0.5) * len(frames) / sampling.frames).astype(int).tolist()
        resized = {index: _resized(frames[index], sampling.size) for index in set(indices)}
        return np.stack([resized[index] for index in indices])

    def predict(
        self,
        source: SourceObject,
        *,
        top: int = 5,
        decoding: DecodingOptions = DECODE_ALL,
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> ClassifyResult:
        """Return the classes of a video, and those of its segments, as ``kinoscope.classify`` does."""
        from kinoscope.pipeline.classification import classify_each

        (result,) = classify_each(
            [one_source(source, strips=True)], self.reference, top=top, source_options=decoding.resolve(), out=out,
            overwrite=overwrite, device=self.device, quiet=True,
        )  # fmt: skip
        return release(result)

    def evaluate(
        self,
        data: str | Path,
        *,
        compare: str | None = None,
        clips: ScoredClipOptions = TEST_CLIPS,
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> EvaluateResult:
        """Return the scores on labelled clips or segments, as ``kinoscope.evaluate`` does; ``out`` is for its files."""
        from kinoscope.pipeline.evaluation.run import evaluate_model

        return evaluate_model(
            self.reference, data, compare=compare, clips=clips, out=out, overwrite=overwrite, device=self.device
        )

    def explain(
        self,
        clip: SourceObject,
        *,
        out: str | Path | None = None,
        method: str | Sequence[str] = "grad-cam,grad-cam++",
        target: str | None = None,
        start: str | float | None = None,
        overwrite: bool = False,
    ) -> ExplainResult:
        """Return an explanation of the class of a clip, as ``kinoscope.explain`` does; ``out`` is for its files."""
        from kinoscope.pipeline.explanation import explain_clip

        return release(explain_clip(
            self.reference, one_source(clip, strips=True), methods=split_names(method, "method"), target=target,
            start=choose_time_range(start)["start"], out=out, overwrite=overwrite, device=self.device,
        ))  # fmt: skip


class SyncModel(LoadedModel):
    """A model that measures the offset between audio and lips; any of the cards of the bundled one stands for it whole.

    Attributes:
        metadata: of the model: its streams, the calibration of their similarity, and scores.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        from kinoscope.models.inference.sync import BUNDLED, METADATA_FILE, folder_cards, read_sync_metadata

        self._model = reference if Path(reference).is_dir() and reference not in _sync_cards() else "auto"
        folder = BUNDLED if self._model == "auto" else Path(reference)
        if self._model != "auto":
            folder_cards(folder)  # a damaged folder is reported now
        self.metadata = read_sync_metadata(folder / METADATA_FILE)
        super().__init__(folder.resolve().name, reference, device)

    def predict(
        self, video: SourceObject, *, decoding: DecodingOptions = DECODE_ALL, audio_track: int | None = None
    ) -> SyncResult:
        """Return the offset of a video, and who speaks when, as ``kinoscope.sync`` does."""
        from kinoscope.pipeline.sync_measurement import measure, sync_options

        require_number("audio_track", audio_track, 0)
        source_options = decoding.resolve() | {"audio_track": audio_track}
        return release(measure(one_source(video), sync_options(source_options, self._model, self.device, quiet=True)))


def _sync_cards() -> list[str]:
    from kinoscope.models.registry import CARDS

    return [card.name for card in CARDS if card.task.startswith("sync-")]


class FeatureExtractor(LoadedModel):
    """Any other network: arrays in, named float32 arrays out.

    Attributes:
        card: of the model, with the axes of its input and outputs.
        outputs: names of the outputs.
    """

    def __init__(self, reference: str, device: str = "auto", threads: int | None = None) -> None:
        from kinoscope.models.runtime.runner import make_runner

        self.card = find(reference)
        if self.card.net is None:
            raise ModelError(
                f"{reference} does not run alone; give it to a verb, as in "
                f"kinoscope.analyze(video, tasks={self.card.task!r})"
            )
        self._runner = make_runner(self.card, device, threads=threads)
        self.outputs = self.card.output_names or tuple(f"output{index}" for index in range(len(self.card.outputs)))
        super().__init__(self.card.name, reference, device, self.card.labels, self._runner.runtime)

    def __call__(self, inputs: Any) -> dict[str, Float32Array]:
        """Return name -> output, each (N, ...), without N for a single input.

        Args:
            inputs: of a network of images a frame (H, W, 3), an array (N, H, W, 3) or an iterable of frames, which are
                resized; of a network of clips (N, T, H, W, 3) or one clip (T, H, W, 3); of a network of sentences a
                list of texts; otherwise an array with the axes of the card's input, and N before them.

        Raises:
            SourceError: there is no frame, or one has another type or shape.
            OptionError: the array has other axes than the network takes.
        """
        if self.card.task == "sentences":
            return self._embed_sentences([inputs] if isinstance(inputs, str) else list(inputs), isinstance(inputs, str))
        if len(self.card.input) == 3 and self.card.dtype == "uint8" and self.card.input[-1] == 3:
            frames = [_resized(frame, self.card.size) for frame in read_frames(inputs)]
            if not frames:
                raise SourceError("frames has no frame; give at least one")
            return self._run(np.stack(frames), is_single(inputs))
        array = np.asarray(inputs, self.card.dtype)
        is_one = array.ndim == len(self.card.input)
        return self._run(array[None] if is_one else array, is_one)

    def _run(self, array: Any, is_one: bool) -> dict[str, Float32Array]:
        try:
            with self._lock:
                outputs = self._runner(self._resize_clips(array))
        except ValueError as error:
            raise OptionError(str(error)) from None
        return {name: output[0] if is_one else output for name, output in zip(self.outputs, outputs, strict=True)}

    def _resize_clips(self, array: Any) -> Any:
        size = self.card.size
        if array.ndim != 5 or array.dtype != np.uint8 or len(self.card.input) != 4 or size is None:
            return array
        return np.stack([[_resized(frame, size) for frame in clip] for clip in array])

    def _embed_sentences(self, texts: list[str], is_one: bool) -> dict[str, Float32Array]:
        from kinoscope.models.inference.sentence_embedder import SentenceEmbedder

        vectors = SentenceEmbedder(self.card.name, self.device)(texts)
        return {self.outputs[0]: vectors[0] if is_one else vectors}


def _resized(frame: Pixels, size: tuple[int, int] | None) -> Pixels:
    from kinoscope.imaging.augment import resize_clip

    return frame if size is None else resize_clip(frame[None], size)[0]
