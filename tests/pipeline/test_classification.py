"""Classification of one source: what is classified, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import Interrupted, SourceError
from kinoscope.core.results import DecodeReport, TaskReport
from kinoscope.pipeline.classification import classify_source
from kinoscope.views.timeline import Timeline
from tests.helpers.colour_clips import COLOURS, film

Make = Callable[..., Path]


def test_a_strip_is_a_clip_and_another_image_a_video_of_one_frame(tiny: Make, tmp_path: Path) -> None:
    frame = np.full((12, 12, 3), COLOURS["blue"][::-1], np.uint8)
    cv2.imwrite(str(tmp_path / "strip.png"), np.concatenate([frame] * 20, 1))
    cv2.imwrite(str(tmp_path / "photo.png"), frame[:9])
    model = str(tiny())
    frames = [classify_source(str(tmp_path / name), model).decode.frames for name in ("strip.png", "photo.png")]
    assert frames == [20, 1]


def test_part_of_a_video_is_classified_and_the_number_of_classes_reported(tiny: Make, tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4", ("red", 4), ("blue", 3))
    timeline = classify_source(str(video), str(tiny()), source_options={"start": 4}, top=1)
    assert [name for name, _ in timeline.tasks["classify"].extra["top"]] == ["blue"]


@pytest.mark.parametrize(
    ("interrupted", "error", "message"),
    [
        (True, Interrupted, "a.mp4: interrupted; no clip of it was classified yet"),
        (False, SourceError, "a.mp4: the file ends early; give a video"),
    ],
)
def test_without_a_classified_clip_there_is_an_error(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: bool, error: type[Exception], message: str
) -> None:
    def run(*_: Any, **__: Any) -> Timeline:
        report = DecodeReport(errors=["the file ends early"], interrupted=interrupted)
        return Timeline(decode=report, tasks={"classify": TaskReport()})

    monkeypatch.setattr("kinoscope.pipeline.engine.run", run)
    monkeypatch.chdir(tmp_path)
    film(Path("a.mp4"), ("red", 1))
    with pytest.raises(error) as caught:
        classify_source("a.mp4", str(tiny()))
    assert str(caught.value) == message
