from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from kinoscope.core.errors import TimelineError
from kinoscope.core.media import SourceInfo
from kinoscope.core.results import DecodeReport, Event, Track, describe_source


def test_an_event_cannot_end_before_it_starts() -> None:
    with pytest.raises(TimelineError, match="ends at 1 before its start 2"):
        Event("speech", 2, 1, "speech")


def test_boxes_go_forward_in_time() -> None:
    with pytest.raises(TimelineError, match="not in time order"):
        Track(1, "objects", "car", 1, np.array([[1.0, 0, 0, 1, 1, 1], [0.5, 0, 0, 1, 1, 1]]))


def test_a_box_between_two_frames_is_interpolated() -> None:
    boxes = np.array([[0.0, 0, 0, 10, 20, 0.9], [1.0, 10, 0, 20, 20, 0.7]])
    track = Track(3, "objects", "person", 0.8, boxes)
    assert track.box_at(0.5).tolist() == [5, 0, 15, 20, pytest.approx(0.8)]
    assert track.box_at(1.01) is None


def test_only_the_first_failures_are_reported_but_all_are_counted() -> None:
    decode = DecodeReport()
    for number in range(25):
        decode.record_failure(f"packet {number}")
    assert (decode.failures, len(decode.errors)) == (25, 10)


def test_a_source_is_described_exactly() -> None:
    info = SourceInfo("a.mp4", 640, 272, Fraction(24000, 1001), duration=Fraction(1001, 100))
    plain = describe_source(info)
    assert (plain["rate"], plain["duration"], plain["width"]) == ("24000/1001", 10.01, 640)
    assert "codec" not in plain


def test_tracks_are_compared_by_value() -> None:
    def track(**changes: Any) -> Track:
        values: dict[str, Any] = {"id": 1, "task": "faces", "label": "face", "score": 1, "boxes": np.ones((2, 6))}
        return Track(**values | changes)

    assert track() == track()
    assert track() in [track(id=2), track()]
    assert track() != track(boxes=np.zeros((2, 6)))
    assert track() != track(boxes=np.ones((1, 6)))
    assert track() != track(identity="Anna")
    assert track() != "track"
