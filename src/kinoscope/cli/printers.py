"""Printing of the results of the verbs by ``PRINTERS``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinoscope.api.evaluate import EvaluateResult


def _print_paths(paths: Sequence[Path | str]) -> None:
    """Print the written files, indented."""
    for path in paths:
        print(f"  {path}")


def _print_evaluate(result: EvaluateResult) -> None:
    from kinoscope.views.console.evaluation import print_comparison, print_scores, print_segments

    plain = result.to_dict()
    if result.scores:
        print_scores(plain["scores"])
    if result.comparison:
        print_comparison(plain["comparison"])
    if result.segments:
        print_segments(plain)
    if result.generation:
        _print_generator_scores(plain)
    _print_paths(result.written)


def _print_generator_scores(plain: dict[str, Any]) -> None:
    from kinoscope.views.pages.generated import score_tables

    for title, rows in score_tables(plain)[:-1]:
        print(title)
        for name, value, beside in rows:
            print(f"  {name:<48} {value:>10}  {beside}")
    print(f"protocol {plain['generation']['protocol_hash']}: {plain['generation']['protocol_text']}")


PRINTERS: dict[str, Callable[[Any], None]] = {
    "evaluate": _print_evaluate,
}
"""Verb -> what prints its result as text."""
