from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import PrivacyError
from kinoscope.core.results import DecodeReport, Event, TaskReport, Track
from kinoscope.views.timeline import Timeline
from kinoscope.views.video.redaction_plan import BOX_MARGIN, DAMAGE_SECONDS, EXTENSION_SECONDS, MAX_GAP_SECONDS, plan

DONE = {"faces": TaskReport(), "objects": TaskReport(), "recognize": TaskReport()}


def face(number, start, end, box=(100, 100, 200, 200), **more):
    times = np.arange(round(start * 25), round(end * 25) + 1) / 25
    return Track(number, "faces", "face", 0.9, np.array([[time, *box, 0.9] for time in times]), **more)


def timeline(*tracks, cuts=(), **more):
    shots = [Event("shots", cut, cut + 1, "shot", extra={"transition": "cut"}) for cut in cuts]
    return Timeline(tracks=list(tracks), events=shots, tasks=dict(DONE), **more)


def boxes_at(redaction, time):
    return [mask.at(time).tolist() for mask in redaction.masks if mask.start <= time <= mask.end]


def test_a_box_is_grown_on_each_side():
    (box,) = boxes_at(plan(timeline(face(1, 1, 2)), ["faces"]), 1.5)
    assert box == pytest.approx([80, 80, 220, 220])
    assert BOX_MARGIN == 0.2


def test_what_is_seen_once_is_covered_for_half_a_second_on_either_side_and_ever_larger():
    redaction = plan(timeline(face(1, 1, 1, extra={"doubtful": True})), ["faces"])
    assert [round(redaction.masks[0].start, 3), round(redaction.masks[0].end, 3)] == [
        1 - EXTENSION_SECONDS,
        1 + EXTENSION_SECONDS,
    ]
    assert boxes_at(redaction, 1.0) == [pytest.approx([80, 80, 220, 220], abs=0.01)]
    assert boxes_at(redaction, 0.5) == [pytest.approx([30, 30, 270, 270], abs=0.01)]
    assert boxes_at(redaction, 0.4) == []


@pytest.mark.parametrize("kind", ["damaged", "missing"])
def test_what_is_lost_in_damage_stays_hidden(kind):
    """A detector finds no face where people still know one: in frames redaction from damaged ones."""
    fields: dict[str, Any] = {kind: [[2.2, 2.3], [4.0, 4.1]]}
    decode = DecodeReport(**fields)
    lost, found = face(1, 1, 2), face(2, 8, 9, (600, 100, 700, 200))
    redaction = plan(timeline(lost, found, decode=decode), ["faces"])
    assert [round(redaction.masks[0].end, 3), round(redaction.masks[1].start, 3)] == [4.1 + DAMAGE_SECONDS, 2.2]
    (usual,) = boxes_at(plan(timeline(lost), ["faces"]), 2.4)
    assert boxes_at(redaction, 2.4)[0] == pytest.approx(usual, abs=0.01)
    redaction = plan(timeline(lost, found, cuts=[3.0], decode=decode), ["faces"])
    assert [round(redaction.masks[0].end, 3), round(redaction.masks[1].start, 3)] == [3.0, 3.0]


def test_damage_lasts_until_the_later_end_of_nested_intervals():
    decode = DecodeReport(damaged=[[1.0, 10.0]], missing=[[2.0, 3.0]])
    redaction = plan(timeline(face(1, 4, 9.9), decode=decode), ["faces"])
    assert round(redaction.masks[0].end, 3) == 10.0 + DAMAGE_SECONDS


def test_damage_far_from_a_track_changes_nothing():
    damage = DecodeReport(damaged=[[20.0, 20.1]])
    one, other = (plan(timeline(face(1, 1, 2), **more), ["faces"]) for more in ({}, {"decode": damage}))
    assert one.masks[0].keyframes.tolist() == other.masks[0].keyframes.tolist()


def test_nothing_reaches_over_a_cut():
    redaction = plan(timeline(face(1, 1, 2), cuts=[0, 0.8, 2.04]), ["faces"])
    assert boxes_at(redaction, 0.8)
    assert not boxes_at(redaction, 0.76)
    assert boxes_at(redaction, 2.0)
    assert not boxes_at(redaction, 2.04)


def test_between_two_tracks_that_may_be_one_both_regions_are_covered():
    a, b = face(1, 1, 2), face(2, 3.6, 4, (160, 100, 260, 200))
    redaction = plan(timeline(a, b), ["faces"])
    assert boxes_at(redaction, 2.8) == [pytest.approx([80, 80, 280, 220])]
    assert [mask.next_track for mask in redaction.masks] == [None, 2, None]
    for other in (face(2, 3.6, 4, (600, 100, 700, 200)), face(2, 2 + MAX_GAP_SECONDS + 0.2, 5)):
        assert not boxes_at(plan(timeline(a, other), ["faces"]), 2.8)
    assert not boxes_at(plan(timeline(a, b, cuts=[2.6]), ["faces"]), 2.8)


