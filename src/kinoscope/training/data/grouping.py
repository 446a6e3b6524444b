r"""Groups by file names: clips that must not be split between training and testing.

A rule is ``KEY`` or ``KEY//N``:

- ``number``: the last number in the file's name, so ``number//8`` puts files 0 to 7 together, 8 to 15, and so on;
- ``index``: the index of the clip among those of its class in natural order, from 0 on, so ``index//24`` makes blocks
  of 24 neighbours, the first block of every class in one group (``place``, as earlier releases called it, is accepted);
- a regular expression: what its parenthesis matches in the path below the data's folder, so ``(person\d+)`` puts the
  clips of a person together, and ``([^/]+)/[^/]+$`` those of a folder.

``//N`` divides a number by N and rounds down.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from kinoscope.core.errors import DatasetError
from kinoscope.training.data.dataset import Example

Key = Callable[[str, int], str]
"""From the path of a clip below the root, and its index in its class, to its key."""

HELP = r"give index//24 (blocks of neighbours), number//8 (the number in a name) or a pattern such as '(person\d+)'"


def group_by(examples: Sequence[Example], rule: str, root: Path) -> tuple[Example, ...]:
    """Return the examples with the groups of a rule.

    Raises:
        DatasetError: the rule is not valid, or does not fit a file's name.
    """
    key, divisor = _parse(rule)
    counts: Counter[tuple[str, ...]] = Counter()
    grouped = []
    for example in examples:
        name = os.path.relpath(example.path, root).replace(os.sep, "/")
        grouped.append(replace(example, group=_divided(key(name, counts[example.labels]), divisor, name, rule)))
        counts[example.labels] += 1
    return tuple(grouped)


def check_group(rule: str) -> None:
    """Check that a rule is valid; an empty one is.

    Raises:
        DatasetError: it is not.
    """
    if rule:
        _parse(rule)


def _parse(rule: str) -> tuple[Key, int | None]:
    matched = re.fullmatch(r"(.+?)(?://(\d+))?", rule)
    if matched is None or rule.isdigit() or matched[2] == "0":
        raise DatasetError(f"group={rule} is not valid; {HELP}")
    name, divisor = matched[1], int(matched[2]) if matched[2] else None
    if name in ("index", "place", "number"):
        return (_number if name == "number" else lambda name, index: str(index)), divisor
    try:
        pattern = re.compile(name)
    except re.error as error:
        raise DatasetError(f"group={rule} is no regular expression ({error}); {HELP}") from None
    if pattern.groups != 1:
        raise DatasetError(f"group={rule} has {pattern.groups} parentheses, and one is needed; {HELP}")
    return (lambda name, index: _match(pattern, name)), divisor


def _number(name: str, index: int) -> str:
    numbers = re.findall(r"\d+", Path(name).stem)
    if not numbers:
        raise DatasetError(f"{name} has no number to group by; {HELP}")
    return str(int(numbers[-1]))


def _match(pattern: re.Pattern[str], name: str) -> str:
    match = pattern.search(name)
    if match is None or match[1] is None:
        raise DatasetError(f"{name} does not match group={pattern.pattern}; {HELP}")
    return match[1]


def _divided(key: str, divisor: int | None, name: str, rule: str) -> str:
    if divisor is None:
        return key
    if not key.isdecimal():
        raise DatasetError(f"group={rule} divides a number, but the key of {name} is {key!r}; {HELP}")
    return str(int(key) // divisor)
