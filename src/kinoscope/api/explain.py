"""``kinoscope explain``: explanations of the classes that a model predicts, and how faithful they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device, choose_time_range, split_names
from kinoscope.pipeline.explanation import explain_clip
from kinoscope.pipeline.inputs import release
from kinoscope.results.explain import ExplainResult
from kinoscope.source.names import SourceObject, name_of


@accept_old_names
def explain(
    model: str,
    clip: SourceObject,
    *,
    out: str | Path,
    method: str | Sequence[str] = "grad-cam,grad-cam++",
    target: str | None = None,
    start: str | float | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> ExplainResult:
    """Explain why a model predicts the class of a clip, and measure how faithful the explanation is.

    Of a video that is longer than the model's clips, the window is explained in which the class is most probable.

    Args:
        model: folder of a model that `kinoscope train` wrote, or a card that classifies clips.
        clip: a video file, a folder of frames, or a strip of square frames.
        out: folder for explanation.html, explanation.json, overlay.mp4 and sheet.png (-o).
        method: one or more, separated by commas: grad-cam, grad-cam++, integrated-gradients, occlusion.
        target: name of the class to explain; the most probable if not given.
        start: where the window begins, in seconds or as a clock (00:01:02.5).
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The explanation and the files written.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used, or has no feature maps for the method.
        SourceError: the clip cannot be read.
        MissingExtra: a method needs a package that is not installed.
    """
    return release(explain_clip(
        model,
        name_of(clip),
        methods=split_names(method, "method"),
        target=target,
        start=choose_time_range(start)["start"],
        out=out,
        overwrite=overwrite,
        device=choose_device(device),
        quiet=quiet,
    ))  # fmt: skip
