"""Temporary files, in private folders with random names, which a later process removes after a crash."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":  # there, stale folders stay until the user removes them
    import fcntl

_SCRATCH = re.compile(r"\.kinoscope-[0-9a-f]{16}\.part")
_MAX_SUFFIX_BYTES = 32
"""Bytes of a suffix that a temporary file keeps; a longer one names no format."""


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """Yield a new private folder with a random name for temporary files, and remove it in the end.

    It is locked as long as the process lives, so that ``remove_stale`` can distinguish it from one of a killed process.
    """
    folder, lock = _locked_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked_folder(parent: Path) -> tuple[Path, int | None]:
    while True:
        folder = parent / f".kinoscope-{secrets.token_hex(8)}.part"
        folder.mkdir(0o700)
        try:
            lock, locked = lock_folder(folder)
        except FileNotFoundError:
            continue  # another process took the folder, not locked yet, for a stale one
        except OSError:
            folder.rmdir()
            raise
        if locked and folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def lock_folder(folder: Path) -> tuple[int | None, bool]:
    """Lock a folder; return the descriptor, None where locks are not supported, and whether this process owns the lock.

    Raises:
        OSError: it cannot be opened.
    """
    if sys.platform == "win32":
        return None, True
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return descriptor, False
    except OSError:  # a network disk without such locks
        os.close(descriptor)
        return None, True
    return descriptor, True


def remove_stale(folder: Path) -> None:
    """Remove the temporary folders of processes that no longer run."""
    try:
        stale = [Path(entry.path) for entry in os.scandir(folder) if _SCRATCH.fullmatch(entry.name)]
    except OSError:
        return
    for path in stale:
        with suppress(OSError):
            _remove_unlocked(path)


def _remove_unlocked(folder: Path) -> None:
    """Remove a folder of temporary files, unless a process holds its lock or locks are not supported."""
    lock, locked = lock_folder(folder)
    if lock is not None:
        if locked:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def suffix_of(path: Path) -> str:
    """Return the suffix for a temporary file; none where that of ``path`` is too long for a format."""
    return path.suffix if len(os.fsencode(path.suffix)) <= _MAX_SUFFIX_BYTES else ""
