"""What the README says can be typed, can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from kinoscope.cli.commands import COMMANDS, SHORT_OPTIONS, command, find_command
from kinoscope.source.synthetic.video import shapes

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, flags=re.S)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("kinoscope ")])
def test_every_command_is_understood(line: str) -> None:
    from cyclopts import App

    app = App(result_action="return_value")
    verbs = {name: command(find_command(name)) for name in COMMANDS}
    for name, verb in verbs.items():
        app.command(verb, name=name)
    words = [SHORT_OPTIONS.get(word, word) for word in shlex.split(line)[1:]]
    verb, _, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert verb is verbs[words[0]]


@pytest.mark.parametrize("target", sorted({line.split()[1] for line in LINES if line.startswith("make ")}))
def test_every_make_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.M)


def test_the_python_example_runs(
    light: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shapes(duration=1, rate=10, width=64, height=48).write("street.mp4")
    code, _ = [block for kind, block in BLOCKS if kind == "python"]
    exec(compile(code, "README.md", "exec"), {"__name__": "example"})
    assert capsys.readouterr().out.count("(180, 320, 3)") == 4


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_it_is_short() -> None:
    assert TEXT.count("\n") <= 180
