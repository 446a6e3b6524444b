"""What is kept in the cache is verified: by size and time stamp at each load, by its sha256 when these differ.

A folder's *seal* is a JSON file in it with the size, the time stamp and the sha256 of each file when it was written.
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
"""Size in bytes, time of the last change in nanoseconds, and sha256."""


def write_seal(folder: Path, names: Iterable[str]) -> None:
    """Write down what files are now. Where that cannot be written, they are hashed again at each load."""
    with contextlib.suppress(OSError, OutputError):
        stamps = {name: [*_stat(folder / name), sha256_file(folder / name)] for name in names}
        with atomic_write(folder / SEAL_FILE, sync=False, listed=False) as temporary:
            temporary.write_text(json.dumps(stamps))


def find_altered(folder: Path, digests: Mapping[str, str] | None = None, thorough: bool = False) -> list[str]:
    """Return the names of files that are missing or have another content than they should.

    Args:
        folder: with a seal; without one all files are hashed.
        digests: sha256 by name, as a card pins them; those of the seal if not given.
        thorough: hash every file, whatever its size and time stamp say.
    """
    known = _read(folder)
    pinned = {name: stamp[2] for name, stamp in known.items()} if digests is None else digests
    if not pinned:
        return [SEAL_FILE]
    stale = [name for name, digest in pinned.items() if thorough or not _unchanged(folder / name, known, digest)]
    wrong = [name for name in stale if not _matches(folder / name, pinned[name])]
    if stale and not wrong:
        write_seal(folder, pinned)
    return wrong


@contextmanager
def verified(folder: Path, pattern: str) -> Iterator[Path | None]:
    """Yield a folder in which another library keeps files; on entry those that it did not leave so are removed.

    Yields:
        The folder; None where it cannot be written, or altered files cannot be removed, so that it must not be used.
    """
    known, wrong = _read(folder), find_altered(folder)
    suspect = [path for path in folder.glob(pattern) if path.name in wrong or path.name not in known]
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
    if set(names) != set(known) or suspect:
        write_seal(folder, names)


def _read(folder: Path) -> dict[str, Stamp]:
    try:
        plain = read_json(folder / SEAL_FILE)
        return {name: stamp for name, stamp in plain.items() if Path(name).name == name and len(stamp) == 3}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _unchanged(path: Path, known: Mapping[str, Stamp], digest: str) -> bool:
    try:
        return known.get(path.name) == [*_stat(path), digest]
    except OSError:
        return False


def _matches(path: Path, digest: str) -> bool:
    return os.path.isfile(path) and sha256_file(path) == digest


def _stat(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns
