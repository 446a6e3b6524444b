"""Options of a training, given as ``key=value`` or read from a run's ``options.json``: one implementation for every
task.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.files import atomic_write
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_known

O = TypeVar("O")  # noqa: E741, options of any kind
"""A dataclass of plain values, each with a default."""

DEVICES = ("auto", "cpu", "cuda")

RENAMED: Mapping[str, Mapping[str, str]] = {
    "classify": {"heat": "temperature", "augment.place": "augment.crop_position"},
    "generate": {
        "shown": "disc_frames",
        "judge_width": "disc_width",
        "judge_lr": "disc_lr",
        "penalty": "r1_weight",
        "lazy": "r1_interval",
        "spread": "diversity_weight",
        "game": "gan_loss",
    },
    "lipsync": {
        "judge": "gan_weight",
        "judge_lr": "disc_lr",
        "penalty": "r1_weight",
        "alone": "warmup_epochs",
    },
    "predict": {"before": "context", "after": "horizon"},
}
"""Training -> name of an option until the release before -> its present name."""


class Saveable(Protocol):
    """Options of any training."""

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        ...


def save_options(path: Path, options: Saveable, metadata: Mapping[str, Any]) -> None:
    """Write options as JSON, with ``metadata`` on the run (its task and data).

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(dict(metadata) | {"options": options.to_dict()}, indent=1) + "\n", "utf-8")


def rename_saved(task: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the saved options of a run with the present names for the old ones."""
    names = RENAMED.get(task, {})
    plain = {names.get(name, name): value for name, value in options.items()}
    for group, _, old in (name.partition(".") for name in names if "." in name):
        values = plain.get(f"{group}_options", {})
        if old in values:
            present = names[f"{group}.{old}"].partition(".")[2]
            plain[f"{group}_options"] = {present if name == old else name: value for name, value in values.items()}
    return plain


def rename_pair(task: str, pair: str) -> str:
    """Return a ``key=value`` pair with the present name of its option; warn on stderr where it has the old one."""
    name, equals, value = pair.partition("=")
    renamed = RENAMED.get(task, {}).get(name)
    if renamed is None:
        return pair
    print(
        f"kinoscope: option {name} of train {task} is now called {renamed}; the old name goes with the next release",
        file=sys.stderr,
    )
    return f"{renamed}{equals}{value}"


BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def parse_options(pairs: Sequence[str], start: O, task: str) -> O:
    """Return the options with ``key=value`` pairs applied; each value is parsed as the type of the value that it
    replaces.

    Args:
        task: name of the training, for messages.

    Raises:
        OptionError: a word is no ``key=value`` pair, names no option, or its value cannot be used.
    """
    changes: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = rename_pair(task, pair).partition("=")
        require_known(key, {field.name for field in fields(start)}, f"option of train {task}")  # type: ignore[arg-type]
        current = getattr(start, key)
        try:
            changes[key] = _convert(type(current), value)
        except (ValueError, KeyError):
            kind = "true or false" if isinstance(current, bool) else type(current).__name__
            raise OptionError(f"{pair} is no {kind}; give such as {key}={current}") from None
        if not equals:
            raise OptionError(f"{pair} has no value; give {key}={current}")
    return replace(start, **changes)  # type: ignore[type-var]


def _convert(kind: type, text: str) -> Any:
    return BOOLEANS[text.lower()] if kind is bool else kind(text)


def read_saved_options(path: Path, kind: type[O]) -> tuple[O, dict[str, Any]]:
    """Read the saved options of a run, and the metadata saved with them.

    Options that earlier releases named differently are read under their present names.

    Raises:
        ModelError: there are none, or the file is damaged.
    """
    try:
        metadata = read_json(path, allow_nan=True)
        return kind(**rename_saved(str(metadata.get("task")), metadata.pop("options"))), metadata
    except FileNotFoundError:
        raise ModelError(f"{path.parent} is no training run: it has no {path.name}; give a folder of one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged ({error}); restart the training") from None


def new_or_resumed_options(
    data: str | None, pairs: Sequence[str], resume: str | Path | None, start: O, task: str
) -> tuple[O, str]:
    """Return the options of a training and the name of its data; those of the saved run where it resumes.

    Raises:
        OptionError: there is no data, or an option cannot be used.
        ModelError: there is no run to resume.
    """
    if data is not None and "=" in data and not Path(data).exists():
        pairs, data = (data, *pairs), None
    if resume is not None:
        saved, metadata = read_saved_options(Path(resume) / "options.json", type(start))
        return parse_options(pairs, saved, task), data or metadata["data"]
    if data is None:
        raise OptionError(f"no clips are given; name a video or a folder of them, as in train {task} clips/")
    return parse_options(pairs, start, task), data


def describe_options(kind: Any, about: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return name, default and description of each option of a dataclass."""
    defaults = {field.name: field.default for field in fields(kind)}
    return [(name, _format_default(defaults[name]), text) for name, text in about.items()]


def _format_default(default: Any) -> str:
    """Return a default as it would be typed."""
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def demand_minimum(options: Any, minimum: Mapping[str, float]) -> None:
    """Demand that numeric options are finite and not below their minimum, 0 where ``minimum`` names none.

    Raises:
        OptionError: a value is too small, infinite, or no number.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        if isinstance(value, int | float) and not minimum.get(field.name, 0) <= value < inf:
            raise OptionError(f"{field.name} is {value:g}; give {minimum.get(field.name, 0):g} or more")