@pytest.mark.slow
@settings(max_examples=40)
@given(
    spans=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 50)), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 150), max_size=3),
)
def test_no_frame_is_missed_where_it_was_seen_or_a_neighbour_has_it_in_the_same_shot(spans, cuts):
    tracks = [face(n, a / 25, (a + length) / 25) for n, (a, length) in enumerate(spans)]
    cuts = sorted({cut / 25 for cut in cuts})
    redaction = plan(timeline(*tracks, cuts=cuts), ["faces"])
    for track in tracks:
        for frame in range(round(track.start * 25) - 1, round(track.end * 25) + 2):
            time = frame / 25
            seen = min(max(time, track.start), track.end)
            same_shot = not any(min(time, seen) < cut <= max(time, seen) for cut in cuts)
            if same_shot:
                left, top, right, bottom = np.array(boxes_at(redaction, time)).T
                assert ((left <= 100) & (top <= 100) & (right >= 200) & (bottom >= 200)).any()


def test_only_who_was_recognised_by_a_name_to_keep_is_exempt():
    ada = face(1, 0, 1, identity="Ada", extra={"known_by": "face", "distance": 0.3})
    named_alike = face(2, 0, 1, identity="Ada")
    bob = face(3, 0, 1, identity="Bob", extra={"known_by": "face", "distance": 0.3})
    redaction = plan(timeline(ada, named_alike, bob, face(4, 0, 1)), ["faces"], ["Ada"])
    assert [mask.track.id for mask in redaction.masks] == [2, 3, 4]
    assert redaction.exempt == [("faces", ada)]


def test_a_track_that_may_show_two_people_is_hidden_whoever_one_of_them_is():
    known = {"known_by": "face", "distance": 0.3}
    tracks = [face(n, 0, 1, identity="Ada", extra=known | {"apart": far}) for n, far in enumerate((0.5, 0.61))]
    assert [mask.track.id for mask in plan(timeline(*tracks), ["faces"], ["Ada"]).masks] == [1]


def test_of_objects_only_people_are_hidden():
    boxes = np.array([[0, 1, 1, 9, 9, 0.9]])
    tracks = [Track(n, "objects", label, 0.9, boxes) for n, label in enumerate(["person", "car"])]
    assert [mask.track.label for mask in plan(timeline(*tracks), ["people"]).masks] == ["person"]


@pytest.mark.parametrize(
    ("tasks", "keep", "message"),
    [
        ({}, (), r"task faces is not done \(not run\)"),
        ({"faces": TaskReport("failed", reason="no weights")}, (), r"task faces is not done \(failed: no weights\)"),
        ({"faces": TaskReport("interrupted")}, (), "task faces is not done"),
        ({"faces": TaskReport()}, ("Ada",), "task recognize is not done"),
    ],
)
def test_where_a_task_did_not_see_all_there_is_no_plan(tasks, keep, message):
    with pytest.raises(PrivacyError, match=message):
        plan(Timeline(tasks=tasks), ["faces"], keep)


def test_where_reading_stopped_early_there_is_no_plan():
    cut_short = DecodeReport(complete=False, errors=["interrupted (Ctrl-C)"])
    with pytest.raises(PrivacyError, match=r"reading stopped early \(interrupted \(Ctrl-C\)\)"):
        plan(timeline(decode=cut_short), ["faces"])


def moving(start, end, x, speed, width=100):
    """A face that moves to the right, or to the left, at so many pixels a second."""
    times = np.arange(round(start * 25), round(end * 25) + 1) / 25
    at = [x + speed * (time - start) for time in times]
    boxes = np.array([[t, a, 300, a + width, 400, 0.9] for t, a in zip(times, at, strict=True)])
    return Track(1, "faces", "face", 0.9, boxes)


SIZE = {"width": 1280, "height": 720}


def test_a_box_grows_with_speed_before_and_behind():
    (box,) = boxes_at(plan(timeline(moving(1, 1.4, 400, 1000), source=SIZE), ["faces"]), 1.2)
    assert box == pytest.approx([600 - 20 - 80, 280, 700 + 20 + 80, 420])
    (box,) = boxes_at(plan(timeline(moving(1, 1.4, 900, -1000), source=SIZE), ["faces"]), 1.2)
    assert box == pytest.approx([700 - 20 - 80, 280, 800 + 20 + 80, 420])


def check_hidden(redaction, time, right):
    """Check that a box 100 pixels wide, whose right edge is at ``right``, is covered as far as it is in the image."""
    if right > 0:
        (left, _, hidden, _) = boxes_at(redaction, time)[0]
        assert left <= max(0, right - 100), time
        assert hidden >= right, time


