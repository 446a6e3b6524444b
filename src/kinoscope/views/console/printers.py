"""All modules that register the printing of a result; importing this one makes ``render`` complete."""

from kinoscope.views.console import (
    analysis,
    classification,
    detection,
    explanation,
    library,
)
from kinoscope.views.console.render import render

__all__ = [
    "analysis",
    "classification",
    "detection",
    "explanation",
    "library",
    "render",
]
