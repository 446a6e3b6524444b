"""Time whole processes: wall and CPU seconds, peak memory; medians of alternated runs."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Cost:
    """Cost of a process: wall seconds, CPU seconds (user and system), peak memory in MB."""

    wall: float
    cpu: float
    peak: float


def cost(command: Sequence[str], **environment: str) -> tuple[Cost, str]:
    """Run a command to its end, and return its cost and its standard output.

    Raises:
        RuntimeError: it failed; the message contains the end of its standard error.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=os.environ | environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output, errors = _text(out), _text(err)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}: {errors[-500:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), output


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(statistics.median(values) for values in zip(*((c.wall, c.cpu, c.peak) for c in costs), strict=True)))


def alternate(runs: int, **jobs: Callable[[], Cost]) -> dict[str, Cost]:
    """Run the jobs alternately, so that a drift of the machine's speed affects all, and return their medians.

    Args:
        runs: of each job.
        jobs: by name.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            costs[name].append(job())
    return {name: median(values) for name, values in costs.items()}


def machine() -> str:
    """Return the date, the processor and the version of Python in one line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        flags = next((line.split() for line in lines if line.startswith("flags")), [])
        model += ", " + (
            " ".join(f for f in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16") if f in flags) or "no avx2"
        )
    return f"{datetime.date.today()}, {os.cpu_count()} cores, {model}, Python {platform.python_version()}"
