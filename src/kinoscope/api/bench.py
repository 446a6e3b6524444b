"""``kinoscope bench``: time and memory of an analysis."""

from __future__ import annotations

from collections.abc import Sequence

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.benchmark import measure_analysis
from kinoscope.pipeline.own_tasks import TaskLike
from kinoscope.results.bench import BenchResult
from kinoscope.source.names import SourceObject, name_of


@accept_old_names
def bench(
    source: SourceObject,
    *,
    tasks: TaskLike | Sequence[TaskLike] | None = None,
    where: bool = False,
    device: str = "auto",
) -> BenchResult:
    """Run an analysis without writing anything, and report its time and memory.

    Args:
        source: a video.
        tasks: which tasks to run, separated by commas; those of `kinoscope analyze` if not given.
        where: run one task after another, and report the CPU seconds of each.
        device: auto (a GPU if there is one), cpu or cuda.

    Returns:
        Wall and CPU seconds, frames, peak memory in MB, and with ``where`` the CPU seconds of each part.

    Raises:
        OptionError: an option cannot be used.
        SourceError: the source cannot be read.
    """
    choose_device(device)
    return measure_analysis(name_of(source), tasks, device, by_part=where)
