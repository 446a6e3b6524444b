"""The registry of tasks, in the order in which they finish: a task may read the results of earlier rows.

A task is imported when it is used. A new one is one file and one row here; packages outside add theirs by entry points
of the group ``kinoscope.tasks``.
"""

from __future__ import annotations

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


def task_names() -> list[str]:
    """Return the names of all tasks in the order in which they finish, those of plugins last."""
    return list(dict.fromkeys([*TASKS, *plugins(PLUGINS)]))


def find_task(name: str) -> type[Task]:
    """Return the class of a task.

    Raises:
        OptionError: there is no such task.
        PluginError: it belongs to another package, which cannot be imported, or is no task.
    """
    if name not in TASKS:
        require_known(name, task_names(), "task")
    row = TASKS[name] if name in TASKS else plugins(PLUGINS)[name]
    found = load_entry(row) if isinstance(row, EntryPoint) else row
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise PluginError(f"plugin {name} of {PLUGINS} is no subclass of kinoscope.Task; update its package")
    return found
