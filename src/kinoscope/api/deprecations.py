"""Old names and forms of options, which are accepted for one release, with a warning."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import wraps
from typing import Any, TypeVar, cast, get_type_hints

from kinoscope.core.errors import OptionError
from kinoscope.pipeline.options import is_group

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
    """Return a verb that also takes options and sources in the form of the last release, with a warning.

    These are: old names of options; fields of a group of options as options of their own; several sources as arguments
    instead of a list; and the rules of ``watch`` as an argument.
    """
    name, names = verb.__name__, RENAMED.get(verb.__name__, {})

    @wraps(verb)
    def call(*args: Any, **kwargs: Any) -> Any:
        if name == "watch" and args[1:]:
            _warn("watch(source, rules)", "watch(source, rules=rules)")
            args, kwargs["rules"] = args[:1], args[1]
        for old in names.keys() & kwargs.keys():
            _warn(f"{name}: {old}", names[old])
            kwargs[names[old]] = kwargs.pop(old)
        return verb(*_list_sources(verb, args), **_group_options(verb, kwargs))

    return cast(Verb, call)


def _list_sources(verb: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a verb; several sources that are arguments of their own become a list."""
    parameters = inspect.signature(verb).parameters.values()
    names = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    first = len(names) - 1
    if names[-1:] != ["sources"] or len(args) <= len(names):
        return args
    _warn(f"{verb.__name__}(a, b)", f"{verb.__name__}([a, b])")
    return *args[:first], list(args[first:])


def _group_options(verb: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a verb; those that are fields of a group of options move into the group.

    Raises:
        OptionError: a group is of another class.
    """
    parameters = inspect.signature(verb).parameters
    for name, kind in get_type_hints(verb).items():
        if name in options and is_group(kind) and not isinstance(options[name], kind):
            raise OptionError(f"{name} is {type(options[name]).__name__}; give kinoscope.{kind.__name__}(...)")
        known = {field.name for field in fields(kind)} if is_group(kind) else set()
        if flat := known & options.keys() - parameters.keys():
            for field in sorted(flat):
                _warn(f"{verb.__name__}: {field}", f"{name}={kind.__name__}({field}=...)")
            changes = {field: options.pop(field) for field in flat}
            options[name] = replace(options.get(name, parameters[name].default), **changes)
    return options


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
