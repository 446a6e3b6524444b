"""Options that had another name until the release before: they are taken for one more, with a warning."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

Verb = TypeVar("Verb", bound=Callable[..., Any])

RENAMED: Mapping[str, Mapping[str, str]] = {
    "detect": {"looks": "appearance"},
    "lipsync": {"looks": "reference"},
    "train": {"resume": "resume_from"},
    "watch": {"clips": "clips_to"},
}
"""Verb -> old name -> new name. A name means one thing in all verbs: ``resume`` and ``clips`` are flags of analyze."""

RULE_SUFFIXES = (".yaml", ".yml", ".json")
"""Endings by which the file of rules is known, where it stands alone."""


def accept_old_names(verb: Verb) -> Verb:
    """Return a verb that also accepts the old names of its options, and ``watch`` its rules as an argument."""
    name, names = verb.__name__, RENAMED[verb.__name__]

    @wraps(verb)
    def call(*args: Any, **kwargs: Any) -> Any:
        first, more = args[:1], args[1:]
        if name == "watch" and more:
            _warn("watch(source, rules)", "watch(source, rules=rules)")
            return call(*first, **kwargs | {"rules": more[0]})
        for old in names.keys() & kwargs.keys():
            _warn(f"{name}: {old}", names[old])
            kwargs[names[old]] = kwargs.pop(old)
        return verb(*args, **kwargs)

    return cast(Verb, call)


def rename_options(words: list[str]) -> list[str]:
    """Return the words of a command line with the new names for the old."""
    verb = words[0] if words else ""
    names = {_flag(old): _flag(new) for old, new in RENAMED.get(verb, {}).items()}
    found = [_new_word(word, names, verb) for word in words]
    return _with_rules(found) if verb == "watch" else found


def _new_word(word: str, names: Mapping[str, str], verb: str) -> str:
    name, equals, value = word.partition("=")
    if name not in names:
        return word
    _warn(f"{verb} {name}", names[name])
    return f"{names[name]}{equals}{value}"


def _with_rules(words: list[str]) -> list[str]:
    """Return the words with ``--rules`` before a file of rules that is given as an argument."""
    if any(word.partition("=")[0] == "--rules" for word in words):
        return words
    for place, word in enumerate(words[2:], 2):
        if word.lower().endswith(RULE_SUFFIXES) and not words[place - 1].startswith("-"):
            _warn("watch SOURCE RULES", "--rules RULES")
            return [*words[:place], "--rules", *words[place:]]
    return words


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _warn(old: str, new: str) -> None:
    print(f"kinoscope: {old} is now called {new}; the old name goes with the next release", file=sys.stderr)
