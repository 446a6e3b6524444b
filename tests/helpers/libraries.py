"""Timelines with known content, for libraries."""

from __future__ import annotations

import numpy as np

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.timeline import Timeline

JPEG = b"\xff\xd8 not really a picture \xff\xd9"


def track(
    number: int, label: str, start: float, end: float, identity: str | None = None, task: str = "objects"
) -> Track:
    """Return a track of a box from start to end."""
    boxes = [[time, 10, 20, 30, 40, 0.8] for time in (start, (start + end) / 2, end)]
    return Track(
        number, task, label, 0.8, np.array(boxes), identity or "person 1", {"known_by": "face"} if identity else {}
    )


def timeline(seed: int = 0, path: str = "street.mp4", text: str = "hello big world") -> Timeline:
    """Return a minute: a person at 5 to 12 s and 30 to 35 s, a car at 13 to 20 s, Ada at 5 to 11 s, and speech."""
    found = Timeline(source={"path": path, "duration": 60.0, "width": 64, "height": 48}, times=np.arange(0, 60, 0.5))
    random = np.random.default_rng(seed)
    reports = {"objects": "yolox-nano", "faces": "mtcnn, dlib-resnet", "scenes": "efficientnet-lite0"}
    found.tasks = {name: TaskReport(model=model, frames=120) for name, model in reports.items()}
    found.tasks |= {"speech": TaskReport(), "recognize": TaskReport(), "actions": TaskReport("failed", reason="no")}
    found.all_tracks = [track(1, "person", 5, 12), track(2, "car", 13, 20), track(3, "person", 30, 35)]
    found.all_tracks.append(track(1, "face", 5, 11, "Ada", "faces"))
    found.all_events = [
        Event("recognize", 5, 11, "Ada", 0.9),
        Event("scenes", 0, 30, "street", 0.7),
        Event("speech", 8, 10, "speech", 0.9, text, {"words": [[8.0, 10.0, text, 0.9]]}),
        Event("actions", 1, 2, "fight", 0.9),
    ]
    found.features = {
        "scenes.features": random.random((60, 1280)).astype(np.float16),
        "scenes.times": np.arange(60.0),
        "faces.embeddings": random.random((1, 128)).astype(np.float32),
        "faces.tracks": np.array([1]),
    }
    found.images = {"objects-1": JPEG, "objects-2": JPEG, "faces-1": JPEG, "scenes-0": JPEG}
    return found
