"""The page of an evaluation: scores, confusion matrix, calibration, and the clips with the highest loss first."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinoscope.core.files import atomic_write
from kinoscope.views.console.evaluation import MEASURE_NAMES, verdict
from kinoscope.views.pages.page import compose

SCRIPTS = ("scores", "comparison", "matrix", "reliability", "classes", "clips", "main")
"""As ``compose`` takes them."""


def write_evaluation(
    scores: Mapping[str, Any],
    path: Path,
    images: Mapping[str, bytes] | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> None:
    """Write an evaluation as one self-contained HTML page.

    Args:
        scores: a dict of the scores, as in scores.json.
        path: the file to write.
        images: JPEG files by the path of a clip: frames of it, all of one width, side by side.
        comparison: a dict of a comparison with another model.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(scores, images, comparison), encoding="utf-8")


def render(
    scores: Mapping[str, Any],
    images: Mapping[str, bytes] | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """Return the page as text."""
    encoded = {name: base64.b64encode(data).decode() for name, data in (images or {}).items()}
    compared = None if comparison is None else {**comparison, "verdict": verdict(comparison)}
    data = {"scores": scores, "images": encoded, "comparison": compared, "names": MEASURE_NAMES}
    return compose("evaluation", SCRIPTS, f"{scores['model']} on {scores['data']}", data, column=True)
