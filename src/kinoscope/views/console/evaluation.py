"""Scores on the terminal: of a classifier on clips or segments, of two that are compared, or of a generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kinoscope.core.validation import pluralize
from kinoscope.results.evaluate import EvaluateResult
from kinoscope.views.console.render import print_paths, render
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MEASURE_NAMES = {
    "top1": "top-1",
    "top5": "top-5",
    "balanced_accuracy": "balanced accuracy",
    "map": "mean average precision",
}
"""Metric -> its printed name."""
MAX_CLASSES = 20
"""Classes that are printed; of more, those with the lowest recall."""


@render.register
def render_scores(result: EvaluateResult) -> None:
    """Print the scores of clips, of segments or of a generator, the comparison, and the written files."""
    plain = result.to_dict()
    if result.scores:
        print_scores(plain["scores"])
    if result.comparison:
        print_comparison(plain["comparison"])
    if result.segments:
        print_segments(plain)
    if result.generation:
        print_generator_scores(plain)
    print_paths(result.written)


def percent(share: float | None) -> str:
    """Return a fraction as a percentage with one decimal, or a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


def _console(console: Console | None) -> Console:
    from kinoscope.views.console.data_console import DataConsole

    return console or DataConsole()


def plain_table(*columns: str) -> Any:
    """Return a table with a line below its header, its first column aligned left and the others right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(columns[0], box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_header=any(columns))
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_scores(scores: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the scores of a classifier, given as a dict."""
    from rich.text import Text

    console = _console(console)
    console.print(Text(headline(scores), "bold"), soft_wrap=True)
    table = plain_table("", "score", "95 % interval", "chance", "most frequent class")
    for name, measure in scores["measures"].items():
        low, high = measure["low"], measure["high"]
        interval = "too few groups" if low is None else f"{100 * low:.1f} – {100 * high:.1f}"
        interval = "–" if measure["value"] is None else interval
        table.add_row(
            MEASURE_NAMES.get(name, name),
            percent(measure["value"]),
            interval,
            percent(measure["uniform"]),
            percent(measure["majority"]),
        )
    console.print(table)
    console.print(_class_table(scores))
    for line in remarks(scores):
        console.print(Text(line), soft_wrap=True)


def headline(scores: Mapping[str, Any]) -> str:
    """Return one line on the model and the data of an evaluation."""
    count, views = len(scores["clips"]), scores["views"]
    clips = f"{pluralize(count, 'clip')} of {pluralize(len(scores['classes']), 'class', 'classes')}"
    fields = [f"{scores['model']} on {scores['data']}", clips]
    fields += [f"split {scores['split']}"] if scores["split"] != "all" else []
    fields += [pluralize(scores["groups"], "group")] if scores["groups"] != count else []
    return one_line(", ".join([*fields, f"{pluralize(views, 'view')} each"]))


def remarks(scores: Mapping[str, Any]) -> list[str]:
    """Return further lines: calibration, unreadable clips, notes."""
    calibration = scores["calibration"]
    temperature, before, after = (calibration[name] for name in ("temperature", "before", "after"))
    scaled = f", {percent(after)} with temperature {temperature:.3g}" if temperature != 1 else ""
    lines = [f"calibration error {percent(before)}{scaled}"] if before is not None else []
    unreadable = scores["unreadable"]
    if unreadable:
        path, reason = next(iter(unreadable.items()))
        lines.append(f"{pluralize(len(unreadable), 'clip')} could not be read (not counted), such as {path}: {reason}")
    return [one_line(line) for line in (*lines, *scores["notes"])]


def _class_table(scores: Mapping[str, Any]) -> Any:
    from rich.text import Text

    rows = [row for row in scores["by_class"] if row["clips"]]
    if len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=lambda row: row["recall"] or 0)[:MAX_CLASSES]
    table = plain_table("class", "clips", "recall", "precision", "AP")
    for row in rows:
        cells = [percent(row[name]) for name in ("recall", "precision", "average_precision")]
        table.add_row(Text(one_line(row["name"])), str(row["clips"]), *cells)
    return table


def print_comparison(comparison: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the comparison of two models on the same clips, given as a dict."""
    from rich.text import Text

    console = _console(console)
    first, second = (one_line(comparison[name]) for name in ("first", "second"))
    console.print(
        Text(f"{second} against {first}, on the same {pluralize(comparison['clips'], 'clip')}", "bold"), soft_wrap=True
    )
    for name, row in comparison["measures"].items():
        line = f"  {MEASURE_NAMES.get(name, name)}: {percent(row['first'])} -> {percent(row['second'])}, "
        console.print(Text(line + _format_difference(row)), soft_wrap=True)
    console.print(Text("  " + verdict(comparison)), soft_wrap=True)


def _format_difference(row: Mapping[str, Any]) -> str:
    if row["difference"] is None:
        return "difference undefined"
    points = f"{100 * row['difference']:+.1f} points"
    return points if row["low"] is None else f"{points} (95 %: {100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def verdict(comparison: Mapping[str, Any]) -> str:
    """Return one sentence on whether the difference is statistically significant."""
    first, second = len(comparison["only_first"]), len(comparison["only_second"])
    only_second = f"{pluralize(second, 'clip')} classified correctly only by {comparison['second']}"
    counts = f"{only_second}, {first} only by {comparison['first']}"
    p = comparison["p"]
    if p is None:
        return counts
    by = " by groups" if 0 < comparison.get("groups", 0) < comparison["clips"] else ""
    meaning = "significant" if p < 0.05 else "not significant"
    return one_line(f"{counts}: {meaning} (McNemar's exact test{by}, p = {p:.3g})")


def print_segments(evaluation: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the scores of temporal detection, from an evaluation given as a dict."""
    from rich.text import Text

    console, segments = _console(console), evaluation["segments"]
    console.print(Text(one_line(f"{evaluation['model']} on {evaluation['data']}"), "bold"), soft_wrap=True)
    console.print(f"average mAP {percent(segments['average_map'])}, over temporal IoU of 0.5 to 0.95")
    columns = [i for i, overlap in enumerate(segments["overlaps"]) if overlap in (0.5, 0.75, 0.95)]
    table = plain_table("class", *(f"AP at {segments['overlaps'][i]:g}" for i in columns), "mean")
    rows = [*segments["precisions"].items(), ("all", segments["by_overlap"])]
    for name, values in rows:
        cells = [values[i] for i in columns] + [sum(values) / len(values)]
        table.add_row(Text(one_line(name)), *map(percent, cells))
    console.print(table)
    if segments["unreadable"]:
        name, reason = next(iter(segments["unreadable"].items()))
        videos = pluralize(len(segments["unreadable"]), "video")
        console.print(Text(one_line(f"{videos} not counted, such as {name}: {reason}")), soft_wrap=True)


def print_generator_scores(evaluation: Mapping[str, Any]) -> None:
    """Print the scores of a generator, from an evaluation given as a dict."""
    from kinoscope.views.pages.generated import score_tables

    for title, rows in score_tables(evaluation)[:-1]:
        print(title)
        for name, value, beside in rows:
            print(f"  {name:<48} {value:>10}  {beside}")
    print(f"protocol {evaluation['generation']['protocol_hash']}: {evaluation['generation']['protocol_text']}")
