"""``kinoscope search`` from the command line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from kinoscope.core.results import Event, TaskReport, describe_source
from kinoscope.library import Library
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from kinoscope.views.formats.cut_list import Cut, write_edl, write_otio
from kinoscope.views.timeline import Timeline

pytest.importorskip("lancedb", reason="needs the extra library")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a library of two small videos, one with audio, each with something visible from 1 to 2 seconds."""
    folder = tmp_path_factory.mktemp("films")
    shapes(duration=3, rate=10, width=64, height=48).write(folder / "shapes.mp4")
    flash_and_beep(duration=3, rate=10).write(folder / "beep.mp4")
    library = Library(folder / "films.lance", create=True)
    for number, name in enumerate(("shapes", "beep")):
        with open_source(folder / f"{name}.mp4") as source:
            timeline = Timeline(source=describe_source(source.info), times=np.arange(0, 3, 0.1))
        timeline.tasks = {"scenes": TaskReport(), "speech": TaskReport()}
        timeline.all_events = [
            Event("scenes", 1, 2, "street", 0.9 - number / 10), Event("speech", 1.5, 1.6, "speech", 0.9, f"hi {name}"),
        ]  # fmt: skip
        library.add(f"{number}" * 64, str(folder / f"{name}.mp4"), timeline)
    return folder


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text()
    return json.loads(text.partition('id="data">')[2].partition("</script>")[0])


@pytest.mark.slow
def test_a_search_prints_a_table_and_leaves_a_page_that_plays(kinoscope: Any, films: Path, tmp_path: Path) -> None:
    call = kinoscope("search", "street", "--library", films / "films.lance", "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    assert [line.split()[:4] for line in call.out.splitlines() if ".mp4 " in line] == [
        ["shapes.mp4", "00:01.0", "00:02.0", "0.90"], ["beep.mp4", "00:01.0", "00:02.0", "0.80"],
    ]  # fmt: skip
    data = data_of(tmp_path / "out" / "found.html")
    assert [(clip["video"], clip["start"], clip["end"]) for clip in data["clips"]] == [(0, 1, 2), (1, 1, 2)]
    assert sorted(data["images"]) == ["0", "1"]
    for video in data["videos"]:
        assert (tmp_path / "out" / video["film"]).read_bytes() == Path(video["path"]).read_bytes()


def test_an_unknown_name_is_noted_beside_the_hits(kinoscope: Any, films: Path, tmp_path: Path) -> None:
    words = ("--library", films / "films.lance", "-o", tmp_path / "out")
    call = kinoscope("search", "street or chair", *words)
    assert call.status == 0
    assert call.err.startswith(f"kinoscope: nothing in {films / 'films.lance'} is called 'chair'; ")
    assert call.err.count("\n") == 1
    assert "shapes.mp4" in call.out
    assert data_of(tmp_path / "out" / "found.html")["notes"] == [call.err[len("kinoscope: ") : -1]]
    assert kinoscope("search", "sofa or chair", *words).status == 2


def test_json_has_times_and_reasons(kinoscope: Any, films: Path, tmp_path: Path) -> None:
    words = ("search", 'street with says "hi beep"', "--library", films / "films.lance", "-o", tmp_path / "out")
    (clip,) = json.loads(kinoscope(*words, "--json").out)["clips"]
    assert (clip["name"], clip["start"], clip["end"]) == ("beep.mp4", 1.5, 1.6)
    assert [why["what"] for why in clip["why"]] == ["street", "said: hi beep"]