@pytest.mark.parametrize("speed", [50, 100, 300, 2000])
def test_what_comes_in_at_an_edge_is_hidden_from_the_edge_on(speed):
    """It is first found when it is whole in the image; what was there of it before is hidden."""
    seen = moving(4, 5, 10, speed)
    redaction = plan(timeline(seen, source=SIZE), ["faces"])
    for time in np.arange(0, 4, 0.04):
        right = 110 + speed * (time - 4)
        check_hidden(redaction, time, right)


@pytest.mark.parametrize("speed", [-50, -300, -2000])
def test_what_leaves_is_hidden_until_it_has_left(speed):
    seen = moving(1, 2, 10 - speed, speed)
    redaction = plan(timeline(seen, source=SIZE), ["faces"])
    for time in np.arange(2, 6, 0.04):
        right = 110 + speed * (time - 2)
        check_hidden(redaction, time, right)


def test_what_moves_away_from_an_edge_is_not_followed_back_for_ever_nor_over_a_cut():
    redaction = plan(timeline(moving(9, 10, 600, 50), source=SIZE), ["faces"])
    assert redaction.masks[0].start == pytest.approx(9 - EXTENSION_SECONDS, abs=0.001)
    redaction = plan(timeline(moving(4, 5, 10, 50), cuts=[3.2], source=SIZE), ["faces"])
    assert redaction.masks[0].start == pytest.approx(3.2, abs=0.001)


def test_what_is_seen_first_near_an_edge_is_hidden_up_to_it():
    redaction = plan(timeline(face(1, 1, 2, (30, 300, 130, 400)), source=SIZE), ["faces"])
    assert boxes_at(redaction, 0.6)[0][0] <= 0
    assert boxes_at(redaction, 1.5)[0][0] == pytest.approx(10)


@settings(max_examples=40)
@given(
    start=st.integers(0, 60),
    corners=st.lists(st.tuples(*[st.integers(0, 1180), st.integers(0, 620)]), min_size=1, max_size=8),
)
def test_never_less_is_hidden_than_the_boxes_and_where_they_stayed(start, corners):
    rows = [[(start + n) / 25, x, y, x + 100, y + 100, 0.9] for n, (x, y) in enumerate(corners)]
    (mask,) = plan(timeline(Track(1, "faces", "face", 0.9, np.array(rows)), source=SIZE), ["faces"]).masks
    for seconds, row, margin in [
        *((0.0, row, BOX_MARGIN) for row in rows),
        *((-back, rows[0], BOX_MARGIN + back) for back in (0.1, 0.3, EXTENSION_SECONDS)),
        *((on, rows[-1], BOX_MARGIN + on) for on in (0.1, 0.3, EXTENSION_SECONDS)),
    ]:
        left, top, right, bottom = mask.at(row[0] + seconds)
        grow = 100 * margin - 0.01
        assert max(left - row[1], top - row[2]) <= -grow
        assert min(right - row[3], bottom - row[4]) >= grow


def leaving(start, end, step):
    """Return a face that is at the left edge at its end, or begin, and moves by a step a frame."""
    times = np.arange(round(start * 25), round(end * 25) + 1) / 25
    left = step * 25 * (times - (end if step < 0 else start))
    boxes = np.array([[time, x, 300, x + 100, 400, 0.9] for time, x in zip(times, left, strict=True)])
    return Track(1, "faces", "face", 0.9, boxes)


SIZED = {"source": {"width": 1280, "height": 720}}


@pytest.mark.parametrize(("step", "start", "at", "free"), [(-10, 1, 4, 3.4), (10, 3, 0, 0.6)])
def test_what_left_over_an_edge_is_covered_there_in_the_last_frames_and_what_entered_in_the_first(
    step, start, at, free
):
    times = np.arange(101) / 25
    track = leaving(start, start + 0.8, step)
    redaction = plan(timeline(track, times=times, **SIZED), ["faces"])
    (box,) = boxes_at(redaction, at)
    assert box[0] <= 0
    assert box[2] >= 150
    assert boxes_at(redaction, free) == []
    cut = start - 0.4 if step > 0 else start + 1.2
    assert boxes_at(plan(timeline(track, times=times, cuts=[cut], **SIZED), ["faces"]), at) == []
    assert boxes_at(plan(timeline(track, times=times, cuts=[start], **SIZED), ["faces"]), 0) == []


def test_what_stays_inside_or_left_long_before_the_end_is_not_covered_again():
    left, inside = leaving(1, 2, -10), face(2, 1, 2, (500, 300, 600, 400))
    for track, end in ((left, 8), (inside, 4)):
        redaction = plan(timeline(track, times=np.arange(end * 25 + 1) / 25, **SIZED), ["faces"])
        assert boxes_at(redaction, end) == []
