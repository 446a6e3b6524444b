"""Timelines as the task ``sync`` leaves them, with known answers."""

from __future__ import annotations

import numpy as np

from kinoscope.core.results import Event, TaskReport, Timeline, Track

LAGS = np.arange(-100, 101) * 0.01


def offset(start, end, seconds, score=0.98, **extra):
    """An offset of the sound that is certain to 40 ms."""
    words = f"sound is {round(abs(seconds) * 1000)} ms {'late' if seconds > 0 else 'early'}"
    known = {"offset": seconds, "low": round(seconds - 0.04, 4), "high": round(seconds + 0.04, 4), "evidence": 8.0}
    return Event("sync", start, end, "sound late" if seconds > 0 else "sound early", score, words, known | extra)


def synced(*events, count=20, late=0.12, start=0.0):
    """A Timeline of ``count`` windows whose likeness is highest where the sound is ``late``, and two who speak."""
    times = start + 1 + 0.6 * np.arange(count)
    end = start + 1.4 + 0.6 * count
    spoken = [(0.0, 3.0, None, 1), (4.0, 6.0, "Anna", 2), (6.5, 7.0, None, 1)]
    speaking = [
        Event("sync", start + a, start + b, "speaking", 0.9, who, {"track": i, "face": face})
        for i, (a, b, who, face) in enumerate(spoken, 1)
    ]
    tracks = [
        Track(i, "sync", "speaking", 0.9, [[start + a, 10, 10, 50, 50, 1], [start + b, 10, 10, 50, 50, 1]], who)
        for i, (a, b, who, _) in enumerate(spoken, 1)
    ]
    features = {
        "sync.times": times,
        "sync.offsets": np.full(count, late),
        "sync.confidences": np.linspace(0.1, 1, count),
        "sync.curves": np.tile(np.exp(-(((LAGS - late) / 0.05) ** 2)), (count, 1)).astype(np.float16),
        "sync.lags": LAGS,
    }
    return Timeline(
        source={"path": "talk.mp4", "width": 320, "height": 240, "rate": "25", "duration": end - start, "start": start},
        tasks={"sync": TaskReport(model="lip-sync")},
        events=sorted([*(events or [offset(start, end, late)]), *speaking], key=lambda e: (e.start, e.end)),
        tracks=tracks,
        features=features,
    )


def unmeasured(reason="the sound is silent"):
    """A Timeline whose offset cannot be measured."""
    timeline = synced(Event("sync", 0, 13, "not measurable", 0.0, reason), count=0)
    timeline.events = [event for event in timeline.events if event.label == "not measurable"]
    timeline.tracks = []
    return timeline
