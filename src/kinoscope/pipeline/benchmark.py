"""Time and memory of an analysis that writes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinoscope.pipeline import analysis, engine
from kinoscope.pipeline.arguments import choose_tasks
from kinoscope.pipeline.own_tasks import TaskLike, split_tasks
from kinoscope.results.bench import BenchResult

if TYPE_CHECKING:
    from kinoscope.views.timeline import Timeline


def measure_analysis(
    source: str, tasks: TaskLike | Sequence[TaskLike] | None, device: str = "auto", by_part: bool = False
) -> BenchResult:
    """Return the time and memory that an analysis takes.

    Args:
        source: name of a video.
        tasks: names of tasks, and tasks of one's own; those of an analysis if None.
        device: auto, cpu or cuda.
        by_part: run one task after another, and measure the CPU seconds of each.

    Raises:
        OptionError: there is no such task.
        SourceError: the source cannot be read.
    """
    import resource

    from kinoscope.source import open_source

    requested, own = split_tasks(tasks)
    names = choose_tasks(requested, own=own)
    wall, cpu = time.perf_counter(), time.process_time()
    with open_source(source) as opened:
        created = analysis.AnalysisOptions(names, device=device, own_tasks=own).make_tasks(names)
        timeline = engine.run(opened, created, threaded=not by_part)
    result = BenchResult(str(source), frames=timeline.decode.frames)
    result.wall_seconds = round(time.perf_counter() - wall, 2)
    result.cpu_seconds = round(time.process_time() - cpu, 2)
    result.peak_megabytes = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if by_part:
        result.parts = _seconds_by_part(timeline, result.cpu_seconds)
    return result


def _seconds_by_part(timeline: Timeline, total: float) -> dict[str, float]:
    """Return the CPU seconds of each task, of loading the models, and of decoding and scaling."""
    parts = {name: round(task.seconds, 2) for name, task in timeline.tasks.items()}
    loading = round(sum(task.extra.get("load", 0.0) for task in timeline.tasks.values()), 2)
    rest = round(total - sum(parts.values()) - loading, 2)
    return parts | {"loading models": loading, "decode and scale": rest}
