"""Timelines with results of the task ``sync`` and known answers."""

from __future__ import annotations

import numpy as np

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.timeline import Timeline

LAGS = np.arange(-100, 101) * 0.01


def offset(start, end, seconds, score=0.98, **extra):
    """Return an event of an audio offset with an interval of 40 ms to each side."""
    text = f"audio is {round(abs(seconds) * 1000)} ms {'late' if seconds > 0 else 'early'}"
    known = {"offset": seconds, "low": round(seconds - 0.04, 4), "high": round(seconds + 0.04, 4), "evidence": 8.0}
    return Event("sync", start, end, "audio late" if seconds > 0 else "audio early", score, text, known | extra)


def synced(*events, count=20, late=0.12, start=0.0):
    """Return a Timeline of ``count`` windows with the highest similarity at ``late`` seconds, and two speakers."""
    times = start + 1 + 0.6 * np.arange(count)
    end = start + 1.4 + 0.6 * count
    speech = [(0.0, 3.0, None, 1), (4.0, 6.0, "Anna", 2), (6.5, 7.0, None, 1)]
    speaking = [
        Event("sync", start + a, start + b, "speaking", 0.9, identity, {"track": i, "face": face})
        for i, (a, b, identity, face) in enumerate(speech, 1)
    ]
    tracks = [
        Track(i, "sync", "speaking", 0.9, np.array([[start + t, 10, 10, 50, 50, 1] for t in (a, b)]), identity)
        for i, (a, b, identity, _) in enumerate(speech, 1)
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


def unmeasured(reason="the audio is silent"):
    """Return a Timeline whose offset cannot be measured."""
    timeline = synced(Event("sync", 0, 13, "not measurable", 0.0, reason), count=0)
    timeline.all_events = [event for event in timeline.all_events if event.label == "not measurable"]
    timeline.all_tracks = []
    return timeline
