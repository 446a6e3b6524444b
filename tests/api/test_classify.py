from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kinoscope.api.classify import classify
from kinoscope.core.errors import OptionError
from kinoscope.pipeline.options import DecodingOptions
from kinoscope.source.video_object import Video
from tests.helpers.colour_clips import COLOURS, film

Make = Callable[..., Path]


def test_a_short_clip_has_classes_and_no_segments(kinoscope: Any, tiny: Make, tmp_path: Path) -> None:
    call = kinoscope("classify", film(tmp_path / "a.mp4", ("green", 1)), "--model", tiny(), "--top", "2")
    assert (call.status, call.err) == (0, "")
    first, second, third = call.out.splitlines()
    assert first.endswith("a.mp4")
    # Green's logit is 8 * 230 / 255, the others' 8 * 20 / 255.
    share = 1 / (1 + 2 * np.exp(-8 * 210 / 255))
    assert second.split()[:3] == ["green", f"{100 * share:.1f}", "%"]
    assert third.split()[0] in ("red", "blue")


def test_a_long_video_has_timed_segments(kinoscope: Any, tiny: Make, tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4", ("red", 4), ("blue", 3))
    call = kinoscope("classify", video, "--model", tiny(), "-o", tmp_path / "out", "--json")
    (row,) = json.loads(call.out)["classify"]
    assert [(e["label"], e["start"], e["end"]) for e in row["segments"]] == [("red", 0, 4), ("blue", 4, 7)]
    assert [name for name, _ in row["top"]] == ["red", "blue", "green"]
    assert (tmp_path / "out" / "timeline.json").exists()
    words = kinoscope("classify", video, "--model", tiny(), "--start", "4.0").out.splitlines()
    assert words[1].split()[0] == "blue"
    assert "00:00:04.000 - 00:00:07.000  blue" in words[-1]


def test_strips_and_folders_of_frames_are_clips(tiny: Make, tmp_path: Path) -> None:
    frame = np.full((12, 12, 3), COLOURS["blue"][::-1], np.uint8)
    cv2.imwrite(str(tmp_path / "strip.png"), np.concatenate([frame] * 20, 1))
    (tmp_path / "frames").mkdir()
    for i in range(20):
        cv2.imwrite(str(tmp_path / "frames" / f"{i}.png"), frame)
    cv2.imwrite(str(tmp_path / "photo.png"), frame[:9])
    found = classify([tmp_path / name for name in ("strip.png", "frames", "photo.png")], model=str(tiny()))
    assert [one.top[0][0] for one in found] == ["blue"] * 3
    assert found[0].timeline is not None
    assert found[0].timeline.source["frames"] == 20


def test_one_bad_source_never_stops_the_rest(kinoscope: Any, tiny: Make, tmp_path: Path) -> None:
    good = film(tmp_path / "a.mp4", ("red", 1))
    (tmp_path / "bad.mp4").write_text("no video")
    call = kinoscope("classify", tmp_path / "bad.mp4", good, "--model", tiny())
    assert call.status == 2
    assert call.err.count("\n") == 1
    assert "bad.mp4" in call.err
    assert "red" in call.out


def test_an_unusable_model_is_reported_at_once(kinoscope: Any, tiny: Make, tmp_path: Path) -> None:
    folder = tiny()
    with pytest.raises(OptionError, match="top 0 is not possible; give 1 or more"):
        classify("x.mp4", model=str(folder), top=0)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-20])
    for model, message in (
        (folder, "cannot be read"),
        (tiny("other", task="generate"), "is a model for generate, and does not classify clips; choose a folder that"),
        ("nanodet", "is a model for objects, and does not classify clips"),
        (tmp_path, "it has no model.json"),
        ("nothing", "no model is called nothing"),
    ):
        call = kinoscope("classify", tmp_path / "gone.mp4", "--model", model)
        assert (call.status, call.err.count("\n")) == (2, 1)
        assert message in call.err


def test_frames_in_memory_are_classified_as_a_file_is(tiny: Make, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames").write_bytes(b"a file of that name")
    model = str(tiny())
    red, blue = (np.full((100, 12, 16, 3), COLOURS[name], np.uint8) for name in ("red", "blue"))
    array = np.concatenate([red, blue])
    of_array = classify(array, model=model)
    assert (type(of_array.source), of_array.source, of_array.error) == (str, "frames", None)
    assert [(e.label, e.start, e.end) for e in of_array.segments] == [("red", 0, 4), ("blue", 4, 8)]
    of_generator = classify((frame for frame in array), model=model)
    assert of_generator.to_dict() == of_array.to_dict()
    part = classify(Video.from_frames(array, rate=50, name="camera"), model=model, decoding=DecodingOptions(start=3))
    assert (part.source, part.top[0][0]) == ("camera", "blue")
    several = classify([red, list(blue)], model=model)
    assert [one.top[0][0] for one in several] == ["red", "blue"]


def test_an_invalid_frame_is_the_error_of_its_source(tiny: Make) -> None:
    frames: list[np.ndarray] = [np.zeros((12, 16, 3), np.uint8), np.zeros((12, 16, 3), np.float32)]
    result = classify(iter(frames), model=str(tiny()))
    assert result.timeline is not None
    (message,) = result.timeline.decode.errors
    assert message.startswith("frame 1 of frames is float32; give uint8, as in (255 * frame)")
    assert result.status == 1
