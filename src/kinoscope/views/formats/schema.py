"""A check of plain JSON values against a JSON Schema, for the words that ``timeline.schema.json`` uses.

Only those: type, const, enum, minimum, required, properties, additionalProperties, items, prefixItems, minItems,
maxItems and $ref within the file (draft 2020-12). The first thing that is wrong is named by its place, such as
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
    """Give the published schema of timeline.json."""
    schema: Schema = json.loads((files("kinoscope.views.formats") / "timeline.schema.json").read_text("utf-8"))
    return schema


def first_error(value: Any, schema: Schema) -> str | None:
    """Give one line on the first thing in ``value`` that breaks ``schema``, or None if all is well."""
    return next(_errors(value, schema, "", schema), None)


def _errors(value: Any, schema: Schema, place: str, root: Schema) -> Iterator[str]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    if wrong := _expected_value(value, schema):
        yield f"{place or 'the file'} is {_shorten(value)}; it must be {wrong}"
    elif isinstance(value, dict):
        yield from _object_errors(value, schema, place, root)
    elif isinstance(value, list):
        yield from _array_errors(value, schema, place, root)


def _expected_value(value: Any, schema: Schema) -> str | None:
    """Give what ``value`` must be and is not, leaving aside what is inside it."""
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


def _expected_length(length: int, least: int, most: float) -> str | None:
    if least <= length <= most:
        return None
    return f"a list of {least}{'' if least == most else ' or more'}, not {length}"


def _as_list(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _has_type(value: Any, names: str | list[str]) -> bool:
    if isinstance(value, bool):  # a kind of int in Python, but not in JSON
        return "boolean" in _as_list(names)
    return any(isinstance(value, _TYPES[name]) for name in _as_list(names))


def _object_errors(value: dict[str, Any], schema: Schema, place: str, root: Schema) -> Iterator[str]:
    prefix = f"{place}." if place else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{prefix}{name} is missing"
    known = schema.get("properties", {})
    for name, inner in value.items():
        rule = known.get(name) or schema.get("additionalProperties")
        if rule:
            yield from _errors(inner, rule, f"{prefix}{name}", root)


def _array_errors(value: list[Any], schema: Schema, place: str, root: Schema) -> Iterator[str]:
    first = schema.get("prefixItems", [])
    rest = schema.get("items")
    if rest == {"type": "number"} and set(map(type, value)) <= {int, float}:
        return  # the boxes, by far the most of a file
    rules = chain(first, repeat(rest) if rest else ())
    for number, (inner, rule) in enumerate(zip(value, rules, strict=False)):
        yield from _errors(inner, rule, f"{place}[{number}]", root)


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
