"""``kinoscope evaluate``: scores of a classifier on labelled clips or segments, or of a generator on real clips."""

from __future__ import annotations

from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.evaluation.options import TEST_CLIPS, ScoredClipOptions
from kinoscope.pipeline.evaluation.run import evaluate_model, model_name
from kinoscope.results.evaluate import EvaluateResult


@accept_old_names
def evaluate(
    model: str,
    data: str | Path,
    *,
    out: str | Path | None = None,
    clips: ScoredClipOptions = TEST_CLIPS,
    compare: str | None = None,
    features: str | None = None,
    classifier: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> EvaluateResult:
    """Score a classifier on labelled clips, with confidence intervals and chance level; or a generator on real clips.

    Of a generator it reports the Frechet video distance with a confidence interval, beside that of real clips (of one
    half from the other, and with frames shuffled, blurred, or frozen), kernel distance, precision and recall,
    diversity, consistency, the real clip nearest to each generated one, and the share of clips whose class is
    recognized.

    Args:
        model: folder of a model that `kinoscope train` wrote, a card that classifies clips, or a generator.
        data: a folder with one folder for each class, or a table of clips (CSV); or videos with labelled segments, as
            an ActivityNet JSON. The classes' names need not have the model's case, spaces and punctuation.
        out: folder for scores.json, report.html and images (-o); runs/evaluate/MODEL-DATA if not given.
        clips: the clips that are scored, and how they are sampled and grouped.
        compare: another model, to be compared on the same clips; of a generator, another one, or a scores.json of the
            same protocol.
        features: a model that classifies clips, whose embeddings of generated and real clips are compared; the best
            that recognizes actions if not given.
        classifier: a model trained on real clips that recognizes the classes of generated clips; features if not given.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The scores, and the files written.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used, or does not know the classes of the data.
        DatasetError: there is nothing to score.
    """
    clips.check()
    folder = Path("runs/evaluate") / f"{model_name(model, compare)}-{Path(data).resolve().stem}" if out is None else out
    return evaluate_model(
        model,
        data,
        compare=compare,
        features=features,
        classifier=classifier,
        clips=clips,
        out=folder,
        overwrite=overwrite,
        device=choose_device(device),
        quiet=quiet,
    )
