"""``kinoscope bench``: time and memory of an analysis."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinoscope.core.addresses import Address
from kinoscope.pipeline import analysis
from kinoscope.pipeline.arguments import choose_device, choose_tasks
from kinoscope.views.timeline import Timeline


def bench(
    source: str | Path, *, tasks: str | Sequence[str] | None = None, where: bool = False, device: str = "auto"
) -> dict[str, Any]:
    """Run an analysis without writing anything, and report its time and memory.

    Args:
        source: a video.
        tasks: which tasks to run, separated by commas; those of `kinoscope analyze` if not given.
        where: run one task after another, and report the CPU seconds of each.
        device: auto (a GPU if there is one), cpu or cuda.

    Returns:
        Wall and CPU seconds, frames, peak memory in MB, and with ``where`` the CPU seconds of each part.
    """
    import resource

    from kinoscope.pipeline import engine
    from kinoscope.source import open_source

    names = choose_tasks(tasks)
    choose_device(device)
    wall, cpu = time.perf_counter(), time.process_time()
    with open_source(source) as opened:
        timeline = engine.run(opened, analysis.make_tasks(names, device=device), threaded=not where)
    result: dict[str, Any] = {"source": str(Address(source)), "frames": timeline.decode.frames}
    result["wall_s"] = round(time.perf_counter() - wall, 2)
    result["cpu_s"] = round(time.process_time() - cpu, 2)
    result["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if where:
        result["where"] = _seconds_by_part(timeline, result["cpu_s"])
    return result


def _seconds_by_part(timeline: Timeline, total: float) -> dict[str, float]:
    """Return the CPU seconds of each task, of loading the models, and of decoding and scaling."""
    parts = {name: round(task.seconds, 2) for name, task in timeline.tasks.items()}
    loading = round(sum(task.extra.get("load", 0.0) for task in timeline.tasks.values()), 2)
    rest = round(total - sum(parts.values()) - loading, 2)
    return parts | {"loading models": loading, "decode and scale": rest}
