"""The help of every verb: all choices by name, defaults as they are typed, and the words of the field."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import kinoscope
from kinoscope.cli.commands import COMMANDS, find_command, flags
from kinoscope.explanation.explain import METHODS
from kinoscope.galleries import MATCH_THRESHOLDS
from kinoscope.pipeline.render import Redaction
from kinoscope.pipeline.trainings import TRAININGS
from kinoscope.source.limits import DEFAULT_LIMITS
from kinoscope.tasks.registry import TASKS, find_task
from kinoscope.tasks.tracking.association import STRATEGIES
from kinoscope.views.registry import VIEWS
from kinoscope.views.video.redaction_plan import KINDS
from tests.conftest import Call

Cli = Callable[..., Call]
VERBS = sorted(COMMANDS)
HELP_PAGES = [*VERBS, *(f"train {task}" for task in TRAININGS)]

with (Path(__file__).parents[1] / "tools" / "words.toml").open("rb") as _stream:
    _WORDS: dict[str, Any] = tomllib.load(_stream)

REPLACED = {*_WORDS["replaced"], *_WORDS["sentences"]} - {"most", "least"}
"""Words that no help contains; "at most" and "at least" are plain English."""

REPLACED_IN_NAMES = {*_WORDS["replaced"], *_WORDS["names"]}
"""Words that no name of an option contains."""


@pytest.fixture
def shown(kinoscope: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that returns the help of a verb without box characters and line breaks."""
    monkeypatch.setenv("COLUMNS", "200")

    def text(verb: str) -> str:
        call = kinoscope(*verb.split(), "--help")
        assert call.status == 0
        return " ".join(re.sub("[│╭╮╰╯─]", " ", call.out).split())

    return text


@pytest.mark.parametrize(
    ("verb", "names"),
    [
        ("analyze", TASKS), ("analyze", [name for name in VIEWS if name != "json"]), ("convert", VIEWS),
        ("analyze", STRATEGIES), ("detect", STRATEGIES), ("analyze", KINDS), ("explain", METHODS), ("train", TRAININGS),
    ],
)  # fmt: skip
def test_every_choice_is_named(shown: Callable[[str], str], verb: str, names: Any) -> None:
    text = shown(verb)
    assert [name for name in names if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)] == []


def test_the_tasks_that_need_an_option_are_listed(shown: Callable[[str], str]) -> None:
    usual = re.search(r"If not given, all but (.*?); (.*?) only with", shown("analyze"))
    assert usual
    assert set(re.findall(r"\w+", usual[1])) - {"and"} == {name for name in TASKS if not find_task(name).by_default}
    assert set(re.findall(r"\w+", usual[2])) - {"and"} == {name for name in TASKS if find_task(name).required_input}


def test_defaults_in_the_text_are_those_of_the_code(shown: Callable[[str], str]) -> None:
    assert f"{MATCH_THRESHOLDS['face']} if not given" in shown("recognize")
    for number in (DEFAULT_LIMITS.pixels, DEFAULT_LIMITS.channels, DEFAULT_LIMITS.rate, DEFAULT_LIMITS.hours):
        assert f"{number:g}" in shown("analyze").replace("134217728", "1.34218e+08")
    assert Redaction(("faces",)).method in shown("analyze")


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_described_and_its_default_can_be_typed(shown: Callable[[str], str], verb: str) -> None:
    text = shown(verb)
    several = [
        one.name for one in inspect.signature(find_command(verb)).parameters.values() if one.kind is one.VAR_POSITIONAL
    ]
    for name in flags(find_command(verb)).keys() - {"sources", *several}:
        flag = f"--{name.rstrip('_').replace('_', '-')}"
        assert re.search(rf"{flag}\b(?: --no-\S+)?(?: [A-Z|.]+)? +\w", text), flag
    assert not re.search(r"default: [(\[{]", text)


@pytest.mark.parametrize("verb", VERBS)
def test_no_type_of_python_is_shown(shown: Callable[[str], str], verb: str) -> None:
    assert not re.search(r"TYPE|TASK\|", shown(verb))


@pytest.mark.parametrize("verb", HELP_PAGES)
def test_the_help_of_every_verb_uses_the_words_of_the_field(shown: Callable[[str], str], verb: str) -> None:
    words = set(re.findall(r"[a-z]+", shown(verb).lower()))
    assert words & REPLACED == set()


@pytest.mark.parametrize("verb", VERBS)
def test_no_option_has_a_replaced_word_in_its_name(verb: str) -> None:
    assert [name for name in flags(find_command(verb)) if {*name.split("_")} & REPLACED_IN_NAMES] == []


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_begins_with_its_docstring(shown: Callable[[str], str], verb: str) -> None:
    docstring = find_command(verb).__doc__
    assert docstring
    assert docstring.split("\n\n")[0].split(":")[0].replace("`", "") in shown(verb).replace("`", "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_choice_of_a_type_is_named(shown: Callable[[str], str], verb: str) -> None:
    text = shown(verb)
    for name, kind in flags(find_command(verb)).items():
        for choice in get_args(kind) if get_origin(kind) is Literal else ():
            assert re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", text), (name, choice)


def test_the_signature_of_python_has_the_same_names() -> None:
    for name, verb in ((name, find_command(name)) for name in COMMANDS):
        assert name in ("library", "models") or getattr(kinoscope, name) is verb
        assert not get_args(inspect.signature(verb).return_annotation)


@pytest.mark.parametrize("words", ["", "--json", "--quiet", "--help"])
def test_no_verb_shows_all_verbs(kinoscope: Cli, words: str) -> None:
    call = kinoscope(*words.split())
    assert (call.status, call.err) == (0, "")
    assert all(verb in call.out for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("dance", "kinoscope --help"), ("--dance", "kinoscope --help"), ("train", "kinoscope train --help"),
        ("train lipsync --dance", "kinoscope train lipsync --help"), ("detect --rate soon", "kinoscope detect --help"),
        ("analyze a.mp4 --dance", "kinoscope analyze --help"),
    ],
)  # fmt: skip
def test_a_parse_error_names_the_command_of_the_help(kinoscope: Cli, words: str, more: str) -> None:
    call = kinoscope(*words.split())
    assert (call.status, call.out, call.err.count("\n")) == (2, "", 1)
    assert call.err.endswith(f"; see {more}\n")
