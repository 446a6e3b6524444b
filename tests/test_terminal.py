"""No control sequence in a name, a label or a message reaches a terminal."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.cli.commands import COMMANDS
from kinoscope.cli.main import main
from kinoscope.core.terminal import escape_control
from kinoscope.source.synthetic.video import shapes

EVIL = "a\x1b]0;owned\x07\x1b[31m\x9b2J\u202egpj.\u2066[red]x[/nothing]\x7f\r"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
"""What Rich writes of its own: colours, the cursor, and the beginning of a line."""


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_visible_has_no_control_character_and_stays_json(text: str) -> None:
    shown = escape_control(text)
    assert not CONTROLS.search(shown)
    assert escape_control(shown) == shown
    assert json.loads(escape_control(json.dumps(text, ensure_ascii=False))) == text
    assert escape_control(json.dumps({"a": [text]}, indent=1)) == json.dumps({"a": [text]}, indent=1)


def test_an_escape_is_written_out() -> None:
    assert escape_control("a\x1b[31m\tb\n\x9b\u202e") == "a\\x1b[31m\tb\n\\u009b\\u202e"


class Screen(io.StringIO):
    """A terminal, which would execute control sequences."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> str:
    """Return all that a command writes to the terminal."""
    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    command: Callable[[list[str]], object] = main
    with pytest.raises(SystemExit):
        command([str(word) for word in words])
    return screen.getvalue()


def obeyed(text: str) -> list[str]:
    """Return the control characters in the output of a terminal, without those of Rich itself."""
    own = ("\x1b[31m", "\x1b[2J")  # red and a cleared screen, which nothing of ours asks for
    return [part for part in own if part in text] + CONTROLS.findall(COLOURS.sub("", text))


@pytest.mark.slow
@pytest.mark.parametrize("verb", COMMANDS)
def test_no_verb_obeys_what_its_arguments_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str) -> None:
    monkeypatch.chdir(tmp_path)
    for count in (1, 2, 3):
        assert not obeyed(shown(monkeypatch, verb, *[EVIL] * count))
        assert not obeyed(shown(monkeypatch, verb, *[EVIL] * count, "--json"))


@pytest.mark.parametrize("verb", ["analyze", "convert"])
def test_a_file_of_an_evil_name_is_analyzed_and_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, light: Any, verb: str
) -> None:
    shapes(duration=0.4, rate=10, width=32, height=16).write(tmp_path / "a.mp4")
    folder = tmp_path / EVIL.replace("/", "")
    folder.mkdir()
    shutil.copy(tmp_path / "a.mp4", folder / "a\x1b[31m[red].mp4")
    text = shown(monkeypatch, "analyze", folder / "a\x1b[31m[red].mp4", "-o", folder / "out", "--tasks", "shots")
    assert "\\x1b[31m[red].mp4" in text
    if verb == "convert":
        text = shown(monkeypatch, "convert", folder / "out", "--to", "csv")
    assert not obeyed(text)
    assert "Traceback" not in text


def test_a_library_with_evil_labels_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("lancedb", reason="needs the extra library")
    from kinoscope.library import Library
    from tests.helpers.libraries import timeline

    found = timeline()
    found.all_events[1].label = found.all_tracks[0].label = EVIL
    library = Library(tmp_path / "films.lance", create=True)
    library.add("a" * 64, f"/nowhere/{EVIL}.mp4", found)
    for words in (("list", library.path), ("show", library.path), ("show", library.path, "aaaaaa")):
        assert not obeyed(shown(monkeypatch, "library", *words))
    for query in ("car", "nothing"):
        assert not obeyed(shown(monkeypatch, "search", query, "--library", library.path, "-o", tmp_path / "out"))


def test_a_gallery_with_evil_sources_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np

    from kinoscope.galleries import EmbeddingModel, GallerySample, edit_gallery

    with edit_gallery(tmp_path / "people", create=True) as gallery:
        gallery.add(
            [GallerySample("Ada", "face", np.ones(4, np.float32), 0.5, b"", EVIL)], EmbeddingModel("dlib-resnet", "0")
        )
    assert not obeyed(shown(monkeypatch, "gallery", "list", tmp_path / "people"))


def test_json_of_an_evil_name_is_json(kinoscope: Any, tmp_path: Path, light: Any) -> None:
    shapes(duration=0.4, rate=10, width=32, height=16).write(tmp_path / "a.mp4")
    name = "a\x1b[31m\u202e\x9b.mp4"
    (tmp_path / "a.mp4").rename(tmp_path / name)
    call = kinoscope("analyze", tmp_path / name, "-o", tmp_path / "out", "--tasks", "shots", "--json")
    (analysis,) = json.loads(call.out)["analyses"]
    assert analysis["source"] == str(tmp_path / name)


def test_a_message_with_several_lines_is_one(kinoscope: Any) -> None:
    call = kinoscope("analyze", "none\nkinoscope: all is well.mp4", "--tasks", "shots")
    assert (call.status, call.err.count("\n")) == (2, 1)


def test_the_title_of_a_progress_bar_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    from kinoscope.views.console.progress import bar

    screen = Screen()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    with bar("[/x]\x1b]") as report:
        assert report is not None
        report(1.0, 2.0)
    assert "[/x]\\x1b" in screen.getvalue()
    assert "\x1b]" not in screen.getvalue()
