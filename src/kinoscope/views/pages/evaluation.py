"""The page of an evaluation: one HTML file with scores, confusion, calibration and the clips, the worst first."""

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
    pictures: Mapping[str, bytes] | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> None:
    """Write an evaluation as one self-contained HTML page.

    Args:
        scores: the plain form of the scores, as in scores.json.
        path: the file to write.
        pictures: JPEG files by the path of a clip: frames of it, all of one width, side by side.
        comparison: the plain form of a comparison with another model.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(scores, pictures, comparison), encoding="utf-8")


def render(
    scores: Mapping[str, Any],
    pictures: Mapping[str, bytes] | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> str:
    """Give the page as text."""
    images = {name: base64.b64encode(data).decode() for name, data in (pictures or {}).items()}
    compared = None if comparison is None else {**comparison, "verdict": verdict(comparison)}
    data = {"scores": scores, "images": images, "comparison": compared, "names": MEASURE_NAMES}
    return compose("evaluation", SCRIPTS, f"{scores['model']} on {scores['data']}", data, column=True)
