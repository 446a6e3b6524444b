"""Options of a training given as words ``key=value``, and those of a run that were saved: one way for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import require_known

O = TypeVar("O")  # noqa: E741, options of any kind
"""A dataclass of plain values, each with a default."""

DEVICES = ("auto", "cpu", "cuda")

TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_choices(words: Sequence[str], start: O, task: str) -> O:
    """Read words on top of options; each value is typed as the one that it replaces.

    Args:
        task: what is trained, for messages.

    Raises:
        OptionError: a word is none, or has a value that cannot be used.
    """
    changes: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        require_known(key, {one.name for one in fields(start)}, f"option of train {task}")  # type: ignore[arg-type]
        now = getattr(start, key)
        try:
            changes[key] = _as(type(now), value)
        except (ValueError, KeyError):
            kind = "true or false" if isinstance(now, bool) else type(now).__name__
            raise OptionError(f"{word} is no {kind}; give such as {key}={now}") from None
        if not equals:
            raise OptionError(f"{word} has no value; give {key}={now}")
    return replace(start, **changes)  # type: ignore[type-var]


def _as(kind: type, text: str) -> Any:
    return TRUTHS[text.lower()] if kind is bool else kind(text)


def read_saved(path: Path, kind: type[O]) -> tuple[O, dict[str, Any]]:
    """Read the options of a run, and facts on it, that were saved.

    Raises:
        ModelError: there are none, or the file is damaged.
    """
    try:
        facts = read_json(path, allow_nan=True)
        return kind(**facts.pop("options")), facts
    except FileNotFoundError:
        raise ModelError(f"{path.parent} is no training run: it has no {path.name}; give a folder of one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged ({error}); start the training anew") from None


def begin_or_go_on(
    data: str | None, words: Sequence[str], resume: str | Path | None, start: O, task: str
) -> tuple[O, str]:
    """Give the options of a training, and its data; of one that goes on, as it began.

    Raises:
        OptionError: there is no data, or an option cannot be used.
        ModelError: there is no run to go on with.
    """
    if data is not None and "=" in data and not Path(data).exists():
        words, data = (data, *words), None
    if resume is not None:
        saved, facts = read_saved(Path(resume) / "options.json", type(start))
        return read_choices(words, saved, task), data or facts["data"]
    if data is None:
        raise OptionError(f"no clips are given; name a video or a folder of them, as in train {task} clips/")
    return read_choices(words, start, task), data


def described(kind: Any, about: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return name, default and meaning of each option of a dataclass."""
    defaults = {one.name: one.default for one in fields(kind)}
    return [(name, _written(defaults[name]), text) for name, text in about.items()]


def _written(default: Any) -> str:
    """Return a default as it would be given."""
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def demand_least(options: Any, least: Mapping[str, float]) -> None:
    """Make sure that numbers among options are finite and as large as they must be, 0 where nothing is said.

    Raises:
        OptionError: one is too small, infinite, or no number at all.
    """
    for one in fields(options):
        value = getattr(options, one.name)
        if isinstance(value, int | float) and not least.get(one.name, 0) <= value < inf:
            raise OptionError(f"{one.name} is {value:g}; give {least.get(one.name, 0):g} or more")
