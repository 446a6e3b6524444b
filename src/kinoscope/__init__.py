"""kinoscope reads a video once and tells what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinoscope.core.privacy import disable_reporting

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kinoscope.api import (
        analyze,
        bench,
        classify,
        convert,
        detect,
        enroll,
        evaluate,
        explain,
        gallery,
        generate,
        lipsync,
        predict,
        recognize,
        search,
        sync,
        train,
        watch,
    )
    from kinoscope.source import open_source

disable_reporting()

_HOMES = {
    "analyze": "kinoscope.api",
    "bench": "kinoscope.api",
    "classify": "kinoscope.api",
    "convert": "kinoscope.api",
    "detect": "kinoscope.api",
    "enroll": "kinoscope.api",
    "evaluate": "kinoscope.api",
    "explain": "kinoscope.api",
    "gallery": "kinoscope.api",
    "generate": "kinoscope.api",
    "lipsync": "kinoscope.api",
    "open_source": "kinoscope.source",
    "predict": "kinoscope.api",
    "recognize": "kinoscope.api",
    "search": "kinoscope.api",
    "sync": "kinoscope.api",
    "train": "kinoscope.api",
    "watch": "kinoscope.api",
}

__all__ = [
    "__version__",
    "analyze",
    "bench",
    "classify",
    "convert",
    "detect",
    "enroll",
    "evaluate",
    "explain",
    "gallery",
    "generate",
    "lipsync",
    "open_source",
    "predict",
    "recognize",
    "search",
    "sync",
    "train",
    "watch",
]


def __dir__() -> list[str]:
    return list(__all__)


def __getattr__(name: str) -> Any:
    # Verbs load on first use, so that importing the package stays quick and brings in no torch, cv2 or av.
    if name not in _HOMES:
        raise AttributeError(f"module 'kinoscope' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
