"""Atomic file output that never overwrites files of other origin: a file is either whole or absent.

``atomic_write`` writes a file, ``append`` adds a line to one and ``remove`` deletes one, with temporary files of
``core.scratch``. ``require_free`` decides what may be replaced: files that the manifest of the folder lists as they
are, and that no running command reads.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kinoscope.core import manifest
from kinoscope.core.addresses import Address, is_address, short_name
from kinoscope.core.errors import OutputError, OutputExists
from kinoscope.core.scratch import lock_folder, remove_stale, scratch_folder, suffix_of

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or write to another disk",
    errno.EDQUOT: "the disk quota is used up; free some space or write to another disk",
    errno.EFBIG: "the file is larger than this disk or a limit of the system allows; write to another disk",
    errno.EROFS: "the disk is read-only; give a path on another disk",
    errno.EACCES: "permission denied; give a path that you may write to",
    errno.EPERM: "permission denied; give a path that you may write to",
    errno.EISDIR: "it is a folder; give the path of a file",
    errno.ENOTDIR: "a part of the path is a file; give a path through folders",
    errno.EEXIST: "a part of the path is a file; give a path through folders",
    errno.EMFILE: "too many files are open; close some, or raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open; close some programs",
    errno.ENAMETOOLONG: "the name is too long; give a shorter one",
    errno.ELOOP: "a link of the path leads back to itself; give another path",
}

DEFAULT_DIFFERENCE = "of another file or with other options"
"""Description, in a message, of the difference between two results of one command with inputs of the same names."""


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """An output path of a running command.

    Attributes:
        root: the absolute path of its file or folder.
        by: the command and what it reads, as messages name it, with a digest after ``#``.
        inputs: device and inode of the files that it reads: none of them is ever replaced.
        overwrite: whether kinoscope's own results of another command or input may be replaced.
        private: whether the output identifies people: then only its owner may read it.
        difference: returns how its results differ from those that exist; for messages.
    """

    root: Path
    by: str = ""
    inputs: frozenset[tuple[int, int]] = frozenset()
    overwrite: bool = False
    private: bool = False
    difference: Callable[[], str] | None = None

    def covers(self, path: Path) -> bool:
        """Return whether an absolute path is the claimed one, or lies in it."""
        pattern = numbered_pattern(self.root)
        is_numbered = (
            pattern is not None and path.parent == self.root.parent and pattern.fullmatch(path.name) is not None
        )
        return path == self.root or self.root in path.parents or is_numbered


def numbered_pattern(path: Path) -> re.Pattern[str] | None:
    """Return the pattern of the file names that a path such as ``out/%05d.png`` produces; None for other paths."""
    if "%" not in path.name:
        return None
    return re.compile(re.sub(r"%0?\d*d", r"\\d+", re.escape(path.name).replace(r"\%", "%")))


_CLAIMS: list[Claim] = []
_LOCK = threading.Lock()


@contextmanager
def claim_output(
    out: str | os.PathLike[str],
    by: str = "",
    inputs: Sequence[str | os.PathLike[str]] = (),
    *,
    names: Sequence[str] = (),
    overwrite: bool = False,
    private: bool = False,
    difference: Callable[[], str] | None = None,
) -> Iterator[None]:
    """Claim a file or a folder for what is written inside the block, in any thread.

    A file that an earlier command wrote may be replaced if that was the same command with the same inputs.

    Args:
        out: a file, or a folder.
        by: the command and what it reads, see ``command_id``.
        inputs: what it reads; files among them are not replaced, by whatever name they are reached.
        names: the files of the folder ``out`` that will be written, as far as they are known: they are checked now.
        overwrite: whether kinoscope's own results of another command or input may be replaced.
        private, difference: see ``Claim``.

    Raises:
        OutputError: a file exists that may not be replaced, or the path cannot be written.
    """
    if is_address(os.fspath(out)):
        raise OutputError(f"{out} is an address, and results are written to files; give a path (-o)")
    root = Path(os.path.abspath(out))
    claim = Claim(root, by, frozenset(_identities(inputs)), overwrite, private, difference)
    with _LOCK:
        _CLAIMS.append(claim)
    try:
        remove_stale(root if names else root.parent)
        for path in [Path(out, name) for name in names] or [Path(out)]:
            require_free(path)
        yield
    finally:
        with _LOCK:
            _CLAIMS.remove(claim)


def command_id(verb: str, inputs: Sequence[str | os.PathLike[str]], identity: object = None) -> str:
    """Return what identifies a command: the verb, the names of its inputs, and a digest of what or where these are.

    Args:
        identity: what identifies the inputs, wherever they are; their paths if not given.
    """
    paths = [os.fspath(path) for path in inputs]
    locations = [str(Address(path)) if "://" in path else os.path.realpath(path) for path in paths]
    description = repr((verb, locations if identity is None else identity))
    digest = hashlib.sha256(description.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{' '.join([verb, *map(short_name, paths)])}#{digest}"


def _identities(paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[int, int]]:
    """Yield device and inode of those paths that are files."""
    for path in paths:
        with suppress(OSError, ValueError):
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                yield status.st_dev, status.st_ino


def _claim_of(path: Path) -> Claim:
    full = Path(os.path.abspath(path))
    with _LOCK:
        return next((claim for claim in reversed(_CLAIMS) if claim.covers(full)), Claim(full))


def require_free(path: str | os.PathLike[str], any_command: bool = False) -> bool:
    """Require a path to be free, or a file of kinoscope's own that may be replaced; return whether there is one.

    Args:
        any_command: whether it may be a result of any command.

    Raises:
        OutputExists: a file exists that may not be replaced.
        OutputError: its status cannot be read.
    """
    path = Path(path)
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise write_error(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise write_error(path, IsADirectoryError(errno.EISDIR, "it is a folder"))
    if _is_read(path):
        raise OutputExists(f"{path} is an input, which is never replaced; give another path to write to (-o)")
    entry = manifest.find(path)
    if entry is None:
        raise OutputExists(
            f"{path} is in the way: kinoscope did not write it, or it was changed since; "
            "move it away, or give another path to write to (-o)"
        )
    claim = _claim_of(path)
    if _is_other(entry.by, claim.by) and not (any_command or claim.overwrite):
        raise OutputExists(
            f"{path} is a result of {_other(entry.by, claim)}; give --overwrite to replace it, "
            "or another path to write to (-o)"
        )
    return True


def _is_other(theirs: str, ours: str) -> bool:
    """Return whether another command than ours, which is known, wrote a file; theirs is unknown for trainings."""
    return bool(ours) and theirs.rpartition("#")[2] != ours.rpartition("#")[2]


def _other(theirs: str, claim: Claim) -> str:
    """Return how a message names the other command that wrote a file."""
    if not theirs:
        return "another command"
    command = theirs.rpartition("#")[0]
    if command != claim.by.rpartition("#")[0]:
        return f"`{command}`"
    return f"another `{command}`, {claim.difference() if claim.difference else DEFAULT_DIFFERENCE}"


def _is_read(path: Path) -> bool:
    """Return whether a running command reads the file of a path."""
    identities = set(_identities([path]))
    with _LOCK:
        return any(identities & claim.inputs for claim in _CLAIMS)


def is_own(path: str | os.PathLike[str]) -> bool:
    """Return whether a file exists as kinoscope wrote it."""
    return manifest.find(Path(path)) is not None


def is_private(path: str | os.PathLike[str]) -> bool:
    """Return whether a file exists that only its owner may read."""
    with suppress(OSError):
        return not stat.S_IMODE(os.lstat(path).st_mode) & 0o077
    return False


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], *, sync: bool = True, private: bool = False, listed: bool = True, grows: bool = False
) -> Iterator[Path]:
    """Yield a temporary path to write to; the file is moved to ``path`` when the block ends without an error.

    The temporary path has the same suffix and is on the same disk. On any error inside the block, Ctrl-C included,
    ``path`` is left unchanged and the temporary file is removed. Missing folders are created.

    Args:
        path: the file to write, or to replace where it is kinoscope's own.
        sync: whether to wait until the file is on the disk.
        private: whether only its owner may read it; a file that is replaced keeps its permissions.
        listed: whether it is a result, which the manifest lists. Otherwise any file of its name is replaced: for files
            in kinoscope's own cache, and for those whose content was read and found to be kinoscope's.
        grows: whether lines will be appended to it.

    Raises:
        OutputError: a file exists that may not be replaced, or the file cannot be written; one line that says why.
    """
    final = Path(path)
    try:
        _check(final, listed)
        _make_folder(final.parent, private)
        with scratch_folder(final.parent) as folder:
            temporary = folder / f"file{suffix_of(final)}"
            mode = _create(temporary, private)
            yield temporary
            temporary.chmod(mode)  # some libraries replace the file by one of their own
            if sync:
                _sync(temporary)
            publish(temporary, final, listed, grows)
    except OSError as error:
        raise write_error(final, error) from None


def _check(final: Path, listed: bool) -> None:
    if listed:
        require_free(final)
    elif final.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")


def _create(temporary: Path, private: bool) -> int:
    """Create a temporary file, and return its permissions."""
    permissions = 0o600 if private else 0o666
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(temporary, flags, permissions)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def publish(temporary: Path, final: Path, listed: bool = True, grows: bool = False) -> None:
    """Move a file to its final name, where that is free or kinoscope's own.

    Raises:
        OutputError: another file has been created there.
        OSError: it cannot be moved.
    """
    replaces, claim = require_free(final) if listed else True, _claim_of(final)
    if claim.private:
        temporary.chmod(0o600)
    elif replaces and final.is_file():
        temporary.chmod(stat.S_IMODE(final.stat().st_mode))
    if listed:
        manifest.add(final, manifest.Entry.of(temporary, claim.by, grows))
    if replaces or not _link(temporary, final):
        os.replace(temporary, final)


def _link(temporary: Path, final: Path) -> bool:
    """Rename a file unless its new name exists by now; return whether it was renamed.

    Raises:
        OutputError: it exists, and is not kinoscope's own.
    """
    try:
        os.link(temporary, final, follow_symlinks=False)
    except FileExistsError:
        require_free(final)  # another process was faster
        return False
    except (OSError, NotImplementedError):
        return False
    return True


def append(path: str | os.PathLike[str], line: str) -> None:
    """Append a line to a file of kinoscope's own, which is created if it does not exist.

    Raises:
        OutputError: another file exists there, or the line cannot be written.
    """
    text = f"{line}\n".encode("utf-8", "replace")
    if not require_free(path, any_command=True):
        with atomic_write(path, grows=True) as temporary:
            temporary.write_bytes(text)
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0))
        with open(descriptor, "ab") as file:
            file.write(text)
    except OSError as error:
        raise write_error(path, error) from None


def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file of kinoscope's own, if there is one.

    Raises:
        OutputError: it is another file, or it cannot be removed.
    """
    if require_free(path):
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise write_error(path, error) from None


