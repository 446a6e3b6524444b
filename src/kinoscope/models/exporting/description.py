"""Metadata in the file of an exported network: texts that every format stores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kinoscope import __version__

PIXELS = "uint8 RGB, 0 to 255, as decoded; the network scales them itself"


def describe(name: str, fields: Mapping[str, Any]) -> dict[str, str]:
    """Return metadata as texts: numbers and lists as JSON, without what is not given."""
    given = {"name": name, "kinoscope": __version__} | {key: value for key, value in fields.items() if value}
    return {key: _clean(value) if isinstance(value, str) else json.dumps(value) for key, value in given.items()}


def _clean(text: str) -> str:
    """Return a text that every format stores: characters that UTF-8 or XML lack are replaced."""
    return "".join(char if char.isprintable() else "?" for char in text.encode("utf-8", "replace").decode())
