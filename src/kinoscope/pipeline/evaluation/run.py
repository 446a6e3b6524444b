"""Evaluation of a model on the data that fits it, and the files of its scores."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.core.files import claim_output, command_id
from kinoscope.pipeline.evaluation.options import TEST_CLIPS, ScoredClipOptions
from kinoscope.results.evaluate import EvaluateResult

FILES = ("scores.json", "report.html", "reliability.png", "confusion.png", "samples.mp4", "pairs.mp4")
"""Names of the written files, of classifiers and of generators."""


def evaluate_model(
    model: str,
    data: str | Path,
    *,
    compare: str | None = None,
    features: str | None = None,
    classifier: str | None = None,
    clips: ScoredClipOptions = TEST_CLIPS,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = True,
) -> EvaluateResult:
    """Score a classifier on labelled clips or on timed segments, or a generator on real clips.

    Args:
        model: folder of a trained classifier or generator, or the name of a card or of a bundled generator.
        data: a folder of clips, a table of them, or an ActivityNet JSON.
        compare: another model; of a generator also a scores.json.
        features: a classifier of clips, whose embeddings of generated and real clips are compared.
        classifier: a model that recognizes the classes of generated clips.
        out: folder for scores.json, report.html and images; None writes nothing.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used, or does not know the classes of the data.
        DatasetError: there is nothing to score.
        OutputError: the files cannot be written.
    """
    clips.check()
    generator = _is_generator(model)
    _demand_fitting_options(generator, clips.split, features, classifier)
    with ExitStack() as claims:
        claim = partial(_claim, claims, out, model, data, compare, overwrite)
        if generator:
            from kinoscope.pipeline.evaluation.generators import evaluate_generator

            models = {"features": features, "classifier": classifier, "compare": compare}
            return evaluate_generator(model, data, **models, clips=clips, claim=claim, device=device, quiet=quiet)
        if Path(data).suffix.lower() == ".json":
            from kinoscope.pipeline.evaluation.segments import evaluate_segments

            _demand_single(compare)
            split = clips.split
            return evaluate_segments(model, Path(data), split=split, claim=claim, device=device, quiet=quiet)
        from kinoscope.pipeline.evaluation.clips import evaluate_clips

        return evaluate_clips(model, data, compare=compare, clips=clips, claim=claim, device=device, quiet=quiet)


def model_name(model: str, compare: str | None = None) -> str:
    """Return the name by which scores call a model: its own or, where two have the same, the one that the user typed.

    Raises:
        KinoscopeError: there is no such model.
    """
    from kinoscope.models.trainable.generators import find_generator
    from kinoscope.pipeline.evaluation.clips import find_models

    return find_generator(model).resolve().name if _is_generator(model) else find_models(model, compare)[0][0]


def _is_generator(model: str) -> bool:
    from kinoscope.models.trainable.generators import bundled_generators, is_generator

    return model in bundled_generators() or is_generator(Path(model))


def _demand_fitting_options(generator: bool, split: str | None, features: str | None, classifier: str | None) -> None:
    """Raise OptionError for an option of the other kind of model, which would have no effect."""
    options = {"split": split} if generator else {"features": features, "classifier": classifier}
    for option, value in options.items():
        if value is not None:
            kind = "a model that classifies clips" if generator else "a generator"
            raise OptionError(f"{option} is for {kind}; leave it out")


def _demand_single(compare: str | None) -> None:
    """Raise OptionError if two models are to be compared on segments."""
    if compare is not None:
        raise OptionError(
            "--compare takes labelled clips, and this table has timed segments; evaluate one after the other"
        )


def _claim(
    claims: ExitStack, out: str | Path | None, model: str, data: str | Path, compare: str | None, overwrite: bool
) -> Path | None:
    """Claim the folder of the files until ``claims`` closes, and return it; None where nothing is written."""
    if out is None:
        return None
    by = command_id("evaluate", [model, data, *([compare] if compare else [])])
    claims.enter_context(claim_output(out, by, [data, compare or ""], names=FILES, overwrite=overwrite))
    return Path(out)
