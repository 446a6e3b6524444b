"""What the verbs are asked for by name: tasks, models, formats."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from kinoscope.core.errors import GalleryError, OptionError
from kinoscope.core.names import demand
from kinoscope.drawing import Hiding
from kinoscope.galleries import Gallery
from kinoscope.views.covers import KINDS, METHODS, Method


def split(text: str | Sequence[str] | None) -> list[str]:
    """Split a list of names at commas."""
    parts = [text] if isinstance(text, str) else list(text or ())
    return [word.strip() for part in parts for word in part.split(",") if word.strip()]


def choose_tasks(
    tasks: str | Sequence[str] | None, given: Collection[str] = (), also: Collection[str] = ()
) -> list[str]:
    """Give the names of the tasks that are asked for, in the order of the table; all usual ones if none is.

    Args:
        tasks: names, separated by commas.
        given: tasks for which a model or a gallery is given; those that are run on request only are added.
        also: tasks that something else needs.

    Raises:
        OptionError: there is no such task, or one needs something that is not given.
    """
    from kinoscope.tasks.table import BY_NAME, ON_REQUEST, TASKS

    wanted = split(tasks) or [name for name in TASKS if name not in ON_REQUEST and name not in BY_NAME]
    for name in wanted:
        if name not in TASKS:
            raise OptionError(f"there is no task {name!r}; choose from {', '.join(TASKS)}")
        if name in ON_REQUEST and name not in given:
            raise OptionError(f"task {name} needs {ON_REQUEST[name]}")
    added = {*also, *(name for name in given if name in ON_REQUEST)}
    return [name for name in TASKS if name in wanted or name in added]


def choose_hiding(
    blur: str | Sequence[str] | None,
    keep: str | Sequence[str] | None,
    method: Method,
    known: Gallery | None,
    live: bool,
) -> Hiding | None:
    """Read what is to be hidden, and who is not; None where nothing is.

    Raises:
        OptionError: it is of no known kind, a name to keep is not in the gallery, or the source is live.
    """
    kinds, names = tuple(dict.fromkeys(split(blur))), tuple(dict.fromkeys(split(keep)))
    _check_one("blur", kinds, KINDS)
    _check_one("hide-with", [method], METHODS)
    if names and not set(kinds) & {"faces", "people"}:
        raise OptionError("keep says who is not hidden; give --blur faces or --blur people with it")
    if names and known is None:
        raise OptionError(f"keep {names[0]} needs a gallery that knows the name; give --gallery FILE")
    if kinds and live:
        raise OptionError("blur reads the video twice, and what is live is there once; record it first")
    for name in names:
        try:
            assert known is not None
            known.of(name)
        except GalleryError as error:
            raise OptionError(f"keep: {error}") from None
    return Hiding(kinds, names, method) if kinds else None


def _check_one(option: str, words: Collection[str], valid: Collection[str]) -> None:
    for word in words:
        if word not in valid:
            raise OptionError(f"{option} {word} is not known; choose from {', '.join(valid)}")


def choose_models(model: str | Sequence[str] | None) -> dict[str, str]:
    """Read ``TASK=CARD`` pairs; a card or the folder of a trained model alone stands for the task that it is for.

    Raises:
        OptionError: one is neither, or there is no such task.
        ModelError: a folder is that of a damaged model.
    """
    return dict(_pair(word) for word in split(model))


def _pair(word: str) -> tuple[str, str]:
    from kinoscope.tasks.table import TASKS

    task, equals, card = word.partition("=")
    if equals and card and task in TASKS:
        return task, card
    if equals or not _is_model(word):
        raise OptionError(f"model {word} is no trained model's folder and is not TASK=CARD; tasks: {', '.join(TASKS)}")
    return _task_of(word), word


def _is_model(name: str) -> bool:
    from kinoscope.models import CARDS

    return Path(name).is_dir() or any(card.name == name for card in CARDS)


def _task_of(name: str) -> str:
    from kinoscope.models import find
    from kinoscope.tasks.table import TASKS

    task = find(name).task
    if task not in TASKS:
        raise OptionError(f"model {name} is for {task}, which is no task of an analysis; tasks: {', '.join(TASKS)}")
    return task


def choose_views(export: str | Sequence[str] | None) -> list[str]:
    """Give the names of the formats that are asked for.

    Raises:
        OptionError: there is no such format.
    """
    from kinoscope.views import VIEWS

    wanted = split(export)
    for name in wanted:
        if name not in VIEWS:
            raise OptionError(f"there is no format {name!r}; choose from {', '.join(VIEWS)}")
    return wanted


def choose_tracker(name: str) -> str:
    """Give the name of a way to follow objects.

    Raises:
        OptionError: there is no such way.
    """
    from kinoscope.tasks.association import way_of

    way_of(name)
    return name


def choose_labels(labels: str | Sequence[str] | None, model: str = "auto") -> tuple[str, ...] | None:
    """Give the labels that are asked for, or None for all.

    Raises:
        OptionError: one is none of what the model, or any model of the task ``objects``, can find.
    """
    from kinoscope.models import CARDS, find

    wanted = split(labels)
    if not wanted:
        return None
    cards = [card for card in CARDS if card.task == "objects"] if model == "auto" else [find(model)]
    known = list(dict.fromkeys(label for card in cards for label in card.labels))
    return tuple(demand(word, known, "label") for word in wanted)
