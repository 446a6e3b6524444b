"""Scores of a generator: how near its clips are to real ones, under a documented protocol."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.files import atomic_write, prepare_folder
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_number
from kinoscope.pipeline.evaluation.options import ClaimScores, ScoredClipOptions
from kinoscope.results.evaluate import EvaluateResult, GeneratorEvaluation
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.core.media import Pixels
    from kinoscope.models.trainable.generators import TrainedGenerator
    from kinoscope.training.data.dataset import Dataset
    from kinoscope.training.generation.metrics import ClipSet, Features, GenerationScores, Protocol

PAGE_CLIPS = 64
"""Generated clips on the page."""

PAIRS = 16
"""Generated clips on the page that are shown beside the nearest real one: those with the smallest distance."""

FRAME_FEATURES = "efficientnet-lite0"
"""Network of the frame features for content consistency, if it is cached."""


def evaluate_generator(
    model: str | Path,
    data: str | Path,
    *,
    compare: str | None,
    features: str | None,
    classifier: str | None,
    clips: ScoredClipOptions,
    claim: ClaimScores,
    device: str,
    quiet: bool,
) -> EvaluateResult:
    """Score a generator on real clips, and write scores.json, a page and clips; see ``run.evaluate_model``.

    Args:
        claim: claims the folder for the files.

    Raises:
        OptionError: there are too few clips, or a model or the scores to compare with cannot be used.
        DatasetError: there are no real clips, or too few.
    """
    from kinoscope.models.trainable.generators import TrainedGenerator
    from kinoscope.training.generation.metrics import demand_enough

    folder = claim()
    _demand_usable(clips.n, features, classifier, compare)
    generator = TrainedGenerator(model, device)
    real, dataset, unreadable = read_real(data, generator, clips.n, clips.group)
    demand_enough(len(real), clips.n)
    embeddings = _features(features, generator.metadata.rate, device)
    protocol = _protocol(generator, embeddings, dataset, len(real), clips.n, clips.seed)
    saved = _read_scores(compare, protocol) if compare and Path(compare).is_file() else None
    if folder is not None:
        prepare_folder(folder)
    recognizer = _features(classifier, generator.metadata.rate, device) if classifier else None
    scoring = _Scoring(real, embeddings, recognizer, device, clips.seed, clips.n, quiet)
    generated, scores = scoring.run(generator, protocol)
    evaluation = GeneratorEvaluation(model=generator.folder.resolve().name, scores=scores, unreadable=unreadable)
    if saved:
        evaluation.other_name, evaluation.other = saved
    elif compare:
        other = TrainedGenerator(compare, device)
        evaluation.other_name, evaluation.other = other.folder.resolve().name, scoring.run(other, protocol)[1].to_dict()
    written = [] if folder is None else _write(evaluation, generated, real, generator, folder)
    return EvaluateResult(str(data), evaluation.model, generation=evaluation, unreadable=unreadable, written=written)


def _demand_usable(n: int, features: str | None, classifier: str | None, compare: str | None) -> None:
    """Raise OptionError or ModelError for what cannot be used, before any clip is read."""
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.trainable.generators import find_generator
    from kinoscope.training.generation.metrics import MIN_CLIPS

    require_number("n", n, MIN_CLIPS)
    for name in filter(None, (features, classifier)):
        find_classifier(name)
    if compare and not Path(compare).is_file():
        find_generator(compare)


def read_real(
    data: str | Path, generator: TrainedGenerator, n: int, group: str = ""
) -> tuple[ClipSet, Dataset, dict[str, str]]:  # fmt: skip
    """Read about ``n`` real clips with the frames, rate and size of generated ones, spread evenly over all there are.

    Raises:
        DatasetError: there are none, or none is long enough.
    """
    import numpy as np

    from kinoscope.core.sampling import Sampling
    from kinoscope.training.data.loader import Loader
    from kinoscope.training.data.streams import describe_unreadable, read_clips
    from kinoscope.training.generation.metrics import ClipSet

    metadata = generator.metadata
    sampling = Sampling(metadata.frames, metadata.rate, (metadata.size, metadata.size))
    dataset, unreadable = read_clips(data, sampling, group=group)
    if not dataset.examples:
        raise DatasetError(f"{data} has no clip to compare with{describe_unreadable(unreadable)}")
    known = set(metadata.classes) == set(dataset.classes)
    examples = dataset.examples if known else [replace(one, labels=()) for one in dataset.examples]
    names = metadata.classes if known else ()
    loader = Loader(examples, names, sampling, batch=16, views=math.ceil(n / len(examples)), cache=False)
    batches = list(loader.epoch(0))
    unreadable |= loader.unreadable
    rows = [int(index) for batch in batches for index in batch.indices]
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.targets.argmax(1) for batch in batches]) if names else None
    groups = tuple(examples[row].group or examples[row].path for row in rows)
    return ClipSet(pixels=pixels, labels=labels, groups=groups), dataset, unreadable


def _features(name: str | None, rate: float, device: str) -> Features:
    """Return the network whose embeddings are compared: that of the name, or the best for action recognition."""
    from kinoscope.models import choose
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.runtime.runner import make_runner
    from kinoscope.training.generation.metrics import Features

    card = find_classifier(name or choose("actions").name)
    return Features(make_runner(card, device), rate)


def _protocol(
    generator: TrainedGenerator, features_network: Features, dataset: Dataset, real: int, n: int, seed: int
) -> Protocol:
    import av

    from kinoscope.training.generation.metrics import Protocol

    metadata = generator.metadata
    names = sorted(f"{Path(one.path).name} {_size(one.path)} {one.start} {one.end}" for one in dataset.examples)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return Protocol(
        features=features_network.card.name, digest=features_network.card.digest,
        data=f"{Path(dataset.root).resolve().name}@{digest}",
        real=real, generated=n, frames=metadata.frames, rate=metadata.rate, size=metadata.size,
        decoder=f"pyav-{av.__version__}", seed=seed,
    )  # fmt: skip


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _read_scores(path: str, protocol: Protocol) -> tuple[str, dict[str, Any]]:
    """Read scores to compare with, of the same protocol.

    Raises:
        OptionError: the file holds none, or those of another protocol.
    """
    try:
        plain = read_json(path, allow_nan=True)
        name, scores = plain["model"], plain["generation"]
    except (OSError, ValueError, KeyError, TypeError):
        raise OptionError(
            f"{path} holds no scores of a generator; give a scores.json that `kinoscope evaluate` wrote of one, or a "
            "generator's folder"
        ) from None
    protocol.demand_same(scores["protocol"])
    return name, scores


@dataclass
class _Scoring:
    """Scoring of generators under one protocol."""

    real: ClipSet
    features_network: Features
    classifier: Features | None
    device: str
    seed: int
    n: int
    quiet: bool

    def run(self, generator: TrainedGenerator, protocol: Protocol) -> tuple[ClipSet, GenerationScores]:
        from kinoscope.training.generation.metrics import ClipSet, score

        latents = generator.latents(self.n, self.seed)
        metadata = generator.metadata
        protocol.demand_same(asdict(replace(protocol, frames=metadata.frames, rate=metadata.rate, size=metadata.size)))
        generated = ClipSet(
            pixels=generator.clips(latents, generator.times()), labels=latents.labels if metadata.classes else None
        )
        frame_features = self._frame_features()
        with bar("score", self.quiet) as progress:
            return generated, score(
                self.real,
                generated,
                self.features_network,
                frame_features,
                protocol,
                metadata.classes,
                self.classifier,
                progress,
            )

    def _frame_features(self) -> Callable[[Pixels], Any]:
        """Return the function whose frame features measure content consistency."""
        from kinoscope.imaging.augment import resize_clip
        from kinoscope.models import find
        from kinoscope.models.runtime.runner import make_runner
        from kinoscope.models.store import is_cached
        from kinoscope.training.generation.metrics import mean_colours

        card = find(FRAME_FEATURES)
        if not is_cached(card) or card.size is None:
            return mean_colours
        runner, size = make_runner(card, self.device), card.size
        return lambda clip: runner(resize_clip(clip, size))[0]


def _write(
    result: GeneratorEvaluation, generated: ClipSet, real: ClipSet, generator: TrainedGenerator, folder: Path
) -> list[Path]:  # fmt: skip
    """Write scores.json, and a page with clips, pairs, and scores."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.pages.generated import ShownClip, scores_page
    from kinoscope.views.video.grid import grid

    written = [folder / name for name in ("scores.json", "samples.mp4", "pairs.mp4", "report.html")]
    rate, by = generator.metadata.rate, f"{result.model}, seed {result.scores.protocol.seed}"
    save_clip(written[1], grid(generated.pixels[:PAGE_CLIPS]), rate, by)
    save_clip(
        written[2], grid(_pairs(result.scores, generated, real), 8), rate, f"{by}, each beside the nearest real clip"
    )
    with atomic_write(written[0]) as path:
        path.write_text(json.dumps(result.to_dict(), indent=1) + "\n", "utf-8")
    page_clips = [
        ShownClip("Generated clips", written[1].read_bytes()),
        ShownClip("Generated clips nearest to a real one, each with that one on its right", written[2].read_bytes()),
    ]
    with atomic_write(written[3]) as path:
        path.write_text(scores_page(result.to_dict(), page_clips), "utf-8")
    return written


def _pairs(scores: GenerationScores, generated: ClipSet, real: ClipSet) -> Pixels:
    """Return the generated clips that are nearest to a real one, each followed by that one."""
    import numpy as np

    order: Sequence[int] = np.argsort(scores.nearest_pixels)[:PAIRS].tolist()
    rows = [clip for i in order for clip in (generated.pixels[i], real.pixels[scores.nearest[i]])]
    return np.stack(rows)
