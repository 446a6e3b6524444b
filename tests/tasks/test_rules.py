from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import RulesError
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult, Track
from kinoscope.pipeline import engine
from kinoscope.rules import RuleFile
from kinoscope.source.synthetic.video import SyntheticSource, shapes
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.registry import TASKS
from kinoscope.tasks.rules import Rules, replay
from kinoscope.views.timeline import Timeline


class Truth(Task):
    """A task that knows what is in a synthetic video."""

    name = "objects"

    def __init__(self, source: SyntheticSource) -> None:
        super().__init__()
        self.source = source

    def needs(self, info: SourceInfo) -> Needs:
        return Needs()

    def process_frames(self, *batches: FrameBatch) -> None:
        raise AssertionError("no frames were requested")

    def process_audio(self, audio: Audio) -> None:
        raise AssertionError("no audio was requested")

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(tracks=self.source.truth.tracks)


def rules(*kinds, **head):
    plain = {"zones": {"left": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}, "lines": {"middle": [[0.5, 0], [0.5, 1]]}}
    named = [{"name": f"rule {n}"} | kind for n, kind in enumerate(kinds, 1)]
    return RuleFile.model_validate(plain | {"rules": named} | head)


def events_of(source, *kinds, **head):
    timeline = engine.run(source, [Truth(source), Rules(rules=rules(*kinds, **head))], threaded=False)
    assert timeline.tasks["rules"].status == "ok", timeline.tasks["rules"].reason
    return timeline


LINE = {"kind": "line", "line": "middle", "direction": "right"}


def test_the_events_of_a_video_are_at_the_frames_where_they_happen():
    source = shapes(duration=4, count=1, start=7)
    (track,) = source.truth.tracks
    feet = track.boxes[:, [1, 3]].mean(axis=1)
    timeline = events_of(source, LINE, {"kind": "zone", "zone": "left", "when": "leave"})
    crossing, leaving = timeline.events("rules")
    assert crossing.start == track.boxes[np.flatnonzero(feet > 160)[0], 0] == 8.12
    over = track.boxes[np.flatnonzero(feet >= 160 + 6)[0], 0]
    assert leaving.start == over
    assert crossing.extra["at"] == leaving.extra["at"] == round(over + 0.12, 2)  # the third frame after that
    assert crossing.extra["tracks"] == [["objects", 1]]
    assert timeline.tasks["rules"].extra["lines"] == {"middle": [(160.0, 0.0), (160.0, 240.0)]}


def test_the_clock_of_a_recording_counts_from_its_first_frame():
    night = {"kind": "crowd", "count": 1, "hours": ["22:00-23:00"]}
    source = shapes(duration=4, count=1, start=7)
    (event,) = events_of(source, night, clock="2026-11-26 21:59:58").events("rules")
    assert (event.start, event.end) == (9.0, 10.96)


def test_a_saved_timeline_yields_the_same_events():
    source = shapes(duration=4, count=3)
    timeline = events_of(source, LINE)
    saved = Timeline.from_dict(timeline.to_dict())
    saved.times = timeline.times
    task = Rules(rules=rules(LINE))
    task.needs(source.info)
    assert [e.to_dict() for e in task.finish(saved).events] == [e.to_dict() for e in timeline.events("rules")] != []


def test_replay_goes_by_the_nearest_frame():
    track = Track(3, "objects", "car", 0.9, np.array([[0.0416667, 0, 0, 9, 9, 0.5], [0.083333, 1, 0, 9, 9, 0.75]]))
    times = np.array([0, 1001 / 24000, 2002 / 24000, 0.125])
    told = list(replay([track, Track(4, "objects", "car", 0.9, np.zeros((0, 6)))], times))
    assert [time for time, _ in told] == times.tolist()
    assert [[one.score for one in seen] for _, seen in told] == [[], [0.5], [0.75], []]
    assert [time for time, _ in replay([track], np.zeros(0))] == [0.0416667, 0.083333]
    assert list(replay([], np.zeros(0))) == []


def test_what_is_doubtful_does_not_count():
    source = shapes(duration=4, count=3)
    for track in source.truth.tracks[1:]:
        track.extra["doubtful"] = True
    timeline = events_of(source, {"kind": "crowd", "count": 1}, {"kind": "crowd", "count": 2})
    assert [event.label for event in timeline.events("rules")] == ["rule 1"]


def test_where_rules_cannot_apply():
    task = Rules(rules=rules(LINE))
    with pytest.raises(Skip, match="there is no video"):
        task.needs(SourceInfo("a.mp3"))
    task.needs(SourceInfo("a.mp4", 320, 240))
    with pytest.raises(Skip, match="neither objects nor faces ran"):
        task.finish(Timeline(tasks={"shots": TaskReport()}))


def test_a_zone_outside_the_frame_fails_the_task_and_nothing_else():
    source = shapes(duration=1, count=1)
    far = {"far": [[0, 0], [999, 0], [999, 9]]}
    task = Rules(rules=rules({"kind": "zone", "zone": "far"}, units="pixels", zones=far, lines={}))
    with pytest.raises(RulesError):
        task.needs(SourceInfo("a.mp4", 320, 240, rate=Fraction(25)))
    timeline = engine.run(source, [Truth(source), task], threaded=False)
    assert [report.status for report in timeline.tasks.values()] == ["failed", "ok"]
    assert timeline.tasks["rules"].reason == "zone 'far' has the point [999, 0] outside the frame; " + (
        "the frame is 320x240 pixels"
    )


def test_the_example_is_one_and_its_labels_are_known():
    from kinoscope.pipeline.alerts.dispatch import read_rules

    example = Path(__file__).parents[2] / "examples" / "rules.yaml"
    read = read_rules(example, TASKS)
    assert sorted(rule.kind for rule in read.rules) == sorted(
        ("zone", "line", "loitering", "crowd", "left-object", "wrong-way")
    )
