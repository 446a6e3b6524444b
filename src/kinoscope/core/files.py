"""Files that are either whole or absent."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinoscope.core.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or write to another disk",
    errno.EDQUOT: "the disk quota is used up; free some space or write to another disk",
    errno.EROFS: "the disk is read-only; give a path on another disk",
    errno.EACCES: "permission denied; give a path that you may write to",
    errno.EPERM: "permission denied; give a path that you may write to",
    errno.EISDIR: "it is a folder; give the path of a file",
    errno.ENOTDIR: "a part of the path is a file; give a path through folders",
    errno.EEXIST: "a part of the path is a file; give a path through folders",
}


@contextmanager
def atomic(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; the file takes its name when the block ends well.

    The temporary path has the same suffix, in the same folder, which is made where it is missing. Whatever
    goes wrong inside the block, Ctrl-C too, ``path`` is left as it was and the temporary file is removed.

    Args:
        path: the file to make or replace.
        sync: whether to wait until the file is on the disk.

    Raises:
        OutputError: the file cannot be written; one line that says why.
    """
    final = Path(path)
    temporary = final.with_name(f".{secrets.token_hex(6)}{final.suffix}")
    try:
        if final.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        final.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if sync:
            _sync(temporary)
        temporary.replace(final)
    except OSError as error:
        raise cannot_write(final, error) from None
    finally:
        _forget(temporary)


def cannot_write(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Say in one line why ``path`` could not be written and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}; give another path")
    return OutputError(f"cannot write {os.fspath(path)}: {remedy}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder is gone or unreachable, and the file with it; the first error says so
        return
