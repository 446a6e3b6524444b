"""The shape of the verbs: what the command line and Python have in common."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_type_hints

import pytest

import kinoscope.api
from kinoscope.cli.commands import COMMANDS, find_command
from kinoscope.results.base import Result

MAX_PARAMETERS, MAX_LINES = 10, 120
"""Parameters of a verb in Python, and lines of a module of ``api``."""

MODULES = sorted(Path(kinoscope.api.__path__[0]).glob("*.py"))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_verb_has_few_parameters_and_returns_results(name: str) -> None:
    verb = find_command(name)
    assert len(inspect.signature(verb).parameters) <= MAX_PARAMETERS
    kind = get_type_hints(verb)["return"]
    (kind,) = getattr(kind, "__args__", [kind])
    assert issubclass(kind, Result)
    assert hasattr(verb, "__wrapped__"), "the decorator accept_old_names is missing"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_of_the_verbs_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