class CharacterCounts:
    """A fake text embedder: the vector of a text counts its characters."""

    def __init__(self, **_: Any) -> None:
        pass

    def __call__(self, sentences: Any) -> np.ndarray:
        counts = np.array([[text.count(chr(97 + n % 26)) for n in range(384)] for text in sentences], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_what_is_said_is_found_by_meaning(kinoscope: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinoscope.pipeline.library_updates import store_timeline
    from tests.helpers.libraries import timeline

    monkeypatch.setattr("kinoscope.models.inference.sentence_embedder.SentenceEmbedder", CharacterCounts)
    for name, text in (("a", "trains and rails"), ("b", "pop")):
        (tmp_path / name).write_text(name)
        assert store_timeline(tmp_path / "films.lance", str(tmp_path / name), timeline(path=name, text=text)) == "added"
    words = ("search", 'about "rails, trains"', "--library", tmp_path / "films.lance", "-o", tmp_path / "out")
    (clip,) = json.loads(kinoscope(*words, "--json").out)["clips"]
    assert clip["name"] == "a"
    assert clip["why"][0]["what"] == "said: trains and rails"


def test_moments_are_joined_to_one_video(kinoscope: Any, films: Path, tmp_path: Path) -> None:
    words = ("search", "street", "--library", films / "films.lance", "-o", tmp_path / "out", "--export", "mp4,edl,otio")
    pytest.importorskip("opentimelineio", reason="needs the extra export")
    assert kinoscope(*words).status == 0
    with open_source(tmp_path / "out" / "found.mp4") as joined:
        times = [float(frame.time) for frame in joined.frames()]
        assert (joined.info.size, joined.info.has_audio) == ((64, 48), True)
    np.testing.assert_allclose(times, np.arange(20) / 10, atol=1e-4)
    with av.open(str(tmp_path / "out" / "found.mp4")) as file:
        assert abs(float(file.streams.audio[0].duration * file.streams.audio[0].time_base) - 2) < 0.1
    assert (tmp_path / "out" / "found.edl").read_text().count("FROM CLIP NAME") == 2


def test_where_nothing_is_found_no_earlier_answer_is_left(kinoscope: Any, films: Path, tmp_path: Path) -> None:
    words = ("--library", films / "films.lance", "-o", tmp_path / "out", "--export", "edl")
    assert kinoscope("search", "street", *words).status == 0
    assert (tmp_path / "out" / "found.edl").exists()
    assert "found.edl" not in kinoscope("search", "street longer than 1000 s", *words).out
    assert not (tmp_path / "out" / "found.edl").exists()


def test_a_video_that_is_gone_still_has_a_row(kinoscope: Any, tmp_path: Path) -> None:
    from tests.helpers.libraries import timeline

    Library(tmp_path / "films.lance", create=True).add("a" * 64, "/nowhere/street.mp4", timeline())
    out = tmp_path / "out"
    assert kinoscope("search", "car", "--library", tmp_path / "films.lance", "-o", out).status == 0
    data = data_of(out / "found.html")
    assert (data["videos"][0]["film"], len(data["images"])) == (None, 1)
    call = kinoscope("search", "car", "--library", tmp_path / "films.lance", "-o", out, "--export", "mp4")
    assert (call.status, call.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "there is no query"),
        (("street near",), "is not understood at the end"),
        (("stret",), "did you mean street?"),
        (("street", "--export", "avi"), "known: otio, edl, mp4"),
        (("street", "--limit", "0"), "give 1 or more"),
    ],
)
def test_what_cannot_be_searched_is_one_line(kinoscope: Any, films: Path, words: Any, message: str) -> None:
    call = kinoscope("search", *words, "--library", films / "films.lance", "-o", films / "out")
    assert (call.status, call.err.count("\n")) == (2, 1)
    assert message in call.err


CUTS = [
    Cut("/a/street.mp4", "street.mp4", 1.0, 2.5, 60, 0.0, Fraction(25), True, "person"),
    Cut("/a/road.mp4", "road.mp4", 3661.0, 3662.0, 4000, 0.0, Fraction(50), False, "car\nred"),
]


def test_edit_decision_lists_count_frames_one_after_another(tmp_path: Path) -> None:
    write_edl(CUTS, "person", tmp_path / "cuts.edl")
    lines = (tmp_path / "cuts.edl").read_text().splitlines()
    assert lines[:2] == ["TITLE: person", "FCM: NON-DROP FRAME"]
    assert [line for line in lines if line[:3].isdigit()] == [
        "001  AX       B     C        00:00:01:00 00:00:02:13 00:00:00:00 00:00:01:13",
        "002  AX       V     C        01:01:01:00 01:01:02:00 00:00:01:13 00:00:02:13",
    ]
    assert "* COMMENT: car red" in lines


def test_otio_cut_lists_hold_a_clip_for_each_moment(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio", reason="needs the extra export")
    write_otio(CUTS, "person", tmp_path / "cuts.otio")
    (track,) = otio.adapters.read_from_file(str(tmp_path / "cuts.otio")).video_tracks()
    assert [(clip.name, clip.source_range.start_time.to_seconds(), clip.duration().to_seconds()) for clip in track] == [
        ("street.mp4", 1.0, 1.52), ("road.mp4", 3661.0, 1.0),
    ]  # fmt: skip
