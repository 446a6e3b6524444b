"""The options of the verbs, checked before anything is read or written: names, times, devices."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from pathlib import Path

from kinoscope.core.errors import GalleryError, OptionError
from kinoscope.core.time import parse_time
from kinoscope.core.validation import require_known, require_number
from kinoscope.galleries import Gallery
from kinoscope.pipeline.render import RedactionOptions
from kinoscope.views.video.redaction_plan import KINDS, METHODS, Method

CARD_TASKS = {"faces": "identity", "appearance": "scenes", "anomalies": "scenes"}
"""Tasks whose model is a card of another task."""

FIXED_MODEL_TASKS = ("text", "recognize", "rules")
"""Tasks whose model cannot be chosen."""


def split_names(text: str | Sequence[str] | None, option: str) -> list[str]:
    """Split a list of names at commas.

    Raises:
        OptionError: something is given, but no name.
    """
    parts = [text] if isinstance(text, str) else list(text or ())
    names = [word.strip() for part in parts for word in part.split(",") if word.strip()]
    if parts and not names:
        raise OptionError(f"{option} {parts[0]!r} names nothing; give names, separated by commas, or leave it out")
    return names


def choose_device(device: str) -> str:
    """Return a device that is known and is here.

    Raises:
        OptionError: it is not.
    """
    from kinoscope.models.runtime.runner import check_device

    check_device(device)
    return device


def choose_time_range(start: str | float | None, end: str | float | None = None) -> dict[str, Fraction | None]:
    """Return where to begin and where to stop, in seconds, as ``open_source`` takes them.

    Raises:
        OptionError: one is no time or negative, or nothing lies between them.
    """
    first, last = (_time(name, value) for name, value in (("start", start), ("end", end)))
    if last is not None and last <= (first or 0):
        after = "0" if first is None else f"start {float(first):g} s"
        raise OptionError(f"end {float(last):g} s does not lie after {after}; give a later one, or leave it out")
    return {"start": first, "end": last}


def _time(name: str, value: str | float | None) -> Fraction | None:
    try:
        time = None if value is None else parse_time(value)
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None
    if time is not None and time < 0:
        raise OptionError(f"{name} {float(time):g} s is before the beginning; give 0 or more")
    return time


def choose_video_track(number: int | None) -> dict[str, int]:
    """Return the option of ``open_source`` that says which video track is seen.

    Raises:
        OptionError: it is no number of a track.
    """
    require_number("video-track", number, 0)
    return {} if number is None else {"video_track": number}


def choose_limits(limit: str | None) -> dict[str, str]:
    """Return the option of ``open_source`` that sets what is read at most; none if none is given.

    Raises:
        OptionError: it cannot be used.
    """
    from kinoscope.source.limits import Limits

    if limit is None:
        return {}
    Limits.parse(limit)
    return {"limit": limit}


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
    from kinoscope.tasks.registry import BY_NAME, ON_REQUEST, TASKS

    wanted = split_names(tasks, "tasks") or [name for name in TASKS if name not in ON_REQUEST and name not in BY_NAME]
    for name in wanted:
        if name not in TASKS:
            raise OptionError(f"there is no task {name!r}; choose from {', '.join(TASKS)}")
        if name in ON_REQUEST and name not in given:
            raise OptionError(f"task {name} needs {ON_REQUEST[name]}")
    added = {*also, *(name for name in given if name in ON_REQUEST)}
    return [name for name in TASKS if name in wanted or name in added]


def choose_redaction(
    blur: str | Sequence[str] | None,
    keep: str | Sequence[str] | None,
    method: Method,
    known: Gallery | None,
    live: bool,
) -> RedactionOptions | None:
    """Read what is to be hidden, and who is not; None where nothing is.

    Raises:
        OptionError: it is of no known kind, a name to keep is not in the gallery, or the source is live.
    """
    kinds, names = tuple(dict.fromkeys(split_names(blur, "blur"))), tuple(dict.fromkeys(split_names(keep, "keep")))
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
            known.samples_of(name)
        except GalleryError as error:
            raise OptionError(f"keep: {error}") from None
    return RedactionOptions(kinds, names, method) if kinds else None


def _check_one(option: str, words: Collection[str], valid: Collection[str]) -> None:
    for word in words:
        if word not in valid:
            raise OptionError(f"{option} {word} is not known; choose from {', '.join(valid)}")


def choose_models(model: str | Sequence[str] | None) -> dict[str, str]:
    """Read ``TASK=CARD`` pairs; a card or the folder of a trained model alone stands for the task that it is for.

    Raises:
        OptionError: one is neither, there is no such task, or the card is not for it.
        ModelError: a folder is that of a damaged model.
    """
    chosen = dict(_pair(word) for word in split_names(model, "model"))
    for task, name in chosen.items():
        choose_model(task, name)
    return chosen


def choose_model(task: str, name: str) -> str:
    """Return the name of a card or of a trained model that a task can run, or ``auto``.

    Raises:
        OptionError: there is none of that name, or it is not for the task.
        ModelError: a folder holds no such model, or a damaged one.
    """
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.inference.sync import folder_cards

    if name != "auto" and task in ("classify", "actions"):
        find_classifier(name)
    elif name != "auto" and task == "sync":
        folder_cards(Path(name))
    elif name != "auto":
        _demand_card(task, name)
    return name


def _demand_card(task: str, name: str) -> None:
    from kinoscope.models import CARDS, cards_for_task

    if task in FIXED_MODEL_TASKS:
        raise OptionError(f"model {task}={name}: the model of the task {task} cannot be chosen; leave it out")
    fit = [card.name for card in cards_for_task(CARD_TASKS.get(task, task))]
    if name not in fit:
        other = next((f"is for {card.task}" for card in CARDS if card.name == name), "is not known")
        raise OptionError(f"model {name} {other}; for the task {task} choose from {', '.join(fit)}")


def demand_run(option: str, task: str, tasks: Collection[str]) -> None:
    """Demand that the task that an option is about is run.

    Raises:
        OptionError: it is not.
    """
    if task not in tasks:
        raise OptionError(f"{option} is about the task {task}, which is not run; add {task} to --tasks")


def _pair(word: str) -> tuple[str, str]:
    from kinoscope.tasks.registry import TASKS

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
    from kinoscope.tasks.registry import TASKS

    task = find(name).task
    if task not in TASKS:
        raise OptionError(f"model {name} is for {task}, which is no task of an analysis; tasks: {', '.join(TASKS)}")
    return task


def choose_views(export: str | Sequence[str] | None, option: str = "export") -> list[str]:
    """Give the names of the formats that are asked for.

    Raises:
        OptionError: there is no such format.
    """
    from kinoscope.views import VIEWS

    wanted = split_names(export, option)
    for name in wanted:
        if name not in VIEWS:
            raise OptionError(f"there is no format {name!r}; choose from {', '.join(VIEWS)}")
    return wanted


def choose_tracker(name: str) -> str:
    """Give the name of a way to follow objects.

    Raises:
        OptionError: there is no such way.
    """
    from kinoscope.tasks.tracking.association import get_strategy

    get_strategy(name)
    return name


def choose_labels(labels: str | Sequence[str] | None, model: str = "auto") -> tuple[str, ...] | None:
    """Give the labels that are asked for, or None for all.

    Raises:
        OptionError: one is none of what the model, or any model of the task ``objects``, can find.
    """
    from kinoscope.models import CARDS, find

    wanted = split_names(labels, "labels")
    if not wanted:
        return None
    cards = [card for card in CARDS if card.task == "objects"] if model == "auto" else [find(model)]
    known = list(dict.fromkeys(label for card in cards for label in card.labels))
    return tuple(require_known(word, known, "label") for word in wanted)
