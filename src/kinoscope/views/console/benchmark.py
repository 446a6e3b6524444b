"""Time and memory of an analysis on the terminal."""

from __future__ import annotations

from kinoscope.results.bench import BenchResult
from kinoscope.views.console.render import render


@render.register
def render_bench(result: BenchResult) -> None:
    """Print the measurements, and the CPU seconds of the parts in descending order."""
    plain = result.to_dict()
    parts = plain.pop("where", {})
    for key, value in plain.items():
        print(f"{key:>10}  {value}")
    for part, seconds in sorted(parts.items(), key=lambda pair: -pair[1]):
        print(f"{seconds:10.2f}  CPU s  {part}")