def remove_replaced(result: Path, folders: Sequence[str] = ()) -> None:
    """Remove what other commands left with a result that the running one has replaced.

    What further commands wrote to the same folder stays: a video that was repaired or generated there, for instance.

    Args:
        result: the file; the manifest of its folder says who wrote it before, however long ago that was.
        folders: names of the folders beside it that hold more files of the same commands.

    Raises:
        OutputError: a file cannot be removed.
    """
    claim = _claim_of(result)
    others = {by for by in manifest.writers(result) if by and _is_other(by, claim.by)} if claim.overwrite else set()
    for path in (path for folder in ("", *folders) for path in manifest.listed(result.parent / folder) if others):
        entry = manifest.find(path)
        if entry and entry.by in others and not _is_read(path):
            remove(path)


def list_results(result: Path, folders: Sequence[str] = ()) -> dict[Path, tuple[int, int]]:
    """Return the files that earlier runs of the running command wrote, with inode and time of each; no links.

    Args:
        result: one of the files, which names the folder.
        folders: see ``remove_replaced``.
    """
    by, stamps = _claim_of(result).by, {}
    for path in (path for folder in ("", *folders) for path in manifest.listed(result.parent / folder)):
        entry = manifest.find(path)
        if entry and entry.inode is None and not _is_other(entry.by, by):
            stamps[path] = _stamp(path)
    return stamps


