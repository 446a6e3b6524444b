"""One name means one thing in all verbs; the old names are taken for a release more, with a warning."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import pytest

import kinoscope
from kinoscope.api.deprecations import RENAMED, accept_old_names, rename_options
from kinoscope.cli.main import COMMANDS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train classify --resume run", "train classify --resume-from run"),
        ("train classify --resume=run", "train classify --resume-from=run"),
        ("analyze a.mp4 --resume --clips", "analyze a.mp4 --resume --clips"),
        ("detect a.mp4 --looks cnn", "detect a.mp4 --appearance cnn"),
        ("lipsync a.mp4 b.wav c.mp4 m --looks d.mp4", "lipsync a.mp4 b.wav c.mp4 m --reference d.mp4"),
        ("watch cam --rules r.yaml --clips d", "watch cam --rules r.yaml --clips-to d"),
        ("watch cam r.yaml --for 5", "watch cam --rules r.yaml --for 5"),
        ("watch --for 5 cam r.YML", "watch --for 5 cam --rules r.YML"),
        ("watch cam --rules r.yaml", "watch cam --rules r.yaml"),
        ("watch cam --rules=r.yaml --undelivered u.json", "watch cam --rules=r.yaml --undelivered u.json"),
        ("", ""),
    ],
)
def test_old_words_are_taken_with_a_warning(capsys: pytest.CaptureFixture[str], old: str, new: str) -> None:
    assert rename_options(old.split()) == new.split()
    assert capsys.readouterr().err.count("is now called") == (old != new)


def test_old_names_are_taken_in_python_too(capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    def watch(source: str, *, rules: str, clips_to: str | None = None) -> None:
        seen.update(source=source, rules=rules, clips_to=clips_to)

    accept_old_names(watch)("cam", "r.yaml", clips="d")  # type: ignore[call-arg,misc]
    assert seen == {"source": "cam", "rules": "r.yaml", "clips_to": "d"}
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "kinoscope: watch(source, rules) is now called watch(source, rules=rules)",
        "kinoscope: watch: clips is now called clips_to",
    ]


def test_new_names_exist_and_old_ones_do_not() -> None:
    for verb, names in RENAMED.items():
        known = inspect.signature(getattr(kinoscope, verb)).parameters
        assert set(names.values()) <= set(known)
        assert not set(names) & set(known)


def test_a_name_is_a_flag_in_all_verbs_or_in_none() -> None:
    kinds: dict[str, set[bool]] = {}
    for verb in COMMANDS.values():
        for name, parameter in inspect.signature(verb).parameters.items():
            kinds.setdefault(name, set()).add(parameter.annotation in ("bool", bool))
    assert [name for name, flags in kinds.items() if len(flags) > 1] == []


def test_a_name_takes_a_number_in_all_verbs_or_in_none() -> None:
    kinds: dict[str, set[bool]] = {}
    for verb in COMMANDS.values():
        for name, parameter in inspect.signature(verb, eval_str=True).parameters.items():
            types = {*(get_args(parameter.annotation) or [parameter.annotation])} - {type(None)}
            kinds.setdefault(name, set()).add(types <= {int, float})
    assert [name for name, numbers in kinds.items() if len(numbers) > 1] == []
