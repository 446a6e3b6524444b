"""The code blocks of README.md and docs/: what can be typed can be typed, and every example runs as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclopts import App

from kinoscope.cli.commands import COMMANDS, SHORT_OPTIONS, command, find_command
from tests.conftest import Call
from tests.helpers.documents import NEEDS_MODELS, ROOT, Block, blocks_of, pages, prepare_files

PAGES = pages()
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMAND_LINES = [(block, line) for block in BLOCKS if block.kind == "bash" for line in block.commands]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

NOT_RUN = {
    "needs a camera": 3,
    "needs a clip whose lips and audio agree": 1,
    "needs Docker": 1,
    "needs long videos with labelled segments": 1,
    "needs talking clips of several people": 1,
    "takes a minute": 1,
}
"""Reason for which blocks are not run -> number of blocks."""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def needs_models(page: Path) -> bool:
    return NEEDS_MODELS in page.read_text("utf-8")


def marked(page: Path) -> Any:
    marks = [pytest.mark.slow, *([pytest.mark.models] if needs_models(page) else [])]
    return pytest.param(page, id=name_of(page), marks=marks)


def runnable(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.kind in ("bash", "python") and not block.reason]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the files that the examples name."""
    return tmp_path_factory.mktemp("documents")


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if runnable(page)])
def test_the_examples_of_a_page_run(
    page: Path,
    kinoscope: Callable[..., Call],
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run the blocks of a page in their order, in one folder and with the names that earlier ones defined."""
    prepare_files(tmp_path, page.read_text("utf-8"), real=needs_models(page), cache=cache)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    printed = ""
    for block in blocks_of(page):
        if block.title:
            Path(block.title).write_text(block.text)
        if block.kind == "python" and not block.reason:
            capsys.readouterr()
            exec(compile("\n" * block.line + block.text, name_of(page), "exec"), names)
            printed = capsys.readouterr().out
        elif block.is_output:
            assert printed == block.text, f"{block.page}:{block.line}"
        elif block.kind == "bash" and not block.reason:
            run_commands(block, kinoscope)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Let torch use one thread: other tests have the other cores, and its threads would wait for one another."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run_commands(block: Block, kinoscope: Callable[..., Call]) -> None:
    for line in block.commands:
        words = shlex.split(line)
        if words[0] == "kinoscope":
            call = kinoscope(*words[1:])
            if "missing" in call.err + call.out and "kinoscope models pull" in call.err + call.out:
                pytest.skip(f"{line}: {(call.err or call.out).splitlines()[-1]}")
            assert call.status == block.status, f"{block.page}:{block.line}: {line}\n{call.out}{call.err}"
        else:
            assert words[0] in ("make", "pip", "python"), f"{block.page}:{block.line}: {line} is not run: say why"


@pytest.mark.parametrize(
    ("block", "line"), [pytest.param(*pair, id=f"{pair[0].page}:{pair[0].line}:{pair[1]}") for pair in COMMAND_LINES]
)
def test_every_command_is_understood(block: Block, line: str) -> None:
    """Parse each command, those included that are not run."""
    words = shlex.split(line)
    if words[0] == "kinoscope" and words[1:] not in (["--help"], ["--version"]):
        rest = [SHORT_OPTIONS.get(word, word) for word in words[1:] if word not in ("--json", "--quiet", "--debug")]
        verb, _, _ = command_line().parse_args(rest, exit_on_error=False, print_error=False)
        assert verb.__name__ == words[1]
    elif words[0] == "make":
        assert re.search(rf"^{re.escape(words[1])}:", (ROOT / "Makefile").read_text(), flags=re.M)
    elif words[:2] == ["pip", "install"]:
        extras = {name for found in re.findall(r"\[([\w,-]+)\]", line) for name in found.split(",")}
        assert extras <= set(PROJECT["optional-dependencies"])


@lru_cache
def command_line() -> App:
    """Return the parser of the command line."""
    app = App(result_action="return_value")
    for name in COMMANDS:
        app.command(command(find_command(name)), name=name)
    return app


def test_every_block_says_its_language() -> None:
    allowed = {"bash", "python", "text", "json", "yaml"}
    assert [f"{block.page}:{block.line}: {block.kind}" for block in BLOCKS if block.kind not in allowed] == []


def test_data_in_blocks_is_valid() -> None:
    for block in BLOCKS:
        if block.kind == "json":
            lines = block.text.splitlines() if block.text.startswith('{"') else [block.text]
            assert all(isinstance(json.loads(line), dict | list) for line in lines), block
        elif block.kind == "yaml":
            assert yaml.safe_load(block.text), block


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    reasons = [block.reason for block in BLOCKS if block.reason]
    assert {reason: reasons.count(reason) for reason in reasons} == NOT_RUN
    run = [block for block in BLOCKS if block.kind in ("bash", "python") and not block.reason]
    print(f"{len(BLOCKS)} blocks, {len(run)} executed, {len(reasons)} not run: {sorted(NOT_RUN)}")
    assert len(reasons) < len(run) / 5


def test_every_verb_has_a_page() -> None:
    pages_of_verbs = {path.stem for path in (ROOT / "docs" / "how-to").glob("*.md")}
    assert set(COMMANDS) <= pages_of_verbs
