"""The registry of tasks, in the order in which they finish: a task may read the results of earlier rows.

A task is imported when it is used. A new one is one file and one row here; packages outside add theirs by entry points
of the group ``kinoscope.tasks``.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib.metadata import EntryPoint

from kinoscope.core.errors import PluginError
from kinoscope.core.plugins import entry, load_entry, plugins
from kinoscope.core.validation import require_known
from kinoscope.tasks.base import Task

PLUGINS = "kinoscope.tasks"
"""Group of the entry points of tasks."""

TASKS: dict[str, EntryPoint | type[Task]] = {
    "shots": entry("tasks.shots:Shots"),
    "scenes": entry("tasks.scenes:Scenes"),
    "objects": entry("tasks.objects:Objects"),
    "faces": entry("tasks.faces:Faces"),
    "text": entry("tasks.text:Text"),
    "appearance": entry("tasks.appearance:Appearance"),
    "recognize": entry("tasks.recognize:Recognize"),
    "rules": entry("tasks.rules:Rules"),
    "actions": entry("tasks.actions:Actions"),
    "anomalies": entry("tasks.anomalies:Anomalies"),
    "classify": entry("tasks.classify:Classify"),
    "speech": entry("tasks.speech:Speech"),
    "sync": entry("tasks.sync:Sync"),
}
"""The tasks of this package: classes, or where they are."""


log = logging.getLogger("kinoscope")


def task_names() -> list[str]:
    """Return the names of all tasks in the order in which they finish, those of plugins last."""
    return list(dict.fromkeys([*TASKS, *plugins(PLUGINS)]))


def find_task(name: str) -> type[Task]:
    """Return the class of a task.

    Raises:
        OptionError: there is no such task.
        PluginError: it belongs to another package, which cannot be imported, is no task, or has another name.
    """
    if name not in TASKS:
        require_known(name, task_names(), "task")
    row = TASKS[name] if name in TASKS else plugins(PLUGINS)[name]
    found = load_entry(row) if isinstance(row, EntryPoint) else row
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise PluginError(f"plugin {name} of {PLUGINS} is no subclass of kinoscope.Task; update its package")
    if getattr(found, "name", None) != name:
        raise PluginError(
            f"plugin {name} of {PLUGINS} calls itself {getattr(found, 'name', None)!r}; give both one name, or update "
            "its package"
        )
    return found


def default_task_names() -> list[str]:
    """Return the names of the tasks that run when none are named: those that need no option.

    A plugin that cannot be loaded is left out with a warning, so that it never stops the analyses of others.
    """
    return [name for name in task_names() if (task := _load_or_report(name)) and _is_default(task)]


def _load_or_report(name: str) -> type[Task] | None:
    try:
        return find_task(name)
    except PluginError as error:
        _warn_once(str(error))
        return None


@cache
def _warn_once(message: str) -> None:
    log.warning("%s", message)


def _is_default(task: type[Task]) -> bool:
    return task.by_default and task.required_input is None
