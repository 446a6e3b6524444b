"""Options given as ``key=value``: each is documented, defaulted and checked where it is declared.

    @dataclass(frozen=True, kw_only=True)
    class BlurOptions(Options):
        radius: int = option(3, "radius in pixels", low=1, high=99)
        shape: Literal["box", "disc"] = option("box", "shape of the kernel")

    BlurOptions.parse(["radius=5", "shape=disc"])

An annotation is one of ``bool``, ``int``, ``float``, ``str``, ``Literal``, ``tuple[int, int]`` (written 160x160),
``tuple[str, ...]`` or ``tuple[float, float, float]`` (separated by commas), one of these or ``None``, or, for a group,
``Mapping[str, Any]``.
"""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import suggest

Choices = tuple[Any, ...] | Callable[[], Iterable[Any]]
"""Valid values, or a function that returns them."""

OptionRow = tuple[str, str, str]
"""Name, default and description of an option."""

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""Text -> boolean."""

UNSET = ("none", "auto", "")
"""Texts that stand for None."""

_KEY = "kinoscope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The declaration of an option.

    Attributes:
        help: description, in a line.
        low, high: limits of a number, both possible; None where there is none.
        above, below: limits of a number, neither possible.
        choices: valid values; None for any, or for those of a ``Literal``.
        group: prefix of the names that the option collects, as ``net`` in ``net.hidden=256``.
    """

    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Choices | None = None
    group: str | None = None


def option(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Choices | None = None,
    group: str | None = None,
) -> Any:
    """Return the dataclass field of an option.

    Args:
        default: the value if none is given; a mapping for a group.
        help: description, in a line.
        low: minimum of a number, or of both numbers of a size.
        high: maximum.
        above: what a number must exceed.
        below: what a number must stay below.
        choices: valid values, or a function that returns them, for a table whose import is slow.
        group: prefix of the names that the option collects, each with a free value, as ``net`` in ``net.hidden=256``.
    """
    declaration = Declaration(
        help=help, low=low, high=high, above=above, below=below, choices=choices, group=group
    )  # fmt: skip
    metadata = {_KEY: declaration}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base class of options, which a subclass declares with ``option``; the subclass is a dataclass, too.

    Options of the subclass come before those that it inherits, in help and in files.

    Attributes:
        renamed: name of an option in an earlier release -> its present name.

    Raises:
        OptionError: a value has another type, is none of the choices or outside its limits, or values do not fit
            together.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        for name, kind in _annotations(type(self)).items():
            if _is_names(kind):  # a text of several names, as the command line has it
                object.__setattr__(self, name, _join_names(getattr(self, name)))
            _check_value(name, getattr(self, name), kind, _declaration(type(self), name))
        self.check()

    def check(self) -> None:
        """Check what several options mean together.

        Raises:
            OptionError: they do not fit together.
        """

    @classmethod
    def parse(cls, pairs: Sequence[str], start: Self | None = None, owner: str = "") -> Self:
        """Return the options with ``key=value`` pairs applied; a later pair overrides.

        Args:
            pairs: each is converted to the type of its option.
            start: options to apply them to; the defaults if not given.
            owner: what the options belong to, for messages, as in ``train classify``.

        Raises:
            OptionError: a word is no such pair, names no option, or its value cannot be used.
        """
        start = start if start is not None else cls()
        groups = {name: dict(getattr(start, own)) for name, own in _groups(cls).items()}
        values: dict[str, Any] = {}
        for pair in pairs:
            name, text = cls._split(pair, owner)
            head, dot, rest = name.partition(".")
            if dot and head in groups:
                groups[head][rest] = guess(text)
            else:
                values[name] = cls._convert(name, text, owner)
        return replace(start, **values, **{own: groups[name] for name, own in _groups(cls).items()})

    @classmethod
    def _split(cls, pair: str, owner: str) -> tuple[str, str]:
        """Return the present name and the text of a pair; warn on stderr where it has an old name."""
        name, equals, text = pair.partition("=")
        if not equals:
            raise OptionError(f"{pair} is no option; give key=value, such as {_example_pair(cls, pair)}")
        present = cls.renamed.get(name, name)
        if present != name:
            of = f" of {owner}" if owner else ""
            print(
                f"kinoscope: option {name}{of} is now called {present}; the old name goes with the next release",
                file=sys.stderr,
            )
        return present, text

    @classmethod
    def _convert(cls, name: str, text: str, owner: str) -> Any:
        kind = _require_option(cls, name, owner)
        try:
            return convert(kind, text)
        except ValueError:
            raise OptionError(f"{name}={text} cannot be read; give {_describe_kind(kind)}") from None

    @classmethod
    def describe(cls) -> list[OptionRow]:
        """Return name, default and description of each option but groups, whose names are free."""
        defaults = {one.name: one.default for one in fields(cls)}
        return [
            (name, "" if defaults[name] is None else format_value(defaults[name]), _declaration(cls, name).help)
            for name in _annotations(cls)
            if _declaration(cls, name).group is None
        ]

    @classmethod
    def attributes_help(cls) -> str:
        """Return the section ``Attributes:`` of a docstring, of all options but groups."""
        helps = [
            (name, _declaration(cls, name).help) for name in _annotations(cls) if not _declaration(cls, name).group
        ]
        return "\n".join(["Attributes:", *(f"    {name}: {text}." for name, text in helps)])

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        values = {name: getattr(self, name) for name in _annotations(type(self))}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the options that ``to_dict`` returned, perhaps in an earlier release; absent ones are the defaults.

        Raises:
            OptionError: there is no such option, or its value cannot be used.
        """
        plain: dict[str, Any] = {}
        for name, value in cls.rename(values).items():
            _require_option(cls, name, "")
            plain[name] = tuple(value) if isinstance(value, list) else value
        return cls(**plain)

    @classmethod
    def rename(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a dictionary of saved options with the present names for those of earlier releases."""
        plain = {cls.renamed.get(name, name): value for name, value in values.items()}
        for group, own in _groups(cls).items():
            if own in plain:
                plain[own] = {
                    cls.renamed.get(f"{group}.{name}", f"{group}.{name}").partition(".")[2]: value
                    for name, value in plain[own].items()
                }
        return plain


