"""The public verbs: short compositions of the rooms below. Every command of the command line is one of these."""

from kinoscope.api.analyses import analyze
from kinoscope.api.classification import classify
from kinoscope.api.conversion import convert
from kinoscope.api.cost import bench
from kinoscope.api.detection import detect
from kinoscope.api.dubbing import lipsync
from kinoscope.api.enrolling import enroll, gallery
from kinoscope.api.evaluation import evaluate
from kinoscope.api.explanation import explain
from kinoscope.api.generating import generate
from kinoscope.api.keeping import library
from kinoscope.api.prediction import predict
from kinoscope.api.recognition import recognize
from kinoscope.api.searching import search
from kinoscope.api.syncing import sync
from kinoscope.api.training import train
from kinoscope.api.watching import watch
from kinoscope.api.weights import models

__all__ = [
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
    "library",
    "lipsync",
    "models",
    "predict",
    "recognize",
    "search",
    "sync",
    "train",
    "watch",
]
