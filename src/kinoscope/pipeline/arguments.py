"""Validation of the options of the verbs, before anything is read or written: names, times, devices."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from kinoscope.core.errors import GalleryError, OptionError
from kinoscope.core.time import parse_time
from kinoscope.core.validation import require_known, require_number
from kinoscope.galleries import Gallery
from kinoscope.pipeline.render import Redaction
from kinoscope.tasks.base import Task
from kinoscope.tasks.registry import default_task_names, find_task, task_names
from kinoscope.views.registry import view_names
from kinoscope.views.video.redaction_plan import KINDS, METHODS, Method


def split_names(text: str | Sequence[str] | None, option: str) -> list[str]:
    """Split a list of names at commas.

    Raises:
        OptionError: there is text, but no name in it.
    """
    parts = [text] if isinstance(text, str) else list(text or ())
    names = [word.strip() for part in parts for word in part.split(",") if word.strip()]
    if parts and not names:
        raise OptionError(f"{option} {parts[0]!r} has no name; give names, separated by commas, or leave it out")
    return names


def choose_device(device: str) -> str:
    """Return the name of a device that this machine has.

    Raises:
        OptionError: the name is unknown, or this machine has no such device.
    """
    from kinoscope.models.runtime.runner import check_device

    check_device(device)
    return device


def choose_time_range(start: str | float | None, end: str | float | None = None) -> dict[str, Fraction | None]:
    """Return the options ``start`` and ``end`` of ``open_source``, in seconds.

    Raises:
        OptionError: one is no time or negative, or the range is empty.
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
        raise OptionError(f"{name} {float(time):g} s is negative; give 0 or more")
    return time


def choose_video_track(number: int | None) -> dict[str, int]:
    """Return the option ``video_track`` of ``open_source``; nothing if no track is given.

    Raises:
        OptionError: the number is negative.
    """
    require_number("video-track", number, 0)
    return {} if number is None else {"video_track": number}


def choose_limits(limit: str | None) -> dict[str, str]:
    """Return the option ``limit`` of ``open_source``; nothing if no limit is given.

    Raises:
        OptionError: a limit is unknown, or is no positive number.
    """
    from kinoscope.source.limits import Limits

    if limit is None:
        return {}
    try:
        Limits.parse(limit)
    except OptionError as error:
        raise OptionError(f"bounds: {error}") from None
    return {"limit": limit}


def choose_tasks(
    tasks: str | Sequence[str] | None,
    configured: Collection[str] = (),
    required: Collection[str] = (),
    own: Collection[str] = (),
) -> list[str]:
    """Return the names of the requested tasks, in the order of the registry; by default those that need no option.

    Args:
        tasks: names, separated by commas.
        configured: tasks for which an option gives a model, a gallery or rules; those that need it are added.
        required: tasks that an option, such as ``blur``, depends on.
        own: those of the requested tasks that are given as instances or classes.

    Raises:
        OptionError: there is no such task, or one needs an option that is not given.
    """
    known = task_names()
    requested = split_names(tasks, "tasks") or default_task_names()
    for name in requested:
        if name not in known and name not in own:
            raise OptionError(f"there is no task {name!r}; choose from {', '.join(known)}")
        if name not in configured and name not in own and (needed := find_task(name).required_input):
            raise OptionError(f"task {name} needs {needed}")
    added = {*required, *(name for name in configured if name in known and find_task(name).required_input)}
    return [name for name in dict.fromkeys([*known, *own]) if name in requested or name in added]


def parse_task_options(
    pairs: str | Sequence[str] | None, own: Mapping[str, Task | type[Task]] | None = None
) -> dict[str, dict[str, Any]]:
    """Return task -> option -> value from ``TASK.NAME=VALUE`` pairs.

    Args:
        pairs: each names a task of the registry or one of ``own``.
        own: tasks that are given as instances or classes, by name.

    Raises:
        OptionError: there is no such task or option, or a value cannot be used.
    """
    by_task: dict[str, list[str]] = {}
    for pair in [pairs] if isinstance(pairs, str) else pairs or ():
        task, dot, option = pair.partition(".")
        if not dot or "=" in task:
            raise OptionError(f"option {pair} names no task; give TASK.NAME=VALUE, such as objects.rate=5")
        by_task.setdefault(task, []).append(option)
    return {task: _parse_options((own or {}).get(task) or find_task(task), pairs) for task, pairs in by_task.items()}


