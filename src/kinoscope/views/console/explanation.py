"""Explanations on the terminal: how faithful each method's maps are, and the files that show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kinoscope.core.time import format_clock
from kinoscope.results.explain import ExplainResult
from kinoscope.views.console.evaluation import percent, plain_table
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console


@render.register
def render_explanation(result: ExplainResult) -> None:
    """Print the checks of an explanation, and the files written."""
    print_explanation(result.to_dict())
    print_paths(result.written)


def print_explanation(explanation: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the checks of an explanation, given as a dict."""
    from rich.text import Text

    from kinoscope.views.console.data_console import DataConsole

    console = console or DataConsole()
    window, label = explanation["window"], explanation["target"]
    span = f"{format_clock(window['start'])} - {format_clock(window['end'])}"
    chosen = f", the most probable of {window['windows']} windows" if window["windows"] > 1 else ""
    head = f"{explanation['source']}: {label} {percent(explanation['probability'])} at {span}{chosen}"
    console.print(Text(one_line(head), "bold"), soft_wrap=True)
    table = plain_table("method", "deletion", "insertion", "gain", "rank correlation, shuffled weights")
    for name, row in explanation["methods"].items():
        numbers = [f"{row[part]:.3f}" for part in ("deletion", "insertion", "gain")]
        table.add_row(name, *numbers, f"{sum(row['sanity']) / len(row['sanity']):.2f}")
    chance = explanation["random"]
    table.add_row("random order", *(f"{sum(chance[part]) / len(chance[part]):.3f}" for part in chance), "")
    console.print(table)
    for name, row in explanation["methods"].items():
        if not row["faithful"]:
            console.print(f"{name} is no better than a random order", soft_wrap=True)
        if not row["sane"]:
            console.print(
                f"{name} hardly changes with shuffled weights: it shows the input, not the model", soft_wrap=True
            )
