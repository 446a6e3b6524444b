"""Safe loading of untrusted YAML: plain values within limits, so that no file takes long or much memory."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

MAX_BYTES = 1_000_000
"""Bytes of a rule file."""

MAX_DEPTH = 20
"""Nesting of lists and mappings; rules have six levels."""

MAX_NODES = 20_000
"""Values of a file; those that aliases and merge keys repeat count as often as they are repeated."""

MAX_SCALAR_LENGTH = 1000
"""Characters of one value."""

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def parse_yaml(text: str) -> Any:
    """Parse YAML text.

    Raises:
        yaml.YAMLError: it is no YAML.
        ValueError: a limit is exceeded, or a value cannot be read.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Loader of plain YAML within limits, in which a duplicate key is an error.

    Whole numbers are decimal: of YAML 1.1's others, a number to base 60 such as ``22:30`` is a time to everybody else.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Compose a node from its events."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        if self._count > MAX_NODES:
            raise ValueError(f"it has more than {MAX_NODES} values")
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.ScalarNode) and len(node.value) > MAX_SCALAR_LENGTH:
            raise ValueError(f"a value is longer than {MAX_SCALAR_LENGTH} characters")
        return node

    def compose_document(self) -> yaml.Node:
        """Compose the document, and count what its aliases repeat before values are constructed."""
        document = super().compose_document()
        waiting, count = [document], 0
        while waiting:
            node = waiting.pop()
            count += 1
            if count > MAX_NODES:
                raise ValueError(f"it has more than {MAX_NODES} values, those that aliases repeat counted")
            if isinstance(node, yaml.SequenceNode):
                waiting += node.value
            elif isinstance(node, yaml.MappingNode):
                waiting += [part for pair in node.value for part in pair]
        return document

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Construct a mapping."""
        names: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in names:
                raise yaml.constructor.ConstructorError(None, None, f"{name!r} is given twice", key.start_mark)
            names.add(name)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Return how plain values are resolved by their first character, numbers by stricter patterns."""
    patterns = {"tag:yaml.org,2002:int": _whole(_INT), "tag:yaml.org,2002:float": _whole(_FLOAT)}
    known = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [(tag, patterns.get(tag, pattern)) for tag, pattern in rows] for first, rows in known.items()}


def _whole(pattern: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern.pattern})$")


_Loader.yaml_implicit_resolvers = _resolvers()