def _stamp(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_ino, status.st_mtime_ns


def discard_stale(before: Mapping[Path, tuple[int, int]]) -> None:
    """Remove those of earlier ``list_results`` that have not been rewritten since, and are unchanged.

    Raises:
        OutputError: a file cannot be removed.
    """
    for path, stamp in before.items():
        if is_own(path) and _stamp(path) == stamp and not _is_read(path):
            remove(path)


def remove_surplus(folder: Path, numbered: re.Pattern[str], written: Collection[str]) -> None:
    """Remove the numbered files that an earlier, longer run left beside those that a running command has written.

    Args:
        folder: of the files.
        numbered: the pattern of their names.
        written: names of those that stay.

    Raises:
        OutputError: a file cannot be removed.
    """
    for path in manifest.listed(folder):
        if numbered.fullmatch(path.name) and path.name not in written:
            entry, claim = manifest.find(path), _claim_of(path)
            if entry and claim.by and not _is_read(path) and (claim.overwrite or not _is_other(entry.by, claim.by)):
                remove(path)


def hard_link(source: Path, target: Path) -> bool:
    """Link a file to a second name (hard link); return whether it has that name now.

    An existing file of that name stays, unless kinoscope itself linked it there and the file has another name still.
    """
    try:
        real = source.resolve(strict=True)
        if target.exists() and not target.is_symlink() and target.samefile(real):
            return True
        entry = manifest.find(target)
        exists = os.path.lexists(target)
        if exists and (entry is None or entry.inode is None or _is_read(target)):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        manifest.add(target, manifest.Entry(0, "", _claim_of(target).by, inode=real.stat().st_ino))
        if exists:  # a file created since is not ours
            target.unlink(missing_ok=True)
        os.link(real, target)
    except (OSError, NotImplementedError, OutputError):
        return False
    return True


def prepare_folder(folder: str | os.PathLike[str], private: bool = False) -> None:
    """Create a folder if it is missing, check that it is writable, and remove what killed commands left in it.

    Args:
        private: whether only its owner may read it, where it is created.

    Raises:
        OutputError: it is not writable.
    """
    try:
        _make_folder(Path(folder), private)
        remove_stale(Path(folder))
        with scratch_folder(Path(folder)):
            pass
    except OSError as error:
        raise write_error(folder, error) from None


def _make_folder(folder: Path, private: bool = False) -> None:
    """Create a folder and its parents; within what is claimed as private, for its owner only."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700 if private or _claim_of(folder).private else 0o777, exist_ok=True)


@contextmanager
def lock_exclusively(folder: Path) -> Iterator[None]:
    """Lock an existing folder for the block, so that other processes that ask for it are refused.

    Raises:
        OutputError: another process holds the lock.
    """
    try:
        lock, locked = lock_folder(folder)
    except OSError as error:
        raise write_error(folder, error) from None
    try:
        if not locked:
            raise OutputError(f"{folder} is in use by another process; wait until it is done, or give another folder")
        yield
    finally:
        if lock is not None:
            os.close(lock)


def write_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Return the error that says in one line why ``path`` could not be written and what to do."""
    reason = write_error_hint(error) or f"{error.strerror or error}; give another path"
    return OutputError(f"cannot write {os.fspath(path)}: {reason}")


def write_error_hint(error: Exception) -> str | None:
    """Return why a file could not be written and what to do; None where the error itself says all that is known."""
    return _REMEDIES.get(getattr(error, "errno", None) or 0)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
