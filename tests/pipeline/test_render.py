"""Hiding from the command line, with a light task in place of the networks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinoscope import open_source
from kinoscope.core.results import TaskReport, TaskResult, Track
from kinoscope.galleries import EmbeddingModel, GallerySample, edit_gallery
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from kinoscope.tasks.recognize import Recognize
from kinoscope.views.timeline import Timeline
from kinoscope.views.video.redact import GREY
from tests.conftest import Breaking, Call, Counting

Cli = Callable[..., Call]
BOX = (24.0, 16.0, 40.0, 32.0)
ADA = np.eye(1, 128, dtype=np.float32)


class OneFace(Counting):
    """Follows a face that is seen from 0.3 s to 0.6 s, and says whose it is."""

    name = "faces"

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def finish(self, timeline: Timeline) -> TaskResult:
        assert self.settings["include_doubtful"] is True
        rows = np.array([[time, *BOX, 0.9] for time in self.seen if 0.29 < time < 0.61])
        features = {"faces.embeddings": ADA, "faces.tracks": np.array([1])}
        report = TaskReport(model="mtcnn, eyes", extra={"digest": "1"})
        return TaskResult([], [Track(1, "faces", "face", 0.9, rows, "person 1")], features, report=report)


@pytest.fixture
def faces(light: dict[str, type]) -> dict[str, type]:
    light |= {"faces": OneFace, "recognize": Recognize}
    return light


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "shapes.mp4")


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    with edit_gallery(tmp_path / "g", create=True) as known:
        known.add([GallerySample("Ada", "face", ADA[0], 0.9, b"", "a.png")], EmbeddingModel("eyes", "1"))
    return tmp_path / "g"


MIDDLE, WHOLE = np.s_[20:28, 28:36], np.s_[16:32, 24:40]
"""Of the box: without the corners that are drawn over it, and with them."""


def is_grey(path: Path, part: tuple[slice, slice] = MIDDLE) -> list[bool]:
    """Whether a part of the box is of the one colour, for each frame."""
    with open_source(path) as source:
        return [bool(np.abs(frame.pixels[part].astype(int) - GREY).max() < 12) for frame in source.frames()]


def test_what_is_hidden_is_hidden_in_every_frame_and_reported(
    kinoscope: Cli, faces: Any, video: Path, tmp_path: Path
) -> None:
    words = ("--blur", "faces", "--hide-with", "solid", "--annotate", "--no-report")
    call = kinoscope("analyze", video, "-o", tmp_path / "out", *words)
    assert (call.status, call.err) == (0, "")
    # From the start, half a second before it is first seen, to half a second after it is last seen.
    assert is_grey(tmp_path / "out" / "blurred.mp4") == [True] * 12 + [False] * 8
    # Over it are the corners of the face, while it is there.
    assert is_grey(tmp_path / "out" / "annotated.mp4", WHOLE) == [True] * 3 + [False] * 4 + [True] * 5 + [False] * 8
    log = json.loads((tmp_path / "out" / "blurred.json").read_text())
    assert log["sha256"] == hashlib.sha256((tmp_path / "out" / "blurred.mp4").read_bytes()).hexdigest()
    assert (log["frames"], log["frames_with_something_hidden"], log["audio"]) == (20, 12, "none")
    (row,) = log["hidden"]
    assert (row["track"], row["start"], row["end"]) == (1, 0.0, 1.1)


def test_the_audio_is_kept(kinoscope: Cli, faces: Any, tmp_path: Path) -> None:
    video = flash_and_beep(duration=2, rate=10, width=64, height=48).write(tmp_path / "a.mp4")
    assert kinoscope("analyze", video, "-o", tmp_path / "out", "--blur", "faces").status == 0
    with open_source(tmp_path / "out" / "blurred.mp4") as source:
        assert source.info.has_audio
    assert json.loads((tmp_path / "out" / "blurred.json").read_text())["audio"].startswith("unchanged")


def test_a_known_face_that_is_to_be_kept_stays(
    kinoscope: Cli, faces: Any, video: Path, gallery: Path, tmp_path: Path
) -> None:
    words = ("--blur", "faces", "--hide-with", "solid", "--gallery", gallery, "--no-report")
    assert kinoscope("analyze", video, "-o", tmp_path / "kept", *words, "--keep", "Ada").status == 0
    assert not any(is_grey(tmp_path / "kept" / "blurred.mp4"))
    log = json.loads((tmp_path / "kept" / "blurred.json").read_text())
    assert (log["hidden"], [row["name"] for row in log["exempt"]]) == ([], ["Ada"])
    assert log["exempt"][0]["known_by"] == "face"
    assert kinoscope("analyze", video, "-o", tmp_path / "hidden", *words).status == 0
    assert is_grey(tmp_path / "hidden" / "blurred.mp4")[:12] == [True] * 12


def test_where_a_task_fails_no_video_is_left_not_even_an_earlier_one(
    kinoscope: Cli, faces: Any, video: Path, tmp_path: Path
) -> None:
    words = ("analyze", video, "-o", tmp_path / "out", "--blur", "faces", "--annotate", "--no-report")
    assert kinoscope(*words).status == 0

    class Failing(Breaking):
        name = "faces"

        def __init__(self, **settings: Any) -> None:
            super().__init__()

    faces["faces"] = Failing
    call = kinoscope(*words)
    assert call.status == 1
    why = "task faces is not done (failed: RuntimeError: this task is broken)"
    assert f"kinoscope: {video}: no blurred.mp4 was written: {why}\n" == call.err
    assert not (tmp_path / "out" / "blurred.mp4").exists()
    assert not (tmp_path / "out" / "blurred.json").exists()
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")] == [".kinoscope.jsonl"]


def test_other_frames_the_second_time_leave_no_video(
    kinoscope: Cli, faces: Any, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kinoscope.source.video import VideoSource

    frames = VideoSource.frames
    monkeypatch.setattr(VideoSource, "frames", lambda self: list(frames(self))[1:])
    call = kinoscope("analyze", video, "-o", tmp_path / "out", "--blur", "faces", "--no-report")
    assert call.status == 1
    assert "the second decode had 19 frames instead of 20; try again" in call.err
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {".kinoscope.jsonl", "features.safetensors", "timeline.json"}


def test_hiding_after_an_analysis_detects_again(kinoscope: Cli, faces: Any, video: Path, tmp_path: Path) -> None:
    made: list[dict[str, Any]] = []

    class Told(OneFace):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings, **({} if "include_doubtful" in settings else {"include_doubtful": True}))
            made.append(settings)

    faces["faces"] = Told
    words = ("analyze", video, "-o", tmp_path / "out", "--tasks", "faces", "--no-report", "--resume")
    for more in ((), ("--blur", "faces"), ("--blur", "faces")):
        assert kinoscope(*words, *more).status == 0
    assert ["include_doubtful" in settings for settings in made] == [False, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--blur", "cats"], "blur cats is not known; choose from faces, people"),
        (["--blur", "faces", "--hide-with", "paint"], 'Choose from: "blur", "pixels", "solid"'),
        (["--keep", "Ada"], "keep names people who are not hidden; give --blur faces or --blur people with it"),
        (["--blur", "faces", "--keep", "Ada"], "keep Ada needs a gallery that has the name; give --gallery FILE"),
        (["--blur", "faces", "--keep", "Eda", "--gallery", "G"], "keep: 'Eda' is not in the gallery; did you mean Ada"),
        (
            ["--blur", "faces", "--rules", "rules.yaml", "--clips"],
            "would show what --blur hides; leave --clips out, then cut them from the blurred video: "
            "kinoscope analyze blurred.mp4 --rules FILE --clips",
        ),
        (
            ["--blur", "faces", "--live"],
            "blur reads the video twice, which a live source does not allow; record it first",
        ),
    ],
)
def test_what_cannot_be_hidden_is_reported_before_anything_is_read(
    kinoscope: Cli, faces: Any, video: Path, gallery: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    words = [str(gallery) if word == "G" else word for word in words]
    call = kinoscope("analyze", video, "-o", tmp_path / "out", *words)
    assert call.status == 2
    assert message in call.err
    assert call.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_help_says_which_videos_hide(kinoscope: Cli) -> None:
    said = " ".join(kinoscope("analyze", "--help").out.replace("│", " ").split())
    assert "in blurred.mp4, and in annotated.mp4 if that is asked for" in said
    assert "events drawn in; over what --blur hides" in said
