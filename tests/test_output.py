"""Output that cannot be printed: the result is saved, and one line reports the error."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from kinoscope.core.results import Event
from kinoscope.source.synthetic.video import shapes
from kinoscope.views.formats.jsonl import LineWriter

CODE = """
import sys
from tests.conftest import Counting
from kinoscope.tasks import registry
from kinoscope.cli.main import main
registry.TASKS = {"shots": Counting}
main(sys.argv[1:])
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return shapes(duration=0.4, width=32, height=32).write(tmp_path / "a-\U0001f600-\u4e2d.mp4")


def analyze(video: Path, *words: str, out: int | IO[Any] = subprocess.PIPE, **settings: str) -> Any:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])} | settings
    command = [sys.executable, "-c", CODE, "analyze", str(video), "-o", str(video.with_name("out")), *words]
    return subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=environment, check=False)


def is_saved(video: Path) -> bool:
    return bool(json.loads((video.parent / "out" / "timeline.json").read_text())["decode"]["frames"] == 10)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_characters_that_the_terminal_lacks_are_written_out(video: Path, encoding: str) -> None:
    for words in ((), ("--json",)):
        done = analyze(video, *words, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\\U0001f600" in done.stdout or b"\\ud83d\\ude00" in done.stdout
        assert is_saved(video)
    assert json.loads(done.stdout)["analyses"][0]["source"] == str(video)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_full_disk_behind_standard_output_is_one_line(video: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        done = analyze(video, *words, out=full)
    assert done.returncode == 1
    expected = "kinoscope: cannot print the result (no space left on device); the written files are complete\n"
    assert done.stderr.decode() == expected
    assert is_saved(video)


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_closed_pipe_is_no_error(video: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = analyze(video, *words, out=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
    assert is_saved(video)


def test_lines_stay_json_in_any_encoding() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="backslashreplace")
    LineWriter(stream, {"path": "\U0001f600.mp4"}).write(Event("rules", 0, 1, "\u4e2d"))
    first, second = stream.buffer.getvalue().decode("cp1252").splitlines()
    assert json.loads(first)["source"]["path"] == "\U0001f600.mp4"
    assert json.loads(second)["event"]["label"] == "\u4e2d"
