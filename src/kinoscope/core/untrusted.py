"""Safe reading of untrusted data: JSON within limits, and paths that stay inside one folder."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

MAX_JSON_BYTES = 16_000_000
"""Bytes of a JSON file that describes a model, a run or a gallery."""

MAX_JSON_DEPTH = 64
"""Nesting of lists and objects: real files have fewer than ten levels, and what processes them may recurse."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_sha256(text: object) -> bool:
    """Return whether a value is a SHA-256 in hex digits, and so safe as a part of a file name."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def resolve_inside(folder: str | os.PathLike[str], name: str | os.PathLike[str]) -> Path:
    """Return the path that ``name`` resolves to below ``folder``, symbolic links followed.

    Raises:
        ValueError: it lies outside the folder, or cannot be a path.
    """
    root = Path(folder).resolve()
    path = (root / name).resolve()
    if path == root or not path.is_relative_to(root):
        raise ValueError(f"{os.fspath(name)!r} lies outside {folder}")
    return path


def read_regular(path: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Return the content of a regular file; never block on a pipe, a socket or a device.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or larger than ``max_bytes``.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes / 1e6:g} MB")
    return data


def read_json(path: str | os.PathLike[str], max_bytes: int = MAX_JSON_BYTES, allow_nan: bool = False) -> Any:
    """Return the content of a JSON file; ``allow_nan``: NaN and infinities too.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, is not a regular file, is too large or is nested too deep.
    """
    return parse_json(read_regular(path, max_bytes), allow_nan)


def parse_json(text: str | bytes, allow_nan: bool = False) -> Any:
    """Parse JSON text nested at most ``MAX_JSON_DEPTH`` deep; ``allow_nan``: NaN and infinities too.

    Raises:
        ValueError: it is no JSON, or is nested too deep.
    """
    try:
        plain = json.loads(text, parse_constant=None if allow_nan else _refuse)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    _check_depth(plain)
    return plain


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _check_depth(plain: Any) -> None:
    """Traverse all lists and objects level by level, so that the check itself never recurses."""
    level, depth = [plain], 0
    while level := [node for node in level if isinstance(node, (dict, list))]:
        depth += 1
        if depth > MAX_JSON_DEPTH:
            raise ValueError(_too_deep())
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]


def _too_deep() -> str:
    return f"it is nested deeper than {MAX_JSON_DEPTH} levels"
