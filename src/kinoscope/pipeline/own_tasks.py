"""Tasks that a caller passes as instances or classes, beside those of the registry."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from kinoscope.core.errors import KinoscopeError, OptionError, describe_error
from kinoscope.pipeline.arguments import split_names
from kinoscope.pipeline.preview import Preview
from kinoscope.tasks.base import Task

TaskLike = str | Task | type[Task]
"""A task by its name, an instance with options of its own, or a class."""

OwnTasks = Mapping[str, Task | type[Task]]
"""Tasks that are given as instances or classes, by name."""

_CALL_ATTRIBUTES = ("device", "threads")
"""Attributes of a task that change no result."""

_NAME = re.compile(r"[^\W\d][\w-]*")


def split_tasks(tasks: TaskLike | Sequence[TaskLike] | None) -> tuple[list[str], dict[str, Task | type[Task]]]:
    """Return the names of the requested tasks, and by name those that are given as instances or classes.

    Raises:
        OptionError: one is no task, its name cannot be used, or two have the same name.
    """
    parts: Iterable[Any] = (
        [] if tasks is None else tasks if isinstance(tasks, Iterable) and not isinstance(tasks, str) else [tasks]
    )
    names: list[str] = []
    own: dict[str, Task | type[Task]] = {}
    for part in parts:
        if isinstance(part, str):
            names += split_names(part, "tasks")
            continue
        name = _name_of(part)
        if name in own:
            raise OptionError(f"two tasks are called {name}; give them different names")
        own[name] = part
        names.append(name)
    return names, own


def _name_of(task: Any) -> str:
    """Return the name of a task that is given as an instance or a class.

    Raises:
        OptionError: it is no task, or its name cannot be used.
    """
    if not (isinstance(task, Task) or (isinstance(task, type) and issubclass(task, Task))):
        raise OptionError(f"task {task!r} is none; give a name, or an instance or a subclass of kinoscope.Task")
    name, owner = getattr(task, "name", None), task.__name__ if isinstance(task, type) else type(task).__name__
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == Preview.name:
        given = "no name" if name is None else f"the name {name!r}, which cannot be used"
        raise OptionError(f"task {owner} has {given}; set name to letters, digits, - and _, such as 'dark'")
    return name


def make_own(
    name: str, own: Task | type[Task], model: str, device: str, threads: int, settings: Mapping[str, Any]
) -> Task:
    """Return a task of the caller for one source: a copy of an instance, which is a template, or one of a class.

    Raises:
        OptionError: it cannot be copied or created; the message says why.
    """
    if isinstance(own, Task):
        return _copy(name, own, device, threads)
    try:
        task = own(model=model, device=device, threads=threads, **settings)
    except KinoscopeError:
        raise
    except Exception as error:
        raise OptionError(
            f"task {name} cannot be created ({describe_error(error)}); let its __init__ pass **arguments on to "
            "super().__init__, or give an instance"
        ) from error
    return _checked(name, task)


def describe_own(own: Task | type[Task], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what distinguishes a task of the caller from another of its name: its class, options and attributes.

    Of the attributes that are plain values there is a digest alone, as some may be secret.
    """
    if isinstance(own, type):
        return {"class": own.__qualname__} | dict(settings)
    plain = [pair for pair in sorted(vars(own).items()) if isinstance(pair[1], bool | int | float | str | None)]
    values = repr([pair for pair in plain if pair[0] not in _CALL_ATTRIBUTES])
    digest = hashlib.sha256(values.encode()).hexdigest()[:16]
    return {"class": type(own).__qualname__, "attributes": digest} | own.options.to_dict()


def _copy(name: str, template: Task, device: str, threads: int) -> Task:
    """Return a copy of an instance; without a device of its own it runs on that of the call."""
    _checked(name, template)
    try:
        task = copy.deepcopy(template)
    except Exception as error:
        raise OptionError(
            f"task {name} cannot be copied for each source ({describe_error(error)}); create what it holds in needs, "
            "or define __deepcopy__"
        ) from error
    task.threads = threads
    task.device = device if task.device == "auto" else task.device
    return task


def _checked(name: str, task: Task) -> Task:
    """Return a task that is initialized and has the expected name.

    Raises:
        OptionError: it is not, or has another.
    """
    if not hasattr(task, "options"):
        raise OptionError(f"task {name} is not initialized; call super().__init__(**arguments) in its __init__")
    if task.name != name:
        raise OptionError(f"task {name} calls itself {task.name!r} when it is created; give an instance")
    return task


def check_own(own: OwnTasks, settings: Mapping[str, Mapping[str, Any]], configured: Collection[str]) -> None:
    """Check that the caller's tasks can be created, and that none given as an instance is configured by the call.

    Args:
        own: instances and classes, by name.
        settings: arguments of tasks, by name of the task.
        configured: names of further tasks for which the call has a model.

    Raises:
        OptionError: one cannot be created, or is an instance for which the call has settings.
    """
    for name, task in own.items():
        if isinstance(task, Task) and (name in settings or name in configured):
            wanted = ", ".join(settings.get(name, ())) or "a model"
            raise OptionError(
                f"task {name} is given as an instance, which keeps its own options, but the call sets {wanted} for it; "
                "give its class or its name"
            )
        make_own(name, task, "auto", "auto", 1, settings.get(name, {}))
