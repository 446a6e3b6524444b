"""What several tests share: light tasks in place of the networks, and a way to call the command line."""

from __future__ import annotations

import http.server
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.views.timeline import Timeline
from tests.helpers.tiny_models import NETWORK, train_tiny

# One profile for the whole project: no deadline and no complaint about slow draws, because a busy machine is no fault
# of the code, nor about fixtures that all examples of a test share.
settings.register_profile(
    "kinoscope",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("kinoscope")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open a page as those of the browser."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Write trained models that distinguish colours; see ``train_tiny``."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (NETWORK,))
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))

    def make(name: str = "model", **facts: object) -> Path:
        return train_tiny(tmp_path / name, **facts)  # type: ignore[arg-type]

    return make


class Counting(Task):
    """A task without a network: one event over all frames that it saw."""

    name = "shots"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: list[float] = []

    def needs(self, info: SourceInfo) -> Needs:
        if not info.width:
            raise Skip("no video")
        return Needs(sizes=((16, 12),))

    def process_frames(self, *batches: FrameBatch) -> None:
        self.seen += batches[0].times.tolist()

    def process_audio(self, audio: Audio) -> None:
        raise AssertionError("no audio was requested")

    def finish(self, timeline: Timeline) -> TaskResult:
        events = [Event(self.name, self.seen[0], self.seen[-1], "shot")] if self.seen else []
        return TaskResult(events=events, report=TaskReport(model="counting"))


class Breaking(Counting):
    """A task that always fails."""

    name = "scenes"

    def process_frames(self, *batches: FrameBatch) -> None:
        raise RuntimeError("this task is broken")


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> dict[str, type]:
    """Put a table of light tasks in place of the real ones; tests may add rows."""
    tasks: dict[str, type] = {"shots": Counting}
    monkeypatch.setattr("kinoscope.tasks.registry.TASKS", tasks)
    return tasks


@dataclass
class Call:
    """What a call of the command line left: exit status and what it wrote."""

    status: int
    out: str
    err: str


@pytest.fixture
def kinoscope(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Call]]:
    """Call the command line in this process."""
    from kinoscope.cli.main import main

    run: Callable[[list[str]], object] = main
    handlers = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}

    def call(*words: str | Path) -> Call:
        with pytest.raises(SystemExit) as leaving:
            run([str(word) for word in words])
        out, err = capsys.readouterr()
        return Call(int(leaving.value.code or 0), out, err)

    yield call
    for one, handler in handlers.items():
        signal.signal(one, handler)


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve HTTP on a free port of this machine within the block."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
