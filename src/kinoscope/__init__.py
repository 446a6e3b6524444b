"""kinoscope: classification, detection, recognition, tracking and audio-video sync of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinoscope.core.privacy import disable_telemetry

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kinoscope.api.analyze import analyze
    from kinoscope.api.bench import bench
    from kinoscope.api.classify import classify
    from kinoscope.api.convert import convert
    from kinoscope.api.detect import detect
    from kinoscope.api.enroll import enroll
    from kinoscope.api.evaluate import evaluate
    from kinoscope.api.explain import explain
    from kinoscope.api.gallery import gallery
    from kinoscope.api.generate import generate
    from kinoscope.api.lipsync import lipsync
    from kinoscope.api.predict import predict
    from kinoscope.api.recognize import recognize
    from kinoscope.api.search import search
    from kinoscope.api.sync import sync
    from kinoscope.api.train import train
    from kinoscope.api.watch import watch
    from kinoscope.core.detections import Detections
    from kinoscope.source import open_source
    from kinoscope.source.video_object import Video

disable_telemetry()

_MODULES = {
    "Detections": "kinoscope.core.detections",
    "Video": "kinoscope.source.video_object",
    "analyze": "kinoscope.api.analyze",
    "bench": "kinoscope.api.bench",
    "classify": "kinoscope.api.classify",
    "convert": "kinoscope.api.convert",
    "detect": "kinoscope.api.detect",
    "enroll": "kinoscope.api.enroll",
    "evaluate": "kinoscope.api.evaluate",
    "explain": "kinoscope.api.explain",
    "gallery": "kinoscope.api.gallery",
    "generate": "kinoscope.api.generate",
    "lipsync": "kinoscope.api.lipsync",
    "open_source": "kinoscope.source",
    "predict": "kinoscope.api.predict",
    "recognize": "kinoscope.api.recognize",
    "search": "kinoscope.api.search",
    "sync": "kinoscope.api.sync",
    "train": "kinoscope.api.train",
    "watch": "kinoscope.api.watch",
}

__all__ = [
    "Detections",
    "Video",
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
    # Lazy imports: importing the package stays fast and loads no torch, cv2 or av.
    if name not in _MODULES:
        raise AttributeError(f"module 'kinoscope' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
