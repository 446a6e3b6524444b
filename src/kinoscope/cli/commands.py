"""The commands: a table of the public verbs, and their signatures on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

from kinoscope.api.analyze import analyze
from kinoscope.api.bench import bench
from kinoscope.api.classify import classify
from kinoscope.api.convert import convert
from kinoscope.api.detect import detect
from kinoscope.api.enroll import enroll, gallery
from kinoscope.api.evaluate import evaluate
from kinoscope.api.explain import explain
from kinoscope.api.generate import generate
from kinoscope.api.library import library
from kinoscope.api.lipsync import lipsync
from kinoscope.api.models import models
from kinoscope.api.predict import predict
from kinoscope.api.recognize import recognize
from kinoscope.api.search import search
from kinoscope.api.sync import sync
from kinoscope.api.train import train
from kinoscope.api.watch import watch
from kinoscope.pipeline.options import is_group

COMMANDS: dict[str, Callable[..., Any]] = {
    "analyze": analyze,
    "classify": classify,
    "convert": convert,
    "detect": detect,
    "enroll": enroll,
    "evaluate": evaluate,
    "explain": explain,
    "gallery": gallery,
    "generate": generate,
    "library": library,
    "lipsync": lipsync,
    "predict": predict,
    "recognize": recognize,
    "search": search,
    "sync": sync,
    "train": train,
    "watch": watch,
    "models": models,
    "bench": bench,
}

SHORT_OPTIONS = {"-o": "--out", "-n": "--n"}
"""Short form -> option."""


def flags(verb: Callable[..., Any]) -> dict[str, Any]:
    """Return name -> type of the flags and arguments of a verb; each field of a group of options is a flag."""
    types: dict[str, Any] = {}
    for name, kind in get_type_hints(verb).items():
        types |= get_type_hints(kind) if is_group(kind) else {name: kind}
    types.pop("return", None)
    return types


def command(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb as cyclopts takes it: several sources are positional, and groups of options are flat flags."""
    from cyclopts import Parameter

    for kind in get_type_hints(verb).values():
        if is_group(kind):
            Parameter(name="*")(kind)
    return _take_several(verb) if "sources" in inspect.signature(verb).parameters else verb


def _take_several(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb that takes its sources as positional arguments, and passes them on as a list."""
    signature = inspect.signature(verb)
    first, *others = signature.parameters.values()
    if signature.parameters["sources"].kind is inspect.Parameter.VAR_POSITIONAL:
        return verb
    several = first.replace(kind=inspect.Parameter.VAR_POSITIONAL, annotation=str)

    @wraps(verb)
    def call(*sources: str, **options: Any) -> Any:
        return verb(list(sources), **options)

    call.__annotations__ = get_type_hints(verb) | {"sources": str}
    call.__signature__ = signature.replace(parameters=[several, *others])  # type: ignore[attr-defined]
    return call
