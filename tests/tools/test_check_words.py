"""The check of the terms: what it finds in a file, and that the project itself passes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def words() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_words", ROOT / "tools" / "check_words.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def violations(words: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return a function that returns what is found in a file of the project, without its path."""
    monkeypatch.setattr(words, "ROOT", tmp_path)
    monkeypatch.setattr(words, "DOCUMENTS", ("README.md",))
    (tmp_path / "README.md").touch()

    def find(text: str, name: str = "src/clean.py") -> list[str]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return [line.split(": ", 1)[1] for line in words.check([])]

    return find


def test_clean_code_passes(violations):
    assert violations('"""Boxes."""\n\nMAX_BOXES = 3\n\n\ndef area(box):\n    """Return the area of a box."""\n') == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("picture = 1\n", ["name picture: write frame (video) or image (file) instead of picture"]),
        ("def f(sound_rate): ...\n", ["name sound_rate: write audio instead of sound"]),
        ("class FaceJudge: ...\n", ["name FaceJudge: write discriminator instead of judge"]),
        ("def f(self):\n    self.kept = 1\n", ["name kept: write saved instead of kept"]),
        ("def f():\n    for way in ():\n        pass\n", ["name way: write strategy or direction instead of way"]),
        ("held_out_clips = 1\n", []),
        ("MOST = 3\n", ["constant MOST: say of what, and in which unit"]),
        ("LONGEST, STEP = 3, 4\n", ["constant LONGEST: say of what, and in which unit"]),
        ("class A: ...\n\n\nclass A: ...\n", ["class A is defined in src/clean.py too"]),
    ],
)
def test_names(violations, code, found):
    assert violations(code) == found


@pytest.mark.parametrize(
    ("docstring", "found"),
    [
        ("Return the frames.", []),
        ("Boxes of a frame.", ["docstring of f begins with 'Boxes', no verb in the imperative"]),
        ("Returns the frames.", ["docstring of f begins with 'Returns', no verb in the imperative"]),
        ("Return the sound.", ["write audio instead of sound"]),
        ("Return the ``sound`` and `sound` keys.", []),
        ("Return it.\n\n    The second paragraph may tell more.", []),
    ],
)
def test_docstrings(violations, docstring, found):
    assert violations(f'def f():\n    """{docstring}"""\n') == found


def test_a_property_names_a_thing(violations):
    assert violations('class A:\n    @property\n    def f(self):\n        """Width in pixels."""\n') == []


@pytest.mark.parametrize(
    "code", ['"""What it is."""\n', 'class A:\n    """How it went."""\n', 'A = 1\n"""Why so."""\n']
)
def test_documentation_names_a_thing(violations, code):
    assert [found.split(";")[1] for found in violations(code)] == [" name the thing"]


def test_documents_without_their_code(violations):
    text = "The sound is late.\n```\nkinoscope picture\n```\n`sound` of [a link](https://host/sound).\n"
    assert violations(text, "README.md") == ["write audio instead of sound"]
