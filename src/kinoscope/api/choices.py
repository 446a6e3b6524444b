"""What the verbs are asked for by name: tasks, models, formats."""

from __future__ import annotations

from collections.abc import Sequence

from kinoscope.core.errors import OptionError


def split(text: str | Sequence[str] | None) -> list[str]:
    """Split a list of names at commas."""
    parts = [text] if isinstance(text, str) else list(text or ())
    return [word.strip() for part in parts for word in part.split(",") if word.strip()]


def choose_tasks(tasks: str | Sequence[str] | None) -> list[str]:
    """Give the names of the tasks that are asked for, in the order of the table; all if none is.

    Raises:
        OptionError: there is no such task.
    """
    from kinoscope.tasks.table import TASKS

    wanted = split(tasks) or list(TASKS)
    for name in wanted:
        if name not in TASKS:
            raise OptionError(f"there is no task {name!r}; choose from {', '.join(TASKS)}")
    return [name for name in TASKS if name in wanted]


def choose_models(model: str | Sequence[str] | None) -> dict[str, str]:
    """Read ``TASK=CARD`` pairs.

    Raises:
        OptionError: one is not such a pair, or there is no such task.
    """
    from kinoscope.tasks.table import TASKS

    pairs = dict(pair.partition("=")[::2] for pair in split(model))
    for task, card in pairs.items():
        if task not in TASKS or not card:
            raise OptionError(f"model {task}={card} is not TASK=CARD; tasks: {', '.join(TASKS)}")
    return pairs


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
