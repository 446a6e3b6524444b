"""The page of the metrics: its example runs, and what it names exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text("utf-8")
SECTIONS = re.findall(r"^## [^:\n]*: (.*)\n((?:(?!^## ).*\n)*)", TEXT, flags=re.M)
NAMED_ELSEWHERE = {
    "synthetic:moving",
    "kinoscope.core.intervals",
    "binomial_interval",
    "proportion_interval",
    "difference_interval",
}


def test_the_example_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    exec(compile(code, "metrics.md", "exec"), {})


@pytest.mark.parametrize(("modules", "body"), SECTIONS, ids=[heading for heading, _ in SECTIONS])
def test_what_it_names_exists(modules: str, body: str) -> None:
    public: set[str] = set()
    for module in re.findall(r"`([\w.]+)`", modules):
        public |= set(vars(import_module(module)))
    named = set(re.findall(r"`([^`]+)`", body)) - NAMED_ELSEWHERE
    assert named - public == set()


def test_every_family_has_a_section() -> None:
    folder = Path(import_module("kinoscope.core.metrics").__path__[0])
    families = {f"kinoscope.core.metrics.{path.stem}" for path in folder.glob("[!_]*.py")}
    assert {name for modules, _ in SECTIONS for name in re.findall(r"`([\w.]+)`", modules)} >= families


def test_the_intervals_exist() -> None:
    intervals = import_module("kinoscope.core.intervals")
    assert NAMED_ELSEWHERE - {"synthetic:moving", "kinoscope.core.intervals"} <= set(vars(intervals))
