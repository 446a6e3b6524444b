"""kinoscope: classification, detection, recognition, tracking and audio-video sync of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinoscope.core.privacy import disable_telemetry

__version__ = "0.1.0"

if TYPE_CHECKING:
    # What type checkers read; a test compares these names with the table below.
    from kinoscope.api.analyze import analyze as analyze
    from kinoscope.api.bench import bench as bench
    from kinoscope.api.classify import classify as classify
    from kinoscope.api.convert import convert as convert
    from kinoscope.api.detect import detect as detect
    from kinoscope.api.enroll import enroll as enroll
    from kinoscope.api.evaluate import evaluate as evaluate
    from kinoscope.api.explain import explain as explain
    from kinoscope.api.export import export as export
    from kinoscope.api.gallery import gallery as gallery
    from kinoscope.api.generate import generate as generate
    from kinoscope.api.lipsync import lipsync as lipsync
    from kinoscope.api.load_model import load_model as load_model
    from kinoscope.api.predict import predict as predict
    from kinoscope.api.recognize import recognize as recognize
    from kinoscope.api.search import search as search
    from kinoscope.api.sync import sync as sync
    from kinoscope.api.train import train as train
    from kinoscope.api.watch import watch as watch
    from kinoscope.core.detections import Detections as Detections
    from kinoscope.core.errors import ChecksumMismatch as ChecksumMismatch
    from kinoscope.core.errors import DatasetError as DatasetError
    from kinoscope.core.errors import DecodeError as DecodeError
    from kinoscope.core.errors import GalleryError as GalleryError
    from kinoscope.core.errors import Interrupted as Interrupted
    from kinoscope.core.errors import KinoscopeError as KinoscopeError
    from kinoscope.core.errors import LibraryError as LibraryError
    from kinoscope.core.errors import MissingExtra as MissingExtra
    from kinoscope.core.errors import ModelError as ModelError
    from kinoscope.core.errors import OptionError as OptionError
    from kinoscope.core.errors import OutputError as OutputError
    from kinoscope.core.errors import OutputExists as OutputExists
    from kinoscope.core.errors import PluginError as PluginError
    from kinoscope.core.errors import PrivacyError as PrivacyError
    from kinoscope.core.errors import RulesError as RulesError
    from kinoscope.core.errors import SourceError as SourceError
    from kinoscope.core.errors import SyncError as SyncError
    from kinoscope.core.errors import TimelineError as TimelineError
    from kinoscope.core.errors import TrainingError as TrainingError
    from kinoscope.core.errors import UnexpectedError as UnexpectedError
    from kinoscope.core.errors import WeightsMissing as WeightsMissing
    from kinoscope.core.media import Audio as Audio
    from kinoscope.core.media import Frame as Frame
    from kinoscope.core.media import FrameBatch as FrameBatch
    from kinoscope.core.media import SourceInfo as SourceInfo
    from kinoscope.core.options import Options as Options
    from kinoscope.core.options import option as option
    from kinoscope.core.results import Event as Event
    from kinoscope.core.results import TaskReport as TaskReport
    from kinoscope.core.results import TaskResult as TaskResult
    from kinoscope.core.results import Track as Track
    from kinoscope.pipeline.detectors import Detector as Detector
    from kinoscope.pipeline.evaluation.options import ScoredClipOptions as ScoredClipOptions
    from kinoscope.pipeline.generation import GeneratedClipOptions as GeneratedClipOptions
    from kinoscope.pipeline.generative_models import FramePredictor as FramePredictor
    from kinoscope.pipeline.generative_models import Generator as Generator
    from kinoscope.pipeline.loaded_models import Classifier as Classifier
    from kinoscope.pipeline.loaded_models import FeatureExtractor as FeatureExtractor
    from kinoscope.pipeline.loaded_models import SyncModel as SyncModel
    from kinoscope.pipeline.options import AlertOptions as AlertOptions
    from kinoscope.pipeline.options import DecodingOptions as DecodingOptions
    from kinoscope.pipeline.options import OutputOptions as OutputOptions
    from kinoscope.pipeline.options import ProcessingOptions as ProcessingOptions
    from kinoscope.pipeline.options import RedactionOptions as RedactionOptions
    from kinoscope.pipeline.watching import DeliveryOptions as DeliveryOptions
    from kinoscope.pipeline.watching import StreamOptions as StreamOptions
    from kinoscope.results.analysis import Analysis as Analysis
    from kinoscope.results.base import Result as Result
    from kinoscope.results.bench import BenchResult as BenchResult
    from kinoscope.results.classify import ClassifyResult as ClassifyResult
    from kinoscope.results.convert import ConvertResult as ConvertResult
    from kinoscope.results.detect import DetectResult as DetectResult
    from kinoscope.results.enroll import EnrollResult as EnrollResult
    from kinoscope.results.evaluate import EvaluateResult as EvaluateResult
    from kinoscope.results.explain import ExplainResult as ExplainResult
    from kinoscope.results.export import ExportResult as ExportResult
    from kinoscope.results.gallery import GalleryResult as GalleryResult
    from kinoscope.results.generate import GenerateResult as GenerateResult
    from kinoscope.results.library import LibraryResult as LibraryResult
    from kinoscope.results.lipsync import LipSyncResult as LipSyncResult
    from kinoscope.results.models import ModelsResult as ModelsResult
    from kinoscope.results.predict import PredictResult as PredictResult
    from kinoscope.results.recognize import RecognizeResult as RecognizeResult
    from kinoscope.results.search import SearchResult as SearchResult
    from kinoscope.results.sync import SyncResult as SyncResult
    from kinoscope.results.train import TrainingRun as TrainingRun
    from kinoscope.results.train import TrainResult as TrainResult
    from kinoscope.results.watch import WatchResult as WatchResult
    from kinoscope.source import open_source as open_source
    from kinoscope.source.video_object import Video as Video
    from kinoscope.tasks.base import Needs as Needs
    from kinoscope.tasks.base import PostTask as PostTask
    from kinoscope.tasks.base import Skip as Skip
    from kinoscope.tasks.base import Task as Task
    from kinoscope.tasks.options import ClassifyOptions as ClassifyOptions
    from kinoscope.tasks.options import FacesOptions as FacesOptions
    from kinoscope.tasks.options import ObjectsOptions as ObjectsOptions
    from kinoscope.tasks.options import RecognizeOptions as RecognizeOptions
    from kinoscope.tasks.options import SyncTaskOptions as SyncTaskOptions
    from kinoscope.tasks.options import TextOptions as TextOptions
    from kinoscope.views.timeline import Timeline as Timeline

disable_telemetry()

_VERBS = (
    "analyze", "bench", "classify", "convert", "detect", "enroll", "evaluate", "explain", "export", "gallery",
    "generate", "lipsync", "predict", "recognize", "search", "sync", "train", "watch",
)  # fmt: skip

_EXPORTS: dict[str, tuple[str, ...]] = {f"api.{verb}": (verb,) for verb in _VERBS} | {
    "api.load_model": ("load_model",),
    "core.detections": ("Detections",),
    "core.errors": (
        "ChecksumMismatch", "DatasetError", "DecodeError", "GalleryError", "Interrupted", "KinoscopeError",
        "LibraryError", "MissingExtra", "ModelError", "OptionError", "OutputError", "OutputExists",
        "PluginError", "PrivacyError", "RulesError", "SourceError", "SyncError", "TimelineError",
        "TrainingError", "UnexpectedError", "WeightsMissing",
    ),
    "core.media": ("Audio", "Frame", "FrameBatch", "SourceInfo"),
    "core.options": ("Options", "option"),
    "core.results": ("Event", "TaskReport", "TaskResult", "Track"),
    "pipeline.detectors": ("Detector",),
    "pipeline.evaluation.options": ("ScoredClipOptions",),
    "pipeline.generation": ("GeneratedClipOptions",),
    "pipeline.generative_models": ("FramePredictor", "Generator"),
    "pipeline.loaded_models": ("Classifier", "FeatureExtractor", "SyncModel"),
    "pipeline.options": ("AlertOptions", "DecodingOptions", "OutputOptions", "ProcessingOptions", "RedactionOptions"),
    "pipeline.watching": ("DeliveryOptions", "StreamOptions"),
    "results.analysis": ("Analysis",),
    "results.base": ("Result",),
    "results.bench": ("BenchResult",),
    "results.classify": ("ClassifyResult",),
    "results.convert": ("ConvertResult",),
    "results.detect": ("DetectResult",),
    "results.enroll": ("EnrollResult",),
    "results.evaluate": ("EvaluateResult",),
    "results.explain": ("ExplainResult",),
    "results.export": ("ExportResult",),
    "results.gallery": ("GalleryResult",),
    "results.generate": ("GenerateResult",),
    "results.library": ("LibraryResult",),
    "results.lipsync": ("LipSyncResult",),
    "results.models": ("ModelsResult",),
    "results.predict": ("PredictResult",),
    "results.recognize": ("RecognizeResult",),
    "results.search": ("SearchResult",),
    "results.sync": ("SyncResult",),
    "results.train": ("TrainResult", "TrainingRun"),
    "results.watch": ("WatchResult",),
    "source": ("open_source",),
    "source.video_object": ("Video",),
    "tasks.base": ("Needs", "PostTask", "Skip", "Task"),
    "tasks.options": (
        "ClassifyOptions", "FacesOptions", "ObjectsOptions", "RecognizeOptions", "SyncTaskOptions",
        "TextOptions",
    ),
    "views.timeline": ("Timeline",),
}  # fmt: skip
"""Module -> its names that are public. They are imported when they are first used."""

_MODULES = {name: f"kinoscope.{module}" for module, names in _EXPORTS.items() for name in names}

_PUBLIC = sorted(["__version__", *_MODULES])


def __dir__() -> list[str]:
    return list(_PUBLIC)


if not TYPE_CHECKING:  # a type checker takes the names above alone: it cannot read a computed list
    __all__ = list(_PUBLIC)

    def __getattr__(name: str) -> Any:
        # Lazy imports: importing the package stays fast and loads no torch, cv2 or av.
        if name not in _MODULES:
            raise AttributeError(f"module 'kinoscope' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_MODULES[name]), name)
