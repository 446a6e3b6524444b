"""Output of the command line: the result as text or JSON on standard output, warnings on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from kinoscope.cli.stdio import discard_output, fail
from kinoscope.core.launcher import current_launch
from kinoscope.core.terminal import warn
from kinoscope.results.base import Result

LIST_KEYS = {"analyze": "analyses"}
"""Verb -> key of its list of results in the JSON object, where it is not the verb itself."""


def print_result(words: Sequence[str], result: Any, as_json: bool) -> int:
    """Print a result; return 1 if standard output fails, after which the written files are still complete.

    Raises:
        BrokenPipeError: the reader of standard output, such as head, has closed it.
    """
    try:
        _print(words, result, as_json)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        why = (error.strerror or str(error)).lower()
        return fail(f"cannot print the result ({why}); the written files are complete", 1)
    finally:
        _warn_of_damage(result)
    return 0


def exit_status(result: Any) -> int:
    """Return the exit status of a result: the highest of its parts."""
    rows = result if isinstance(result, list) else [result]
    return max((row.status for row in rows if hasattr(row, "status")), default=0)


def _print(words: Sequence[str], result: Any, as_json: bool) -> None:
    # Of several processes, the first one prints.
    if result is None or (words[0] == "train" and current_launch().rank > 0):
        return
    if as_json:
        print(json.dumps(to_json(words[0], result), allow_nan=False))
    else:
        _render(result)


def _render(result: Any) -> None:
    from kinoscope.views.console.printers import render

    for row in result if isinstance(result, list) else [result]:
        render(row)


def _warn_of_damage(result: Any) -> None:
    """Print one line for each source that was not read completely."""
    from kinoscope.views.console.analysis import damage_summary

    for row in result if isinstance(result, list) else ():
        if isinstance(row, Result) and row.timeline is not None and (line := damage_summary(row.timeline)):
            warn(line)


def to_json(verb: str, result: Any) -> dict[str, Any]:
    """Return the JSON object that ``--json`` prints."""
    if isinstance(result, list):
        return {LIST_KEYS.get(verb, verb): [_row_to_json(row) for row in result]}
    plain: dict[str, Any] = result.to_dict() if hasattr(result, "to_dict") else result
    return plain


def _row_to_json(row: Any) -> Any:
    if hasattr(row, "to_dict"):
        return row.to_dict()
    return row if isinstance(row, dict) else str(row)
