"""``kinoscope evaluate`` of a generator: how near its clips are to real ones, under a protocol that is written down."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.files import atomic_write, prepare_folder
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_number
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kinoscope.core.media import Pixels
    from kinoscope.models.trainable.generators import Generator
    from kinoscope.training.data.dataset import Dataset
    from kinoscope.training.generation.metrics import ClipSet, Features, GenerationScores, Protocol

SAMPLES = 256
"""Clips that are made, and about as many real ones taken, if not said otherwise."""

SHOWN = 64
"""Made clips that play on the page."""

PAIRS = 16
"""Made clips that are shown beside the nearest real one: those that come nearest."""

PICTURES = "efficientnet-lite0"
"""Network that content is compared by, where it is at hand."""


@dataclass(kw_only=True)
class EvaluateGeneratorResult:
    """Scores of a generator.

    Attributes:
        scores: of the model. other: of what it was compared with, and ``other_name``.
        broken: real clips that could not be used, and why.
    """

    model: str
    scores: GenerationScores
    other_name: str = ""
    other: dict[str, Any] | None = None
    broken: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        plain = {"model": self.model, "generation": self.scores.to_dict(), "broken": self.broken}
        return plain | ({"other": {"model": self.other_name, "generation": self.other}} if self.other else {})


def evaluate_generator(
    model: str | Path,
    data: str | Path,
    folder: Path,
    *,
    n: int,
    features: str | None,
    judge: str | None,
    compare: str | None,
    group: str,
    device: str,
    seed: int,
    quiet: bool,
) -> tuple[EvaluateGeneratorResult, list[Path]]:
    """Score a generator on real clips, and write scores.json and report.html; see ``api.evaluate``."""
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.trainable.generators import Generator, find_generator
    from kinoscope.training.generation.metrics import FEWEST, demand_enough

    require_number("n", n, FEWEST)
    for name in filter(None, (features, judge)):
        find_classifier(name)
    if compare and not Path(compare).is_file():
        find_generator(compare)
    generator = Generator(model, device)
    real, dataset, broken = read_real(data, generator, n, group)
    demand_enough(len(real), n)
    looks = _features(features, generator.metadata.rate, device)
    protocol = _protocol(generator, looks, dataset, len(real), n, seed)
    kept = _kept(compare, protocol) if compare and Path(compare).is_file() else None
    prepare_folder(folder)
    told = _Scoring(real, looks, judge and _features(judge, generator.metadata.rate, device), device, seed, n, quiet)
    made, scores = told.run(generator, protocol)
    found = EvaluateGeneratorResult(model=generator.folder.resolve().name, scores=scores, broken=broken)
    if kept:
        found.other_name, found.other = kept
    elif compare:
        rival = Generator(compare, device)
        found.other_name, found.other = rival.folder.resolve().name, told.run(rival, protocol)[1].to_dict()
    return found, _write(found, made, real, generator, folder)


def read_real(
    data: str | Path, generator: Generator, n: int, group: str = ""
) -> tuple[ClipSet, Dataset, dict[str, str]]:  # fmt: skip
    """Read about ``n`` real clips as a generator makes them, spread evenly over all there are.

    Raises:
        DatasetError: there are none, or none is long enough.
    """
    import numpy as np

    from kinoscope.core.sampling import Sampling
    from kinoscope.training.data.loader import Loader
    from kinoscope.training.data.streams import read_clips, why
    from kinoscope.training.generation.metrics import ClipSet

    facts = generator.metadata
    sampling = Sampling(facts.frames, facts.rate, (facts.size, facts.size))
    dataset, broken = read_clips(data, sampling, group=group)
    if not dataset.examples:
        raise DatasetError(f"{data} has no clip to compare with{why(broken)}")
    known = set(facts.classes) == set(dataset.classes)
    examples = dataset.examples if known else [replace(one, labels=()) for one in dataset.examples]
    names = facts.classes if known else ()
    loader = Loader(examples, names, sampling, batch=16, views=math.ceil(n / len(examples)), cache=False)
    batches = list(loader.epoch(0))
    broken |= loader.broken
    rows = [int(index) for batch in batches for index in batch.indices]
    pixels = np.concatenate([batch.pixels for batch in batches])
    labels = np.concatenate([batch.targets.argmax(1) for batch in batches]) if names else None
    groups = tuple(examples[row].group or examples[row].path for row in rows)
    return ClipSet(pixels=pixels, labels=labels, groups=groups), dataset, broken


def _features(name: str | None, rate: float, device: str) -> Features:
    """Give the network whose embeddings are compared: that of the name, or the best that tells actions."""
    from kinoscope.models import choose
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.runtime.runner import make_runner
    from kinoscope.training.generation.metrics import Features

    card = find_classifier(name or choose("actions").name)
    return Features(make_runner(card, device), rate)


def _protocol(generator: Generator, looks: Features, dataset: Dataset, real: int, n: int, seed: int) -> Protocol:
    import av

    from kinoscope.training.generation.metrics import Protocol

    facts = generator.metadata
    names = sorted(f"{Path(one.path).name} {_size(one.path)} {one.start} {one.end}" for one in dataset.examples)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
    return Protocol(
        features=looks.card.name, digest=looks.card.digest, data=f"{Path(dataset.root).resolve().name}@{digest}",
        real=real, made=n, frames=facts.frames, rate=facts.rate, size=facts.size, decoder=f"pyav-{av.__version__}",
        seed=seed,
    )  # fmt: skip


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).is_file() else 0


def _kept(path: str, protocol: Protocol) -> tuple[str, dict[str, Any]]:
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
    """Scores generators in the same way."""

    real: ClipSet
    looks: Features
    judge: Features | str | None
    device: str
    seed: int
    n: int
    quiet: bool

    def run(self, generator: Generator, protocol: Protocol) -> tuple[ClipSet, GenerationScores]:
        from kinoscope.training.generation.metrics import ClipSet, Features, score

        codes = generator.latents(self.n, self.seed)
        facts = generator.metadata
        protocol.demand_same(asdict(replace(protocol, frames=facts.frames, rate=facts.rate, size=facts.size)))
        made = ClipSet(pixels=generator.clips(codes, generator.times()), labels=codes.labels if facts.classes else None)
        pictures = self._pictures()
        judge = self.judge if isinstance(self.judge, Features) else None
        with bar("score", self.quiet) as progress:
            return made, score(self.real, made, self.looks, pictures, protocol, facts.classes, judge, progress)

    def _pictures(self) -> Callable[[Pixels], Any]:
        """Give what content is compared by."""
        from kinoscope.imaging.augment import resize_clip
        from kinoscope.models import find
        from kinoscope.models.runtime.runner import make_runner
        from kinoscope.models.store import is_cached
        from kinoscope.training.generation.metrics import mean_colours

        card = find(PICTURES)
        if not is_cached(card) or card.size is None:
            return mean_colours
        runner, size = make_runner(card, self.device), card.size
        return lambda clip: runner(resize_clip(clip, size))[0]


def _write(
    found: EvaluateGeneratorResult, made: ClipSet, real: ClipSet, generator: Generator, folder: Path
) -> list[Path]:  # fmt: skip
    """Write scores.json, and a page with clips, pairs, and scores."""
    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.pages.generated import ShownClip, scores_page
    from kinoscope.views.video.grid import grid

    written = [folder / name for name in ("scores.json", "samples.mp4", "pairs.mp4", "report.html")]
    rate, by = generator.metadata.rate, f"{found.model}, seed {found.scores.protocol.seed}"
    save_clip(written[1], grid(made.pixels[:SHOWN]), rate, by)
    save_clip(written[2], grid(_pairs(found.scores, made, real), 8), rate, f"{by}, each beside the nearest real clip")
    with atomic_write(written[0]) as path:
        path.write_text(json.dumps(found.to_dict(), indent=1) + "\n", "utf-8")
    shown = [
        ShownClip("Made clips", written[1].read_bytes()),
        ShownClip(
            "Made clips that come nearest to a real one, each with that one at its right", written[2].read_bytes()
        ),
    ]
    with atomic_write(written[3]) as path:
        path.write_text(scores_page(found.to_dict(), shown), "utf-8")
    return written


def _pairs(scores: GenerationScores, made: ClipSet, real: ClipSet) -> Pixels:
    """Give the made clips that come nearest to a real one, each followed by that one."""
    import numpy as np

    order: Sequence[int] = np.argsort(scores.nearest_pixels)[:PAIRS].tolist()
    rows = [clip for i in order for clip in (made.pixels[i], real.pixels[scores.nearest[i]])]
    return np.stack(rows)
