"""Serialization of values as JSON, and of arbitrary strings as text that any file can hold."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

import numpy as np


def dumps(value: Any) -> str:
    """Return ``value`` as JSON on one line. Arrays become lists, exact rates ``"24000/1001"``, paths strings.

    Raises:
        ValueError: a number is not finite, which JSON cannot represent.
        TypeError: a value has no JSON form.
    """
    return utf8(json.dumps(value, ensure_ascii=False, allow_nan=False, default=_default))


def utf8(text: str) -> str:
    r"""Return text that UTF-8 can encode: lone surrogates, as in undecodable file names, become ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    """Return text on one line: each run of white space and control characters becomes one space."""
    return " ".join("".join(c if c.isprintable() else " " for c in utf8(text)).split())


def file_url(path: str) -> str:
    """Return the absolute ``file:`` URL of a file or folder; a path that is a URL already stays as it is."""
    if re.match(r"[a-z][a-z0-9+.-]+:", path):  # a URL, a camera, a synthetic video
        return one_line(path)
    return Path(path).absolute().as_uri() if path else ""


def _default(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (Fraction, PurePath)):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no plain form")
