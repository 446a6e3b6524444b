"""What ``model.json`` says of a model that is trained in rounds: written and read in one way for every task."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.files import atomic_write
from kinoscope.core.untrusted import read_json
from kinoscope.models.formats.trained_model import METADATA_FILE

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

F = TypeVar("F")
"""A dataclass of plain values."""


def write_metadata(folder: Path, facts: DataclassInstance, task: str, schema: int = 1) -> None:
    """Write ``model.json``, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    plain = {"schema": schema, "task": task} | asdict(facts)
    with atomic_write(folder / METADATA_FILE) as path:
        path.write_text(json.dumps(plain, indent=1, allow_nan=False) + "\n")


def read_metadata(folder: Path, build: Callable[..., F], task: str, what: str, schema: int = 1) -> F:
    """Read ``model.json`` of a folder.

    Args:
        build: makes the facts from their names and values; ValueError, TypeError or OptionError where these are wrong.
        task: that the model is for, as ``kinoscope train`` names it. what: such a model is, as a message says it.

    Raises:
        ModelError: there is none, or it is damaged, of another task or of a newer version.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise ModelError(f"{folder} is no {what}: it has no {METADATA_FILE}; make one with `kinoscope train {task}`")
    try:
        plain: dict[str, Any] = read_json(path)
        if plain.pop("schema") > schema:
            raise ModelError(f"{path} is of a newer version than {schema}; update kinoscope")
        if (other := plain.pop("task")) != task:
            raise ModelError(
                f"{folder} was trained to {other}, not to {task}; give one that `kinoscope train {task}` wrote"
            )
        return build(**plain)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OptionError) as error:
        raise ModelError(f"{path} is damaged ({error}); train the model again or restore the file") from None