def _annotations(cls: type[Options]) -> dict[str, Any]:
    """Return the type of each option; own ones first, then those of the base class."""
    hints = get_type_hints(cls)
    names = {one.name for one in fields(cls)}
    own: dict[str, Any] = {}
    for base in cls.__mro__:
        own |= {name: hints[name] for name in inspect.get_annotations(base) if name in names - own.keys()}
    return own


def _declaration(cls: type[Options], name: str) -> Declaration:
    metadata = cls.__dataclass_fields__[name].metadata
    if _KEY not in metadata:
        raise TypeError(f"{cls.__name__}.{name} is not declared with option()")
    declaration: Declaration = metadata[_KEY]
    return declaration


def _groups(cls: type[Options]) -> dict[str, str]:
    """Return prefix -> option, of the options that are groups."""
    return {group: name for name in _annotations(cls) if (group := _declaration(cls, name).group)}


def _require_option(cls: type[Options], name: str, owner: str) -> Any:
    """Return the type of an option.

    Raises:
        OptionError: there is no such option; the message suggests the nearest.
    """
    kinds = _annotations(cls)
    if name in kinds:
        return kinds[name]
    known = [known for known in kinds if _declaration(cls, known).group is None]
    title = f"options of {owner}" if owner else "known"
    raise OptionError(f"there is no option {name}; {suggest(name, known)}{title}: {', '.join(known)}")


def convert(kind: Any, text: str) -> Any:
    """Convert a text to the type of an option.

    Raises:
        ValueError: it cannot be converted.
    """
    if get_origin(kind) in (Union, types.UnionType):
        return None if text.strip().lower() in UNSET else convert(_without_none(kind), text)
    if get_origin(kind) is Literal:
        return next((value for value in get_args(kind) if str(value) == text.strip()), text)
    if get_origin(kind) is tuple:
        if get_args(kind) == (int, int):
            return _convert_size(text)
        return tuple(convert(get_args(kind)[0], name) for name in split_names(text))
    if kind is bool:
        if text.strip().lower() not in BOOLEANS:
            raise ValueError(text)
        return BOOLEANS[text.strip().lower()]
    return kind(text) if kind in (int, float) else text


