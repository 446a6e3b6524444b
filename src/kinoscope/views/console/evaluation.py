"""What a classifier says, and how good it is, on one screen of the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinoscope.core.results import Event
from kinoscope.core.time import format_clock
from kinoscope.views.formats.plain import one_line

if TYPE_CHECKING:
    from rich.console import Console

MEASURE_NAMES = {
    "top1": "top-1",
    "top5": "top-5",
    "balanced_accuracy": "balanced accuracy",
    "map": "mean average precision",
}
"""How measures are called."""
BAR_WIDTH = 24
"""Characters of a bar that stands for 100 %."""
BAR_FULL, BAR_EMPTY = "█", "─"
MAX_CLASSES = 20
"""Classes that have a line each; of more, the worst."""


def percent(share: float | None) -> str:
    """Give a share as per cent with one decimal; a dash where it has no value."""
    return "–" if share is None else f"{100 * share:.1f} %"


def _console(console: Console | None) -> Console:
    from kinoscope.views.console.data_console import DataConsole

    return console or DataConsole()


def _plain_table(*columns: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(columns[0], box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_header=any(columns))
    for name in columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_classes(
    source: str, top: Sequence[tuple[str, float]], segments: Iterable[Event] = (), console: Console | None = None
) -> None:
    """Print the likeliest classes of a source and, of a long one, what it shows when."""
    from rich.text import Text

    console = _console(console)
    console.print(Text(one_line(source), "bold"), soft_wrap=True)
    wide = max((len(one_line(name)) for name, _ in top), default=0)
    for name, share in top:
        bar = round(BAR_WIDTH * share)
        line = Text(f"  {one_line(name):<{wide}}  {100 * share:5.1f} %  ")
        console.print(line + Text(BAR_FULL * bar, "cyan") + Text(BAR_EMPTY * (BAR_WIDTH - bar), "dim"), soft_wrap=True)
    for event in segments:
        span = f"  {format_clock(event.start)} - {format_clock(event.end)}"
        console.print(Text(f"{span}  {one_line(event.label):<{wide}}  {100 * event.score:5.1f} %"), soft_wrap=True)


def print_scores(scores: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how good a classifier is, from the plain form of its scores."""
    from rich.text import Text

    console = _console(console)
    console.print(Text(headline(scores), "bold"), soft_wrap=True)
    table = _plain_table("", "score", "95 % interval", "chance", "most frequent class")
    for name, measure in scores["measures"].items():
        low, high = measure["low"], measure["high"]
        between = "too few groups" if low is None else f"{100 * low:.1f} – {100 * high:.1f}"
        between = "–" if measure["value"] is None else between
        table.add_row(
            MEASURE_NAMES.get(name, name),
            percent(measure["value"]),
            between,
            percent(measure["uniform"]),
            percent(measure["majority"]),
        )
    console.print(table)
    console.print(_class_table(scores))
    for line in remarks(scores):
        console.print(Text(line), soft_wrap=True)


def headline(scores: Mapping[str, Any]) -> str:
    """Give one line on what was evaluated on what."""
    count, views = len(scores["clips"]), scores["views"]
    facts = [f"{scores['model']} on {scores['data']}", f"{count} clips of {len(scores['classes'])} classes"]
    facts += [f"split {scores['split']}"] if scores["split"] != "all" else []
    facts += [f"{scores['groups']} groups"] if scores["groups"] != count else []
    return one_line(", ".join([*facts, f"{views} views each" if views > 1 else "1 view each"]))


def remarks(scores: Mapping[str, Any]) -> list[str]:
    """Give what else there is to say: calibration, clips that could not be read, notes."""
    calibration = scores["calibration"]
    heat, before, after = (calibration[name] for name in ("temperature", "before", "after"))
    scaled = f", {percent(after)} with temperature {heat:.3g}" if heat != 1 else ""
    lines = [f"calibration error {percent(before)}{scaled}"] if before is not None else []
    unreadable = scores["unreadable"]
    if unreadable:
        path, why = next(iter(unreadable.items()))
        clips = "1 clip" if len(unreadable) == 1 else f"{len(unreadable)} clips"
        lines.append(f"{clips} could not be read and counted for nothing, as {path}: {why}")
    return [one_line(line) for line in (*lines, *scores["notes"])]


