"""The commands: a table of the public verbs, and their signatures on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from importlib.metadata import EntryPoint
from typing import Any, get_type_hints

from kinoscope.core.options import Options
from kinoscope.core.plugins import entry, load_entry
from kinoscope.pipeline.inputs import SourceName
from kinoscope.pipeline.options import Names, is_group
from kinoscope.source.names import SourceObject

COMMANDS: dict[str, EntryPoint | Callable[..., Any]] = {
    name: entry(f"api.{name}:{name}")
    for name in (
        "analyze", "classify", "convert", "detect", "enroll", "evaluate", "explain", "export", "gallery", "generate",
        "library", "lipsync", "predict", "recognize", "search", "sync", "train", "watch", "models", "bench",
    )
}  # fmt: skip
"""The commands: public verbs, or where they are. A command line imports the one that it names."""

SHORT_OPTIONS = {"-o": "--out", "-n": "--n"}
"""Short form -> option."""


def find_command(name: str) -> Callable[..., Any]:
    """Return the verb of a command."""
    row = COMMANDS[name]
    verb: Callable[..., Any] = load_entry(row) if isinstance(row, EntryPoint) else row
    return verb


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
    types |= {name: SourceName for name, kind in types.items() if kind == SourceObject}
    if "sources" in inspect.signature(verb).parameters:
        types["sources"] = SourceName
    if "tasks" in types:  # objects of tasks are for Python alone
        types["tasks"] = Names | None
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
