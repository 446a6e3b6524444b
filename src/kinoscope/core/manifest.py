"""The manifest of a folder: which of its files kinoscope wrote, and their content at that time.

``.kinoscope.jsonl`` lies beside the files that it lists. It is a journal: a line of JSON for each file that was
written, added before the file is moved to its name, so that a process that is killed in between leaves no file that is
not listed. Lines are only ever appended, each in one call, so several processes may write at once; a line that was cut
short by a full disk is skipped. A file is kinoscope's own as long as its content matches some line of its name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinoscope.core.errors import OutputError

NAME = ".kinoscope.jsonl"
HEADER = '{"kinoscope": "manifest", "schema": 1}'
_FLAGS = os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was written.

    Attributes:
        size: in bytes.
        sha256: of the content; empty for a link.
        by: the command that wrote it, and what it read, see ``core.files.Claim``; empty where that is unknown.
        grows: whether lines are appended to it, so that only its first ``size`` bytes are constant.
        inode: of a hard link to a file that is not kinoscope's own.
    """

    size: int
    sha256: str
    by: str = ""
    grows: bool = False
    inode: int | None = None

    @classmethod
    def of(cls, path: Path, by: str = "", grows: bool = False) -> Entry:
        """Return the entry of a file that is to be listed."""
        size = path.stat().st_size
        return cls(size, _digest(path, size), by, grows)

    def matches(self, path: Path, status: os.stat_result) -> bool:
        """Return whether a regular file is still as it was written."""
        if self.inode is not None:
            # The last name of a file is never removed.
            return status.st_ino == self.inode and status.st_nlink > 1
        fits = status.st_size >= self.size if self.grows else status.st_size == self.size
        return fits and _digest(path, self.size) == self.sha256


def add(path: Path, entry: Entry) -> None:
    """Add a file to the manifest of its folder, which exists.

    Raises:
        OutputError: another file, or a folder, has the name of the manifest.
        OSError: it cannot be written.
    """
    row = {"name": path.name, "size": entry.size, "sha256": entry.sha256, "by": entry.by}
    row |= {"grows": True} if entry.grows else {}
    row |= {} if entry.inode is None else {"inode": entry.inode}
    manifest = path.with_name(NAME)
    try:
        descriptor = os.open(manifest, os.O_RDWR | _FLAGS, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise _foreign(manifest) from None
        raise
    with open(descriptor, "r+b", buffering=0) as file:
        header = b"" if _is_headed(file.fileno(), manifest) else HEADER.encode() + b"\n"
        # A line that was cut short before this one must not swallow it.
        line = header + b"\n" + json.dumps(row).encode() + b"\n"
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def find(path: Path) -> Entry | None:
    """Return the manifest's entry of a file that is as kinoscope wrote it; None for any other, and for links."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            return None
        return next((entry for entry in _entries(path) if entry.matches(path, status)), None)
    except (OSError, ValueError):  # a foreign manifest may contain names that no file can have
        return None


def writers(path: Path) -> set[str]:
    """Return all commands that ever wrote a file of a name."""
    return {entry.by for entry in _entries(path)}


def listed(folder: Path) -> list[Path]:
    """Return the files of a folder that its manifest names, existing or not."""
    rows = [_parse(line) for line in _lines(folder / NAME)]
    names = dict.fromkeys(str(row["name"]) for row in rows if "name" in row)
    return [folder / name for name in names if name not in ("", ".", "..") and "/" not in name and os.sep not in name]


def _entries(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file, the latest first."""
    needle = json.dumps(path.name)
    for line in reversed(_lines(path.with_name(NAME))):
        if needle in line and (entry := _read(line, path.name)):
            yield entry


def _lines(manifest: Path) -> list[str]:
    if manifest.is_symlink() or not manifest.is_file():
        return []
    lines = manifest.read_text("utf-8", errors="replace").split("\n")
    return lines if lines and lines[0] == HEADER else []


def _read(line: str, name: str) -> Entry | None:
    row = {"sha256": "", "by": "", "inode": None} | _parse(line)
    kinds = {"name": str, "size": int, "sha256": str, "by": str, "inode": int | None}
    if row.get("name") != name or not all(isinstance(row.get(key), kind) for key, kind in kinds.items()):
        return None
    return Entry(row["size"], row["sha256"], row["by"], bool(row.get("grows")), row["inode"])


def _parse(line: str) -> dict[str, Any]:
    """Return a line as it was written; an empty row where it was cut short."""
    try:
        row = json.loads(line) if line else {}
    except (ValueError, RecursionError):
        return {}
    return row if isinstance(row, dict) else {}


def _is_headed(descriptor: int, manifest: Path) -> bool:
    """Return whether a manifest has its header; a file of that name without one is never added to."""
    status = os.fstat(descriptor)
    if not status.st_size and stat.S_ISREG(status.st_mode):
        return False
    if not stat.S_ISREG(status.st_mode) or os.pread(descriptor, len(HEADER), 0) != HEADER.encode():
        raise _foreign(manifest)
    return True


def _foreign(manifest: Path) -> OutputError:
    return OutputError(
        f"{manifest} is in the way: kinoscope lists there what it writes, and this is no such list that it can read; "
        "move it away, or give another folder"
    )


def _digest(path: Path, size: int) -> str:
    """Return the SHA-256 of the first ``size`` bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while size > 0 and (block := file.read(min(size, _BLOCK))):
            digest.update(block)
            size -= len(block)
    return digest.hexdigest()