def _parse_options(task: Task | type[Task], pairs: Sequence[str]) -> dict[str, Any]:
    try:
        parsed = task.options_type.parse(pairs, owner=f"task {task.name}").to_dict()
    except OptionError as error:
        raise OptionError(f"option of task {task.name}: {error}") from None
    defaults = task.options_type().to_dict()
    return {name: value for name, value in parsed.items() if value != defaults[name]}


def choose_redaction(
    blur: str | Sequence[str] | None,
    keep: str | Sequence[str] | None,
    method: Method,
    gallery: Gallery | None,
    live: bool,
) -> Redaction | None:
    """Return what is hidden and which identities stay visible; None if nothing is hidden.

    Raises:
        OptionError: a kind is unknown, a name to keep is not in the gallery, or the source is live.
    """
    kinds, names = tuple(dict.fromkeys(split_names(blur, "blur"))), tuple(dict.fromkeys(split_names(keep, "keep")))
    _demand_known("blur", kinds, KINDS)
    _demand_known("hide-with", [method], METHODS)
    if names and not set(kinds) & {"faces", "people"}:
        raise OptionError("keep names people who are not hidden; give --blur faces or --blur people with it")
    if names and gallery is None:
        raise OptionError(f"keep {names[0]} needs a gallery that has the name; give --gallery FILE")
    if kinds and live:
        raise OptionError("blur reads the video twice, which a live source does not allow; record it first")
    for name in names:
        try:
            assert gallery is not None
            gallery.samples_of(name)
        except GalleryError as error:
            raise OptionError(f"keep: {error}") from None
    return Redaction(kinds, names, method) if kinds else None


def _demand_known(option: str, names: Collection[str], valid: Collection[str]) -> None:
    for name in names:
        if name not in valid:
            raise OptionError(f"{option} {name} is not known; choose from {', '.join(valid)}")


def choose_models(model: str | Sequence[str] | None) -> dict[str, str]:
    """Return task -> model from ``TASK=CARD`` pairs; a card or the folder of a trained model alone implies its task.

    Raises:
        OptionError: one is neither, there is no such task, or the card is not for it.
        ModelError: a folder is that of a damaged model.
    """
    models = dict(_parse_model(text) for text in split_names(model, "model"))
    for task, name in models.items():
        choose_model(task, name)
    return models


def choose_model(task: str, name: str) -> str:
    """Return the name of a card or of a trained model that a task can run, or ``auto``.

    Raises:
        OptionError: there is no card of that name, or it is not for the task.
        ModelError: a folder holds no model, or a damaged one.
    """
    if name != "auto":
        find_task(task).check_model(name)
    return name


def demand_task(option: str, task: str, tasks: Collection[str]) -> None:
    """Raise OptionError unless the task that an option configures is among those that are run."""
    if task not in tasks:
        raise OptionError(f"{option} configures the task {task}, which is not run; add {task} to --tasks")


def _parse_model(text: str) -> tuple[str, str]:
    """Return task and model from ``TASK=CARD``, or from a card or folder alone."""
    task, equals, card = text.partition("=")
    if equals and card and task in task_names():
        return task, card
    if equals or not _is_model(text):
        tasks = ", ".join(task_names())
        raise OptionError(f"model {text} is no trained model's folder and is not TASK=CARD; tasks: {tasks}")
    return _task_of(text), text


def _is_model(name: str) -> bool:
    from kinoscope.models import card_names

    return Path(name).is_dir() or name in card_names()


def _task_of(name: str) -> str:
    from kinoscope.models import find

    task, names = find(name).task, task_names()
    if task not in names:
        raise OptionError(f"model {name} is for {task}, which is no task of an analysis; tasks: {', '.join(names)}")
    return task


def choose_views(export: str | Sequence[str] | None, option: str = "export") -> list[str]:
    """Return the names of the requested formats.

    Raises:
        OptionError: there is no such format.
    """
    names = split_names(export, option)
    for name in names:
        if name not in view_names():
            raise OptionError(f"there is no format {name!r}; choose from {', '.join(view_names())}")
    return names


def choose_labels(labels: str | Sequence[str] | None, model: str = "auto") -> tuple[str, ...] | None:
    """Return the requested labels, or None for all.

    Raises:
        OptionError: the model, or with ``auto`` every model of the task ``objects``, lacks a label.
    """
    from kinoscope.models import cards_for_task, find

    names = split_names(labels, "labels")
    if not names:
        return None
    cards = cards_for_task("objects") if model == "auto" else [find(model)]
    known = list(dict.fromkeys(label for card in cards for label in card.labels))
    return tuple(require_known(name, known, "label") for name in names)
