"""One name means one thing in all verbs; old names are accepted for one release, with a warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pytest

import kinoscope
from kinoscope.api.deprecations import RENAMED, accept_old_names, rename_options
from kinoscope.cli.commands import COMMANDS, find_command, flags
from kinoscope.core.errors import OptionError
from kinoscope.source.synthetic.video import flash_and_beep
from tests.conftest import Call


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("train classify --resume run", "train classify --resume-from run"),
        ("train classify --resume=run", "train classify --resume-from=run"),
        ("analyze a.mp4 --resume --clips", "analyze a.mp4 --resume --clips"),
        ("detect a.mp4 --looks cnn", "detect a.mp4 --appearance cnn"),
        ("lipsync a.mp4 b.wav c.mp4 m --looks d.mp4", "lipsync a.mp4 b.wav c.mp4 m --reference d.mp4"),
        ("lipsync a.mp4 --sound b.wav c.mp4 m", "lipsync a.mp4 --audio b.wav c.mp4 m"),
        ("sync a.mp4 --sound-track 1", "sync a.mp4 --audio-track 1"),
        ("sync a.mp4 --sound-track=1", "sync a.mp4 --audio-track=1"),
        ("evaluate people clips --judge m", "evaluate people clips --classifier m"),
        ("predict m a.mp4 b.mp4 --given", "predict m a.mp4 b.mp4 --include-input"),
        ("predict m a.mp4 b.mp4 --no-given", "predict m a.mp4 b.mp4 --no-include-input"),
        ("library list --place films.lance", "library list --path films.lance"),
        ("watch cam --rules r.yaml --clips d", "watch cam --rules r.yaml --clips-to d"),
        ("watch cam r.yaml --for 5", "watch cam --rules r.yaml --for 5"),
        ("watch --for 5 cam r.YML", "watch --for 5 cam --rules r.YML"),
        ("watch cam --rules r.yaml", "watch cam --rules r.yaml"),
        ("watch cam --rules=r.yaml --undelivered u.json", "watch cam --rules=r.yaml --undelivered u.json"),
        ("", ""),
    ],
)
def test_old_flags_are_accepted_with_a_warning(capsys: pytest.CaptureFixture[str], old: str, new: str) -> None:
    assert rename_options(old.split()) == new.split()
    assert capsys.readouterr().err.count("is now called") == (old != new)


def test_old_names_are_accepted_in_python_too(capsys: pytest.CaptureFixture[str]) -> None:
    seen: dict[str, Any] = {}

    def watch(source: str, *, rules: str, clips_to: str | None = None) -> None:
        seen.update(source=source, rules=rules, clips_to=clips_to)

    accept_old_names(watch)("cam", "r.yaml", clips="d")  # type: ignore[call-arg]
    assert seen == {"source": "cam", "rules": "r.yaml", "clips_to": "d"}
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "kinoscope: watch(source, rules) is now called watch(source, rules=rules)",
        "kinoscope: watch: clips is now called clips_to",
    ]


@dataclass(frozen=True)
class CutOptions:
    start: float = 0.0
    end: float | None = None


def test_options_that_are_in_a_group_now_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    @accept_old_names
    def cut(sources: list[str], *, cutting: CutOptions = CutOptions(end=9.0), quiet: bool = False) -> CutOptions:
        return cutting

    flat: Any = cut
    assert flat(["a"], start=2.0, quiet=True) == CutOptions(2.0, 9.0)
    assert flat(["a"], cutting=CutOptions(1.0), end=4.0) == CutOptions(1.0, 4.0)
    assert cut(["a"]) == CutOptions(end=9.0)
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "kinoscope: cut: start is now called cutting=CutOptions(start=...)",
        "kinoscope: cut: end is now called cutting=CutOptions(end=...)",
    ]
    with pytest.raises(TypeError, match="unexpected keyword argument 'begin'"):
        flat(["a"], begin=1.0)


def test_several_sources_as_arguments_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    @accept_old_names
    def add(gallery: str, sources: str | list[str], *, quiet: bool = False) -> tuple[str, str | list[str]]:
        return gallery, sources

    several: Any = add
    assert several("g", "a", "b", quiet=True) == ("g", ["a", "b"])
    assert capsys.readouterr().err.startswith("kinoscope: add(a, b) is now called add([a, b]); the old name goes")
    assert (add("g", "a"), add("g", ["a", "b"])) == (("g", "a"), ("g", ["a", "b"]))
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_detect_takes_the_arguments_of_the_last_release(capsys: pytest.CaptureFixture[str], light: Any) -> None:
    detect: Any = kinoscope.detect
    sources = ["synthetic:shapes?duration=1", "synthetic:shapes?duration=2"]
    with pytest.raises(OptionError, match=r"end 1 s does not lie after start 2 s"):
        detect(*sources, start=2, end=1)
    assert [line.split(";")[0] for line in capsys.readouterr().err.splitlines()] == [
        "kinoscope: detect(a, b) is now called detect([a, b])",
        "kinoscope: detect: end is now called decoding=DecodingOptions(end=...)",
        "kinoscope: detect: start is now called decoding=DecodingOptions(start=...)",
    ]


@pytest.mark.slow
def test_an_old_flag_runs(kinoscope: Callable[..., Call], tmp_path: Path) -> None:
    video = flash_and_beep(duration=1, rate=10, width=64, height=48).write(tmp_path / "a.mp4")
    new, old = (kinoscope("sync", video, flag, "0", "--json") for flag in ("--audio-track", "--sound-track"))
    warning = "sync --sound-track is now called --audio-track; the old name goes with the next release"
    assert old.err == f"kinoscope: {warning}\n"
    assert (old.status, old.out, new.err) == (new.status, new.out, "")


@pytest.mark.parametrize("verb", sorted(RENAMED))
def test_an_old_name_reaches_the_verb(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    wrapped, got = find_command(verb), {}
    parameters = flags(wrapped)

    def record(*_: Any, **options: Any) -> None:
        got.update(options)

    record.__name__ = verb
    for old, new in RENAMED[verb].items():
        accept_old_names(record)(**{old: "value"})
        assert got[new] == "value"
        assert new in parameters
    assert hasattr(wrapped, "__wrapped__")


def test_new_names_exist_and_old_ones_do_not() -> None:
    for verb, names in RENAMED.items():
        known = flags(find_command(verb))
        assert set(names.values()) <= set(known)
        assert not set(names) & set(known)


def test_a_name_is_a_flag_in_all_verbs_or_in_none() -> None:
    kinds: dict[str, set[bool]] = {}
    for verb in map(find_command, COMMANDS):
        for name, kind in flags(verb).items():
            kinds.setdefault(name, set()).add(kind is bool)
    assert [name for name, flags in kinds.items() if len(flags) > 1] == []


def test_a_name_takes_a_number_in_all_verbs_or_in_none() -> None:
    kinds: dict[str, set[bool]] = {}
    for verb in map(find_command, COMMANDS):
        for name, kind in flags(verb).items():
            types = {*(get_args(kind) or [kind])} - {type(None)}
            kinds.setdefault(name, set()).add(types <= {int, float})
    assert [name for name, numbers in kinds.items() if len(numbers) > 1] == []


@pytest.mark.parametrize("given", [None, 3, {"start": 1}, kinoscope.OutputOptions()])
def test_a_group_of_another_class_is_refused(given: Any) -> None:
    name = type(given).__name__
    with pytest.raises(OptionError, match=rf"decoding is {name}; give kinoscope\.DecodingOptions\(\.\.\.\)"):
        kinoscope.analyze("a.mp4", decoding=given)
