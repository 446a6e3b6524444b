"""Verification of the cache: by size and modification time at each load, by sha256 where these differ.

A folder's *seal* is a JSON file in it with the size, the modification time and the sha256 of each file when it was
written.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinoscope.core.errors import OutputError
from kinoscope.core.files import atomic_write
from kinoscope.core.hashing import sha256_file
from kinoscope.core.untrusted import read_json

SEAL_FILE = "verified.json"

Stamp = list[Any]
"""Size in bytes, modification time in nanoseconds, and sha256."""


def write_seal(folder: Path, names: Iterable[str]) -> None:
    """Record the current state of files. If the seal cannot be written, the files are hashed at each load."""
    with contextlib.suppress(OSError, OutputError):
        stamps = {name: [*_stat(folder / name), sha256_file(folder / name)] for name in names}
        with atomic_write(folder / SEAL_FILE, sync=False, listed=False) as temporary:
            temporary.write_text(json.dumps(stamps))


def find_altered(folder: Path, digests: Mapping[str, str] | None = None, thorough: bool = False) -> list[str]:
    """Return the names of files that are missing or whose content differs from the expected.

    Args:
        folder: with a seal; without one all files are hashed.
        digests: sha256 by name, as a card pins them; those of the seal if None.
        thorough: hash every file, even if its size and modification time are unchanged.
    """
    stamps = _read(folder)
    expected = {name: stamp[2] for name, stamp in stamps.items()} if digests is None else digests
    if not expected:
        return [SEAL_FILE]
    stale = [name for name, digest in expected.items() if thorough or not _unchanged(folder / name, stamps, digest)]
    altered = [name for name in stale if not _matches(folder / name, expected[name])]
    if stale and not altered:
        write_seal(folder, expected)
    return altered


@contextmanager
def verified(folder: Path, pattern: str) -> Iterator[Path | None]:
    """Yield a folder that another library writes to; remove altered files on entry, seal it on exit.

    Yields:
        The folder; None if it cannot be written, or altered files cannot be removed, so that it must not be used.
    """
    stamps, altered = _read(folder), find_altered(folder)
    suspect = [path for path in folder.glob(pattern) if path.name in altered or path.name not in stamps]
    try:
        for path in suspect:
            path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "it cannot be written")
    except OSError:
        yield None
        return
    yield folder
    names = [path.name for path in folder.glob(pattern)]
    if set(names) != set(stamps) or suspect:
        write_seal(folder, names)


def _read(folder: Path) -> dict[str, Stamp]:
    try:
        values = read_json(folder / SEAL_FILE)
        return {name: stamp for name, stamp in values.items() if Path(name).name == name and len(stamp) == 3}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _unchanged(path: Path, stamps: Mapping[str, Stamp], digest: str) -> bool:
    try:
        return stamps.get(path.name) == [*_stat(path), digest]
    except OSError:
        return False


def _matches(path: Path, digest: str) -> bool:
    return os.path.isfile(path) and sha256_file(path) == digest


def _stat(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
