"""End to end: enroll a face, analyze a folder, and find every moment of a person, a label and a phrase."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from kinoscope.core.media import Pixels
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.source.synthetic.video import SyntheticSource
from kinoscope.tasks.registry import TASKS
from kinoscope.views.timeline import Timeline
from tests.conftest import Counting
from tests.helpers.people import SIZE, ColourEmbedder, ColourFinder, draw

pytest.importorskip("lancedb", reason="needs the extra library")

ANN, BOB = {"ann": (40, 80)}, {"bob": (200, 90)}
FILMS = {"first.mkv": [({}, 2), (ANN | BOB, 2), ({}, 2)], "second.mkv": [(BOB, 4)], "third.mkv": [(ANN, 3), (BOB, 2)]}
"""Seconds for which each person is visible, in each film."""


class Labelling(Counting):
    """A fake task: a label, and a sentence, each in the first two seconds."""

    found: ClassVar[tuple[Any, ...]]

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(events=[Event(self.name, self.seen[0], self.seen[20], *self.found)], report=TaskReport())


class Scenes(Labelling):
    name = "scenes"
    found = ("street", 0.8)


class Speech(Labelling):
    name = "speech"
    found = ("speech", 0.9, "Well, hello world!")


def player(displayed: list[Pixels]) -> Callable[[int, Fraction], Pixels]:
    """Return a function that returns the frame of a number."""
    return lambda number, _: displayed[number]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write an image of Ann, and a folder of films, in which fake networks recognize people by their colour."""
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", ColourFinder)
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceEmbedder", ColourEmbedder)
    monkeypatch.setattr("kinoscope.pipeline.library_updates.embed_speech", lambda *_: {})
    for task in (Scenes, Speech):
        monkeypatch.setitem(TASKS, task.name, task)
    cv2.imwrite(str(tmp_path / "ann.png"), cv2.cvtColor(draw(ANN), cv2.COLOR_RGB2BGR))
    for name, stretches in FILMS.items():
        displayed = [draw(people) for people, seconds in stretches for _ in range(seconds * 10)]
        source = SyntheticSource("people", player(displayed), TaskResult(), SIZE, len(displayed) / 10, 10)
        source.write(tmp_path / "films" / name, lossless=True)
    return tmp_path


@pytest.mark.slow
def test_every_moment_of_a_person_a_label_and_a_phrase_is_found(kinoscope: Any, folder: Path) -> None:
    gallery, library = folder / "people.gallery", folder / "films.lance"
    assert kinoscope("enroll", gallery, "Ann", folder / "ann.png").status == 0
    words = ("--gallery", gallery, "--library", library, "--tasks", "scenes,faces,speech", "-o", folder / "out")
    call = kinoscope("analyze", folder / "films", *words)
    assert (call.status, call.err) == (0, "")

    def find(query: str) -> list[tuple[str, float, float]]:
        call = kinoscope("search", query, "--library", library, "-o", folder / "found", "--json")
        assert (call.status, call.err) == (0, "")
        result = json.loads(call.out)
        page = (folder / "found" / "found.html").read_text()
        assert result["written"] == [str(folder / "found" / "found.html")]
        assert all(clip["name"] in page for clip in result["clips"])
        return sorted((clip["name"], clip["from"], clip["to"]) for clip in result["clips"])

    names = [name for name, *_ in find("Ann")]
    assert names == ["first.mkv", "third.mkv"]
    spans = np.array([span for _, *span in find("Ann")])
    np.testing.assert_allclose(spans, [[2, 4], [0, 3]], atol=0.4)
    everywhere = [(name, 0, 2) for name in FILMS]
    assert find("street") == everywhere
    assert find('says "hello world"') == everywhere
    assert [name for name, *_ in find('Ann with says "hello"')] == ["third.mkv"]
    assert [name for name, *_ in find('Ann near says "hello"')] == ["first.mkv", "third.mkv"]
    assert [name for name, *_ in find("street and not Ann")] == ["second.mkv"]
