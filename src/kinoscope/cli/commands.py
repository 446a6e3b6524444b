"""The commands: a table of the public verbs, and their signatures on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, get_type_hints

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
from kinoscope.api.library import library
from kinoscope.api.lipsync import lipsync
from kinoscope.api.models import models
from kinoscope.api.predict import predict
from kinoscope.api.recognize import recognize
from kinoscope.api.search import search
from kinoscope.api.sync import sync
from kinoscope.api.train import train
from kinoscope.api.watch import watch
from kinoscope.core.options import Options
from kinoscope.pipeline.options import is_group
from kinoscope.source.names import SourceObject

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
        types |= _field_types(kind) if is_group(kind) else {name: kind}
    types.pop("return", None)
    return types


def _field_types(group: Any) -> dict[str, Any]:
    hints = get_type_hints(group)
    return {one.name: hints[one.name] for one in fields(group)}


def command(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb as cyclopts takes it: sources are text and positional, and groups of options are flat flags."""
    from cyclopts import Parameter

    types = get_type_hints(verb)
    for kind in types.values():
        if is_group(kind):
            Parameter(name="*")(kind)
            if issubclass(kind, Options) and "Attributes:" not in (kind.__doc__ or ""):
                kind.__doc__ = f"{kind.__doc__}\n\n{kind.attributes_help()}"
    if types.get("source") == SourceObject:
        types["source"] = str
    if "sources" in inspect.signature(verb).parameters:
        types["sources"] = str
    return _with_types(verb, types)


def _with_types(verb: Callable[..., Any], types: dict[str, Any]) -> Callable[..., Any]:
    """Return a verb with the types of its parameters on the command line; it receives several sources as a list."""
    signature = inspect.signature(verb)
    parameters = [one.replace(annotation=types.get(one.name, one.annotation)) for one in signature.parameters.values()]
    at = next((index for index, one in enumerate(parameters) if one.name == "sources"), None)
    if at is not None and parameters[at].kind is inspect.Parameter.VAR_POSITIONAL:
        at = None
    if at is not None:
        parameters[at] = parameters[at].replace(kind=inspect.Parameter.VAR_POSITIONAL)

    @wraps(verb)
    def call(*args: Any, **options: Any) -> Any:
        return verb(*args, **options) if at is None else verb(*args[:at], list(args[at:]), **options)

    call.__annotations__ = types
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call
