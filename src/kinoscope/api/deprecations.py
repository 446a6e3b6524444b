"""Old names of options, which are accepted for one release, with a warning."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

Verb = TypeVar("Verb", bound=Callable[..., Any])

RENAMED: Mapping[str, Mapping[str, str]] = {
    "detect": {"looks": "appearance"},
    "evaluate": {"judge": "classifier"},
    "library": {"place": "path"},
    "lipsync": {"looks": "reference", "sound": "audio"},
    "predict": {"given": "include_input"},
    "sync": {"sound_track": "audio_track"},
    "train": {"resume": "resume_from"},
    "watch": {"clips": "clips_to"},
}
"""Verb -> old name -> new name. A name means one thing in all verbs: ``resume`` and ``clips`` are flags of analyze."""

RULE_SUFFIXES = (".yaml", ".yml", ".json")
"""Endings by which a file of rules is recognized where it is given as a positional argument."""


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
    """Return a command line in which the old names of options are replaced by the new ones."""
    verb = words[0] if words else ""
    names = RENAMED.get(verb, {})
    flags = {_flag(old): _flag(new) for old, new in names.items()}
    flags |= {_flag(f"no_{old}"): _flag(f"no_{new}") for old, new in names.items()}
    renamed = [_rename_option(word, flags, verb) for word in words]
    return _insert_rules_option(renamed) if verb == "watch" else renamed


def _rename_option(word: str, flags: Mapping[str, str], verb: str) -> str:
    """Return a word of a command line; if it is an old flag, also one with ``=VALUE``, with the new name."""
    flag, equals, value = word.partition("=")
    if flag not in flags:
        return word
    _warn(f"{verb} {flag}", flags[flag])
    return f"{flags[flag]}{equals}{value}"


def _insert_rules_option(words: list[str]) -> list[str]:
    """Return the command line with ``--rules`` before a file of rules that is given as an argument."""
    if any(word.partition("=")[0] == "--rules" for word in words):
        return words
    for index, word in enumerate(words[2:], 2):
        if word.lower().endswith(RULE_SUFFIXES) and not words[index - 1].startswith("-"):
            _warn("watch SOURCE RULES", "--rules RULES")
            return [*words[:index], "--rules", *words[index:]]
    return words


def _flag(name: str) -> str:
    """Return the flag of the command line for a parameter."""
    return f"--{name.replace('_', '-')}"


def _warn(old: str, new: str) -> None:
    print(f"kinoscope: {old} is now called {new}; the old name goes with the next release", file=sys.stderr)
