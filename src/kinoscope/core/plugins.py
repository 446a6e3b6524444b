"""Objects that are imported on demand: rows of the package's own tables, and plugins of other packages.

A package adds tasks, views, models and networks through entry points, see
https://packaging.python.org/specifications/entry-points/: ``[project.entry-points."kinoscope.tasks"]`` in its
pyproject.toml. The rows of the tables of this package are entry points as well, so that both are loaded alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from kinoscope.core.errors import PluginError

T = TypeVar("T")


@cache
def plugins(group: str) -> dict[str, EntryPoint]:
    """Return the entry points that installed packages have in a group, by name, such as ``kinoscope.tasks``."""
    return {entry.name: entry for entry in entry_points(group=group)}


def entry(path: str) -> EntryPoint:
    """Return the entry point of an object of this package.

    Args:
        path: ``module:name``, without the name of the package, such as ``tasks.objects:Objects``.
    """
    return EntryPoint(path.partition(":")[2], f"kinoscope.{path}", "kinoscope")


def load_entry(entry: EntryPoint) -> Any:
    """Import and return the object of an entry point.

    Raises:
        PluginError: the package that it comes from cannot be imported, or lacks the object.
    """
    try:
        return entry.load()
    except Exception as error:
        if entry.dist is None:  # of this package
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PluginError(
            f"plugin {entry.name} ({entry.value}) of {entry.dist.name} cannot be loaded ({reason}); "
            f"update {entry.dist.name}, or uninstall it"
        ) from error


def load_row(group: str, name: str, kind: type[T]) -> T:
    """Import and return the row that another package adds to a table.

    Args:
        group: of the entry points.
        name: of the plugin, which must be installed.
        kind: class of the rows of the table.

    Raises:
        PluginError: the package cannot be imported, or its row is of another class.
    """
    row = load_entry(plugins(group)[name])
    if not isinstance(row, kind):
        raise PluginError(f"plugin {name} of {group} is no {kind.__name__}; update its package")
    return row


def lazy(path: str) -> Callable[..., Any]:
    """Return a function that imports the function at ``path``, see ``entry``, when it is first called."""
    target = entry(path)

    def call(*args: Any, **kwargs: Any) -> Any:
        return load_entry(target)(*args, **kwargs)

    return call
