"""What a result of ``recognize`` reads from its timeline."""

from __future__ import annotations

import numpy as np

from kinoscope.core.errors import SourceError
from kinoscope.core.results import Event, Track
from kinoscope.results.recognize import RecognizeResult
from kinoscope.views.timeline import Timeline


def face(number: int, start: float, identity: str | None = None, **extra: object) -> Track:
    boxes = np.array([[time, 0, 0, 9, 9, 0.9] for time in (start, start + 1)])
    return Track(number, "faces", "face", 0.9, boxes, identity, extra)


def test_a_name_has_the_values_of_its_nearest_track_and_a_stranger_those_of_all_tracks() -> None:
    tracks = [
        face(1, 0.0, "Ann", known_by="face", distance=0.4, margin=0.1),
        face(2, 1.0, "Ann", known_by="group", distance=0.3),
        face(3, 4.0, "person 2", nearest="Ann", distance=0.9),
        face(4, 2.0, "person 2", nearest="Bob", distance=0.8),
        face(5, 6.0),
    ]
    event = Event("recognize", 0.0, 2.0, "Ann", 0.98765, extra={"tracks": [["faces", 1], ["faces", 2]]})
    result = RecognizeResult("a.mp4", timeline=Timeline(tracks=tracks, events=[event]))
    assert result.to_dict() == {
        "source": "a.mp4",
        "seen": [
            {"name": "Ann", "start": 0.0, "end": 2.0, "score": 0.9877, "distance": 0.3, "margin": None}
            | {"known_by": "group"}
        ],
        "strangers": [
            {"name": "person 2", "start": 2.0, "end": 5.0, "nearest": "Bob", "distance": 0.8},
            {"name": "face #5", "start": 6.0, "end": 7.0, "nearest": None, "distance": None},
        ],
    }


def test_without_a_timeline_nobody_is_seen() -> None:
    result = RecognizeResult("a.mp4", error=SourceError("a.mp4 is empty"))
    assert result.to_dict() == {"source": "a.mp4", "seen": [], "strangers": [], "error": "a.mp4 is empty"}
