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

VerbResult = Result | list[Result] | None
"""The return value of a verb: one result, or one for each source; None after ``--help``."""

LIST_KEYS = {"analyze": "analyses"}
"""Verb -> key of its list of results in the JSON object, where it is not the verb itself."""


def print_result(words: Sequence[str], result: VerbResult, as_json: bool) -> int:
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


def exit_status(result: VerbResult) -> int:
    """Return the exit status of a result: the highest of its parts."""
    return max((row.status for row in _rows(result)), default=0)


def _rows(result: VerbResult) -> list[Result]:
    """Return the results of a verb as a list; an empty one after ``--help``."""
    if result is None:
        return []
    return result if isinstance(result, list) else [result]


def _print(words: Sequence[str], result: VerbResult, as_json: bool) -> None:
    # Of the processes of a training, the first one prints. Other verbs print in any: the variables may be left over.
    if result is None or (words[0] == "train" and current_launch().rank > 0):
        return
    if as_json:
        print(json.dumps(to_json(words[0], result), allow_nan=False))
    else:
        _render(_rows(result))


def _render(rows: Sequence[Result]) -> None:
    from kinoscope.views.console.printers import render

    for row in rows:
        render(row)


def _warn_of_damage(result: VerbResult) -> None:
    """Print one line for each source that was not read completely."""
    from kinoscope.views.console.analysis import damage_summary

    for row in result if isinstance(result, list) else ():
        if row.timeline is not None and (line := damage_summary(row.timeline)):
            warn(line)


def to_json(verb: str, result: Result | list[Result]) -> dict[str, Any]:
    """Return the JSON object that ``--json`` prints."""
    if isinstance(result, list):
        return {LIST_KEYS.get(verb, verb): [row.to_dict() for row in result]}
    return result.to_dict()
