"""Validation of JSON values against a JSON Schema, for the keywords that ``timeline.schema.json`` uses.

These are type, const, enum, minimum, required, properties, additionalProperties, items, prefixItems, minItems,
maxItems and $ref within the file (draft 2020-12). The first error is reported with its path, such as
``events[3].end is missing``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from itertools import chain, repeat
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


@cache
def timeline_schema() -> Schema:
    """Return the published schema of timeline.json."""
    schema: Schema = json.loads((files("kinoscope.views.formats") / "timeline.schema.json").read_text("utf-8"))
    return schema


def first_error(value: Any, schema: Schema) -> str | None:
    """Return one line on the first violation of ``schema`` in ``value``, or None if it is valid."""
    return next(_errors(value, schema, "", schema), None)


def _errors(value: Any, schema: Schema, path: str, root: Schema) -> Iterator[str]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if expected := _expected_value(value, schema):
        yield f"{path or 'the file'} is {_shorten(value)}; it must be {expected}"
    elif isinstance(value, dict):
        yield from _object_errors(value, schema, path, root)
    elif isinstance(value, list):
        yield from _array_errors(value, schema, path, root)


def _expected_value(value: Any, schema: Schema) -> str | None:
    """Return what ``value`` must be and is not, or None; its items are not checked."""
    if "const" in schema and (type(value), value) != (type(schema["const"]), schema["const"]):
        return str(schema["const"])
    if "enum" in schema and value not in schema["enum"]:
        return "one of " + ", ".join(schema["enum"])
    if "type" in schema and not _has_type(value, schema["type"]):
        return " or ".join(_as_list(schema["type"]))
    if "minimum" in schema and value < schema["minimum"]:
        return f"at least {schema['minimum']}"
    if isinstance(value, list):
        return _expected_length(len(value), schema.get("minItems", 0), schema.get("maxItems", math.inf))
    return None


def _expected_length(length: int, min_items: int, max_items: float) -> str | None:
    if min_items <= length <= max_items:
        return None
    return f"a list of {min_items}{'' if min_items == max_items else ' or more'}, not {length}"


def _as_list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _has_type(value: Any, names: str | list[str]) -> bool:
    if isinstance(value, bool):  # bool is a subclass of int in Python, but not a number in JSON
        return "boolean" in _as_list(names)
    return any(isinstance(value, _TYPES[name]) for name in _as_list(names))


def _object_errors(value: dict[str, Any], schema: Schema, path: str, root: Schema) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{prefix}{name} is missing"
    known = schema.get("properties", {})
    for name, inner in value.items():
        rule = known.get(name) or schema.get("additionalProperties")
        if rule:
            yield from _errors(inner, rule, f"{prefix}{name}", root)


def _array_errors(value: list[Any], schema: Schema, path: str, root: Schema) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    rest = schema.get("items")
    if rest == {"type": "number"} and set(map(type, value)) <= {int, float}:
        return  # the boxes, which are nearly all of a file: checked without a loop
    rules = chain(first, repeat(rest) if rest else ())
    for number, (inner, rule) in enumerate(zip(value, rules, strict=False)):
        yield from _errors(inner, rule, f"{path}[{number}]", root)


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
