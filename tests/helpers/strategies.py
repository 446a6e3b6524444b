"""Hypothesis strategies for events, tracks and timelines with arbitrary content."""

import numpy as np
from hypothesis import strategies as st

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.timeline import Timeline

HOSTILE = st.sampled_from(
    [
        "a --> b",
        "1\n00:00:01,000 --> 00:00:02,000\nx\n\n2",
        "</script><script>alert(1)</script>",
        "=1+1",
        "@SUM(A1)",
        "{\\an8}top",
        'say "hi", you\r\n',
        "\x00\x1b[31m",
        "caf\udce9",
        "你好 שלום 🎬",
        "[bold red]",
        "NOTE x",
    ]
)
TASKS = st.sampled_from(["shots", "scenes", "actions", "speech"])
TEXT = st.text(max_size=60) | HOSTILE
TIMES = st.integers(0, 4_000_000_000).map(lambda microseconds: microseconds / 1e6)
SCORES = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
PIXELS = st.integers(-500, 20_000).map(lambda tenths: tenths / 10)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EXTRA = st.dictionaries(st.sampled_from(["note", "words ", "ключ", "a\nb"]), PLAIN, max_size=2)


@st.composite
def events(draw, task=TASKS):
    start, end = sorted((draw(TIMES), draw(TIMES)))
    return Event(draw(task), start, end, draw(TEXT), draw(SCORES), draw(st.none() | TEXT), draw(EXTRA))


@st.composite
def tracks(draw, number):
    times = sorted(draw(st.lists(TIMES, min_size=1, max_size=4)))
    boxes = [[t, *(draw(PIXELS) for _ in range(4)), draw(SCORES)] for t in times]
    task, identity = draw(st.sampled_from(["objects", "faces"])), draw(st.none() | TEXT)
    return Track(number, task, draw(TEXT), draw(SCORES), np.array(boxes), identity, draw(EXTRA))


@st.composite
def timelines(draw):
    timeline = Timeline(version=draw(TEXT), extra=draw(EXTRA))
    timeline.source = {"path": draw(TEXT), "width": 640, "height": 360, "rate": "25", "start": draw(TIMES)}
    timeline.tasks = {"objects": TaskReport(model=draw(TEXT), extra=draw(EXTRA))}
    timeline.all_events = sorted(draw(st.lists(events(), max_size=5)), key=lambda e: (e.start, e.end))
    timeline.all_tracks = [draw(tracks(number)) for number in range(1, draw(st.integers(0, 3)) + 1)]
    return timeline
