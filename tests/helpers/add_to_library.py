"""A process that adds videos to a library, and may kill itself at a chosen moment, for the tests of processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from kinoscope.library import Library
from tests.helpers.libraries import timeline


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, of: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``of``, whose call of that number, from 1, kills the process instead."""
    calls = iter(range(1, sys.maxsize))
    return lambda *args, **kwargs: die() if next(calls) == number else of(*args, **kwargs)


def main(path: str, first: int, count: int, text: str, moment: str) -> None:
    """Add videos ``first`` to ``first + count`` and print each; those of one number are one video.

    ``moment``: ``written-N`` dies at the Nth piece that is written, ``named`` before a video is named, ``forgotten``
    before what it had is removed, ``never``.
    """
    library = Library(path, create=True)
    if moment == "named":
        library._commit = die  # type: ignore[method-assign]
    elif moment == "forgotten":
        # Removing orphans deletes runs, too, and comes first.
        library._delete_runs = lambda runs, purge=False: die() if runs else None  # type: ignore[method-assign]
    elif moment != "never":
        library._insert = at_call(int(moment.partition("-")[2]), library._insert)  # type: ignore[method-assign]
    for number in range(first, first + count):
        change = library.add(f"{number:064x}", f"{number}.mp4", timeline(number, f"{number}.mp4", text))
        print(number, change, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
