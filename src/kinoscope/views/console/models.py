"""Cards of models on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kinoscope.core.validation import pluralize
from kinoscope.results.models import ModelsResult
from kinoscope.views.console.render import render


@render.register
def render_models(result: ModelsResult) -> None:
    """Print the cards as a table: all fields of those shown, else a row for each."""
    rows = [model.to_dict() for model in result.models]
    if result.source == "show":
        _print_cards(rows)
        return
    checked = result.source == "check"
    _print_list(rows, checked)
    if checked:
        print(_verification_summary(rows))


def _print_cards(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a column for each card, and a row for each of its fields."""
    from rich.table import Table

    from kinoscope.views.console.data_console import DataConsole

    table = Table("", *(row["name"] for row in rows))
    for column in table.columns:
        column.overflow = "fold"  # an address or a hash is of no use cut off
    for name in list(rows[0])[1:]:
        table.add_row(name, *(_cell(row[name]) for row in rows))
    DataConsole().print(table)


def _print_list(rows: Sequence[Mapping[str, Any]], checked: bool) -> None:
    """Print a row for each card, with the verified files after a check."""
    from rich.table import Table

    from kinoscope.views.console.data_console import DataConsole

    table = Table("name", "task", "licence", "weights", *(["verified"] if checked else []))
    for row in rows:
        cells = [row["name"], row["task"], row["licence"], row["weights"]]
        table.add_row(*cells, *([_verified(row)] if checked else []))
    DataConsole().print(table)


def _verified(row: Mapping[str, Any]) -> str:
    return pluralize(row["verified"], "file") if row["verified"] else "not here"


def _verification_summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return in a line how many files ``models check`` verified, and which cards it fetched again."""
    counts = [row["verified"] for row in rows if row["verified"]]
    renewed = [row["name"] for row in rows if row["renewed"]]
    altered = f"{', '.join(renewed)} {'was' if len(renewed) == 1 else 'were'} altered, and fetched again"
    verified = f"{pluralize(sum(counts), 'file')} of {pluralize(len(counts), 'model')} verified"
    return f"{verified}; {altered if renewed else 'none was altered'}"


def _cell(value: Any) -> str:
    """Return a field of a model's card as text, one line for each part."""
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_cell(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)) and not all(isinstance(part, int) for part in value):
        return "\n".join(map(_cell, value))
    return "" if value is None else str(value)