def _class_table(scores: Mapping[str, Any]) -> Any:
    from rich.text import Text

    rows = [row for row in scores["by_class"] if row["clips"]]
    if len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=lambda row: row["recall"] or 0)[:MAX_CLASSES]
    table = _plain_table("class", "clips", "recall", "precision", "AP")
    for row in rows:
        cells = [percent(row[name]) for name in ("recall", "precision", "average_precision")]
        table.add_row(Text(one_line(row["name"])), str(row["clips"]), *cells)
    return table


def print_comparison(comparison: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how two models differ on the same clips, from the plain form of a comparison."""
    from rich.text import Text

    console = _console(console)
    first, second = (one_line(comparison[name]) for name in ("first", "second"))
    console.print(Text(f"{second} against {first}, on the same {comparison['clips']} clips", "bold"), soft_wrap=True)
    for name, row in comparison["measures"].items():
        line = f"  {MEASURE_NAMES.get(name, name)}: {percent(row['first'])} -> {percent(row['second'])}, "
        console.print(Text(line + _format_difference(row)), soft_wrap=True)
    console.print(Text("  " + verdict(comparison)), soft_wrap=True)


def _format_difference(row: Mapping[str, Any]) -> str:
    if row["difference"] is None:
        return "no difference that has a value"
    points = f"{100 * row['difference']:+.1f} points"
    return points if row["low"] is None else f"{points} (95 %: {100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def verdict(comparison: Mapping[str, Any]) -> str:
    """Say in one sentence whether the difference is more than luck."""
    one, two = len(comparison["only_first"]), len(comparison["only_second"])
    counts = f"{two} clips are told right only by {comparison['second']}, {one} only by {comparison['first']}"
    p = comparison["p"]
    if p is None:
        return counts
    by = " by groups" if 0 < comparison.get("groups", 0) < comparison["clips"] else ""
    meaning = "hardly by chance" if p < 0.05 else "which may well be chance"
    return one_line(f"{counts}: {meaning} (McNemar's exact test{by}, p = {p:.3g})")


def print_explanation(explained: Mapping[str, Any], console: Console | None = None) -> None:
    """Print why a model takes a clip for a class, from the plain form of an explanation."""
    from rich.text import Text

    console = _console(console)
    window, label = explained["window"], explained["target"]
    span = f"{format_clock(window['start'])} - {format_clock(window['end'])}"
    chosen = f", the likeliest of {window['windows']} windows" if window["windows"] > 1 else ""
    head = f"{explained['source']}: {label} {percent(explained['probability'])} at {span}{chosen}"
    console.print(Text(one_line(head), "bold"), soft_wrap=True)
    table = _plain_table("heat", "deletion", "insertion", "gain", "rank correlation, shuffled weights")
    for name, row in explained["methods"].items():
        numbers = [f"{row[part]:.3f}" for part in ("deletion", "insertion", "gain")]
        table.add_row(name, *numbers, f"{sum(row['sanity']) / len(row['sanity']):.2f}")
    chance = explained["random"]
    table.add_row("random order", *(f"{sum(chance[part]) / len(chance[part]):.3f}" for part in chance), "")
    console.print(table)
    for name, row in explained["methods"].items():
        if not row["faithful"]:
            console.print(f"{name} is no better than a random order here", soft_wrap=True)
        if not row["sane"]:
            console.print(
                f"{name} is much the same with shuffled weights: it shows the picture, not what the model has learned",
                soft_wrap=True,
            )


def print_segments(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print how well timed segments were found, from the plain form of an evaluation."""
    from rich.text import Text

    console, segments = _console(console), found["segments"]
    console.print(Text(one_line(f"{found['model']} on {found['data']}"), "bold"), soft_wrap=True)
    console.print(f"average mAP {percent(segments['average_map'])}, over overlaps in time of 0.5 to 0.95")
    kept = [i for i, overlap in enumerate(segments["overlaps"]) if overlap in (0.5, 0.75, 0.95)]
    table = _plain_table("class", *(f"AP at {segments['overlaps'][i]:g}" for i in kept), "mean")
    rows = [*segments["precisions"].items(), ("all", segments["by_overlap"])]
    for name, values in rows:
        cells = [values[i] for i in kept] + [sum(values) / len(values)]
        table.add_row(Text(one_line(name)), *map(percent, cells))
    console.print(table)
    if segments["unreadable"]:
        name, why = next(iter(segments["unreadable"].items()))
        console.print(
            Text(one_line(f"{len(segments['unreadable'])} videos were left out, as {name}: {why}")), soft_wrap=True
        )