def _convert_size(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if len(parts) > 2:
        raise ValueError(text)
    return tuple(int(part) for part in (parts * 2)[:2])


def split_names(text: str) -> tuple[str, ...]:
    """Return the names of a text in which commas separate them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _is_names(kind: Any) -> bool:
    """Return whether an option holds names, or None."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = _without_none(kind)
    return get_origin(kind) is tuple and get_args(kind) == (str, ...)


def _join_names(value: Any) -> Any:
    """Return the names of a text or of several; any other value as it is."""
    if isinstance(value, str):
        return split_names(value)
    if isinstance(value, tuple | list) and all(isinstance(text, str) for text in value):
        return tuple(name for text in value for name in split_names(text))
    return value


def _without_none(kind: Any) -> Any:
    """Return the type that a union with None has beside it."""
    return next(one for one in get_args(kind) if one is not types.NoneType)


def guess(text: str) -> Any:
    """Convert a value of a group, whose type only its owner knows, to a boolean, a number, or a text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def format_value(value: Any) -> str:
    """Return the text of a value, as ``parse`` reads it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ("x" if len(value) == 2 and isinstance(value[0], int) else ",").join(map(str, value))
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    return str(value)


def _check_value(name: str, value: Any, kind: Any, declaration: Declaration) -> None:
    """Demand the type, the choices and the limits of a value.

    Raises:
        OptionError: it has another type, is none of the choices, or is outside its limits.
    """
    if get_origin(kind) in (Union, types.UnionType):
        if value is None:
            return
        kind = _without_none(kind)
    if get_origin(kind) is not Literal and not _has_type(value, kind):
        raise OptionError(f"{name}={value} is not possible; give {_describe_kind(kind)}")
    choices = get_args(kind) if get_origin(kind) is Literal else declaration.choices
    if choices is not None:
        _check_choice(name, value, choices() if callable(choices) else choices)
    numbers = value if isinstance(value, tuple) else (value,)
    if not all(_is_inside(number, declaration) for number in numbers if not isinstance(number, str | bool | Mapping)):
        raise OptionError(f"{name}={format_value(value)} is not possible; give {_describe_limits(declaration)}")


def _check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    known = list(choices)
    for one in value if isinstance(value, tuple) else (value,):
        if one not in known:
            listed = ", ".join(map(str, known))
            raise OptionError(f"{name}={one} is unknown; {suggest(str(one), map(str, known))}choose from {listed}")


def _has_type(value: Any, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        fits = isinstance(value, tuple) and (parts[1:] == (...,) or len(value) == len(parts))
        return fits and all(_has_type(one, parts[0]) for one in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else get_origin(kind) or kind)


def _is_inside(number: float, declaration: Declaration) -> bool:
    low, high, above, below = declaration.low, declaration.high, declaration.above, declaration.below
    inside = (low is None or number >= low) and (high is None or number <= high)
    return isfinite(number) and inside and (above is None or number > above) and (below is None or number < below)


def _describe_limits(declaration: Declaration) -> str:
    low, high, above, below = (
        None if limit is None else format_value(limit)
        for limit in (declaration.low, declaration.high, declaration.above, declaration.below)
    )
    if low and high:
        return f"{low} to {high}"
    parts = [f"{low} or more" if low else "", f"more than {above}" if above else ""]
    parts += [f"{high} or less" if high else "", f"less than {below}" if below else ""]
    return ", ".join(filter(None, parts)) or "a finite number"


def _describe_kind(kind: Any) -> str:
    """Return the valid values of a type, as a message names them."""
    if get_origin(kind) in (Union, types.UnionType):
        kind = _without_none(kind)
    if get_origin(kind) is tuple:
        if get_args(kind) == (int, int):
            return "a size such as 160x160"
        return "names, separated by commas" if get_args(kind)[0] is str else "numbers, separated by commas"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return names.get(kind, "names with values")


def _example_pair(cls: type[Options], name: str) -> str:
    """Return an example of a pair: of the option that is named, else of the first that has a default."""
    rows = [row for row in cls.describe() if row[1]]
    named = [row for row in rows if row[0] == name]
    return next((f"{row[0]}={row[1]}" for row in named + rows), "key=1")
