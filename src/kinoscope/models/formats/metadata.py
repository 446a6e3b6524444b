"""Metadata of trained models: ``model.json``, written and read the same way for every task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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


def write_metadata(
    folder: Path,
    metadata: DataclassInstance,
    task: str,
    schema: int = 1,
    stored_keys: Mapping[str, str] | None = None,
) -> None:
    """Write ``model.json``, completely or not at all.

    Args:
        stored_keys: field -> key in the file, of the fields whose keys differ.

    Raises:
        OutputError: it cannot be written.
    """
    keys = stored_keys or {}
    fields = {keys.get(name, name): value for name, value in asdict(metadata).items()}
    values = {"schema": schema, "task": task} | fields
    with atomic_write(folder / METADATA_FILE) as path:
        path.write_text(json.dumps(values, indent=1, allow_nan=False) + "\n")


def read_metadata(
    folder: Path,
    build: Callable[..., F],
    task: str,
    noun: str,
    schema: int = 1,
    stored_keys: Mapping[str, str] | None = None,
) -> F:
    """Read ``model.json`` of a folder.

    Args:
        build: builds the metadata from its values by name; ValueError, TypeError or OptionError if these are invalid.
        task: the expected task, as ``kinoscope train`` names it.
        noun: what messages call such a model.
        schema: newest schema that is supported.
        stored_keys: field -> key in the file, of the fields whose keys differ.

    Raises:
        ModelError: there is none, or it is damaged, of another task or of a newer version.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise ModelError(f"{folder} is no {noun}: it has no {METADATA_FILE}; make one with `kinoscope train {task}`")
    try:
        values: dict[str, Any] = read_json(path)
        if values.pop("schema") > schema:
            raise ModelError(f"{path} is of a newer version than {schema}; update kinoscope")
        if (stored_task := values.pop("task")) != task:
            raise ModelError(
                f"{folder} was trained to {stored_task}, not to {task}; give one that `kinoscope train {task}` wrote"
            )
        fields = {key: name for name, key in (stored_keys or {}).items()}
        return build(**{fields.get(key, key): value for key, value in values.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OptionError) as error:
        raise ModelError(f"{path} is damaged ({error}); train the model again or restore the file") from None
