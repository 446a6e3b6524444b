"""Galleries on the terminal: what was enrolled, and what an action changed or measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinoscope.results.enroll import EnrollResult
from kinoscope.results.gallery import GalleryResult
from kinoscope.views.console.printers import render

RATES = {"far": 0.0, "frr": 0.25, "far_interval": [None, None], "frr_interval": [0.1, 0.5]}
CHECK = {
    "kind": "face",
    "genuine": 4,
    "impostor": 2,
    "equal_error": 0.125,
    "default": {"threshold": 0.45} | RATES,
    "at_far": {"far_wanted": 0.001, "threshold": 0.4} | RATES,
}


def test_one_of_a_kind_is_printed_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    render(EnrollResult("a.gallery", "Ada", "face", already=1))
    assert capsys.readouterr().out == "a.gallery: Ada got 0 samples of kind face (1 was there already)\n"


def test_what_a_person_should_check_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    render(EnrollResult("g", "Ada", "face", notes=["b.png resembles Bob too"]))
    assert capsys.readouterr().err == "kinoscope: b.png resembles Bob too\n"


@pytest.mark.parametrize(
    ("result", "plain", "text"),
    [
        (
            GalleryResult("g", renamed=("Bob", "Robert"), samples=2),
            {"renamed": "Bob", "to": "Robert", "samples": 2},
            "Bob is now Robert (2 samples)\n",
        ),
        (
            GalleryResult("g", removed=["Ann", "Bob"], samples=1),
            {"removed": ["Ann", "Bob"], "samples": 1},
            "removed Ann, Bob (1 sample)\n",
        ),
        (GalleryResult("g", written=[Path("g.json")]), {"written": ["g.json"]}, "  g.json\n"),
        (GalleryResult("g", names=[]), {"gallery": "g", "names": []}, "the gallery is empty\n"),
    ],
)
def test_an_action_is_one_line(
    result: GalleryResult, plain: object, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    render(result)
    assert (result.to_dict(), capsys.readouterr().out) == (plain, text)


def test_a_check_is_a_table_of_error_rates(capsys: pytest.CaptureFixture[str]) -> None:
    result = GalleryResult("g", check=CHECK, written=[Path("out/errors.png")])
    render(result)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "face: 4 genuine and 2 impostor pairs; equal error rate 12.5 %"
    assert [" ".join(line.split()) for line in lines if line.strip().startswith(("default", "for"))] == [
        "default 0.450 0.0 % (too few names) 25.0 % (10.0 % to 50.0 %)",
        "for FAR 0.001 0.400 0.0 % (too few names) 25.0 % (10.0 % to 50.0 %)",
    ]
    assert lines[-1] == "  out/errors.png"
    assert result.to_dict() == CHECK | {"written": ["out/errors.png"]}
