"""``kinoscope classify``: the classes of clips, and the segments of long videos, by a trained classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.validation import require_number
from kinoscope.pipeline.classification import classify_each
from kinoscope.pipeline.inputs import SourceName, expand, one_or_several_clips
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.results.classify import ClassifyResult


@accept_old_names
@one_or_several_clips
def classify(
    sources: Sequence[SourceName],
    *,
    model: str,
    top: int = 5,
    out: str | Path | None = None,
    decoding: DecodingOptions = DECODE_ALL,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[ClassifyResult]:
    """Classify clips: the most probable classes of each, and of a long video also which class is shown when.

    Args:
        sources: video files, folders of videos or frames, strips of square frames, URLs, camera:0.
        model: folder of a model that `kinoscope train` wrote, or a card that classifies clips.
        top: number of classes that are reported for each source.
        out: folder for a timeline.json of each source (-o); nothing is written if not given.
        decoding: the part of a source that is read.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The classes of the source; of a list of sources a list, in order. One that cannot be read never stops the
        others.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used; raised before anything is read.
    """
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.runtime.runner import make_runner

    require_number("top", top, 1)
    source_options = decoding.resolve()
    make_runner(find_classifier(model), device)  # an unusable model is reported before anything is read
    return classify_each(
        expand(sources, strips=True), model, top=top, source_options=source_options, out=out, overwrite=overwrite,
        device=device, quiet=quiet,
    )  # fmt: skip
