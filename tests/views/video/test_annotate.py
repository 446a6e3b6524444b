from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from kinoscope.core.media import Frame
from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.timeline import Timeline
from kinoscope.views.video.annotate import ALERT_COLOUR, ZONE_COLOUR, Annotator
from tests.helpers.strategies import timelines

GREY = 90


def _frame(time, width=64, height=48):
    return Frame(np.full((height, width, 3), GREY, np.uint8), Fraction(time), 7, Fraction(1, 25))


def _changed(timeline, frame):
    drawn = Annotator(timeline).draw(frame)
    return np.any(drawn.pixels != GREY, axis=2)


def _timeline(*tracks, events=(), width=64, height=48):
    return Timeline(source={"width": width, "height": height, "start": 0.0}, tracks=list(tracks), events=list(events))


def _track(boxes, task="objects", **more):
    return Track(1, task, "person", 0.9, boxes, **more)


WALK = _track([[1.0, 10, 8, 30, 40, 0.9], [2.0, 20, 8, 40, 40, 0.9]])


@pytest.mark.parametrize(
    ("time", "left"),
    [(Fraction(1), 10), (Fraction(3, 2), 15), (Fraction(2), 20)],
)
def test_a_box_is_drawn_where_it_is_at_the_frames_own_time(time, left):
    wanted = np.zeros((48, 64), bool)
    wanted[8:40, left : left + 20] = True
    wanted[9:39, left + 1 : left + 19] = False
    np.testing.assert_array_equal(_changed(_timeline(WALK), _frame(time)), wanted)


@pytest.mark.parametrize("time", [0, Fraction(99, 100), Fraction(201, 100), 50])
def test_nothing_is_drawn_outside_a_tracks_time(time):
    assert not _changed(_timeline(WALK), _frame(time)).any()


def test_a_time_rounded_to_the_microsecond_is_the_frames_time():
    exact = Fraction(1001, 24000)
    for rounded in (0.041708, 0.041709):
        assert _changed(_timeline(_track([[rounded, 10, 8, 30, 40, 0.9]])), _frame(exact)).sum() == 100


def test_a_face_is_drawn_as_corners():
    changed = _changed(_timeline(_track([[0, 10, 8, 30, 40, 0.9]], task="faces")), _frame(0))
    assert changed[8, 10:15].all()
    assert not changed[8, 15:25].any()
    assert changed[8:16, 10].all()
    assert not changed[16:32, 10].any()


def test_boxes_are_scaled_to_the_size_of_the_frame():
    changed = _changed(_timeline(_track([[0, 20, 16, 60, 80, 0.9]]), width=128, height=96), _frame(0))
    assert changed[8:40, 10].all()
    assert changed[8, 10:30].all()
    assert not changed[:, 30:].any()


def test_the_frame_itself_is_left_alone_and_keeps_its_time():
    frame = _frame(1)
    frame.pixels.flags.writeable = False
    drawn = Annotator(_timeline(WALK)).draw(frame)
    assert np.all(frame.pixels == GREY)
    assert (drawn.time, drawn.index, drawn.duration) == (frame.time, frame.index, frame.duration)


def test_an_empty_timeline_draws_nothing():
    frame = _frame(0, 320, 240)
    np.testing.assert_array_equal(Annotator(Timeline()).draw(frame).pixels, frame.pixels)


def _colours(timeline, times):
    annotator = Annotator(timeline)
    drawn = [annotator.draw(_frame(time)).pixels for time in times]
    return [{tuple(p) for p in pixels.reshape(-1, 3).tolist() if p != [GREY] * 3} for pixels in drawn]


def test_a_track_keeps_its_colour_and_another_has_another():
    other = Track(2, "objects", "person", 0.9, np.array([[5.0, 10, 8, 30, 40, 0.9]]))
    first, last, second = _colours(_timeline(WALK, other), [1, 2, 5])
    assert len(first) == len(second) == 1
    assert first == last != second


def test_a_known_person_keeps_the_colour_across_tracks():
    tracks = [Track(n, "faces", "face", 0.9, np.array([[n, 10, 8, 30, 40, 0.9]]), "Zoë") for n in (1, 2)]
    first, second = _colours(_timeline(*tracks), [1, 2])
    assert first == second


def test_tags_are_written_where_there_is_room_for_text():
    timeline = _timeline(_track([[0, 100, 100, 200, 200, 0.9]]), width=320, height=240)
    changed = _changed(timeline, _frame(0, 320, 240))
    assert changed[84:100, 100:140].all()
    assert not changed[:84].any()
    assert not changed[201:].any()


def test_the_tag_of_a_box_at_the_top_stands_inside_it():
    timeline = _timeline(_track([[0, 100, 0, 200, 200, 0.9]]), width=320, height=240)
    assert _changed(timeline, _frame(0, 320, 240))[0:16, 100:140].all()


def test_tags_do_not_cover_each_other():
    tracks = [Track(n, "objects", "person", 0.9, np.array([[0, 100, 100, 200, 200, 0.9]])) for n in (1, 2)]
    changed = _changed(_timeline(*tracks, width=320, height=240), _frame(0, 320, 240))
    assert changed[84:100, 100:140].all()
    assert changed[100:116, 100:140].all()


def _rows(event, time, **size):
    return _changed(_timeline(events=[event], width=320, height=240), _frame(time, 320, 240)).any(1).nonzero()[0]


@pytest.mark.parametrize("task", ["shots", "scenes", "actions"])
def test_banners_stand_at_the_top_while_the_event_lasts(task):
    event = Event(task, 1, 2, "street")
    assert _rows(event, 1).max() < 40
    assert len(_rows(event, Fraction(1999, 1000)))
    assert len(_rows(event, Fraction(999, 1000))) == len(_rows(event, 2)) == 0


def _red(tracks, extra=()):
    """Draw an alert over 320x240 pixels, and return the middle of its pill as shares of the image."""
    events = [Event("rules", 0, 5, "in the yard", extra={"at": 0.0}), *extra]
    pixels = Annotator(_timeline(*tracks, events=events, width=320, height=240)).draw(_frame(1, 320, 240)).pixels
    red = np.abs(pixels.astype(int) - ALERT_COLOUR).max(2) < 60
    rows, columns = red.nonzero()
    return round(float(columns.mean()) / 320, 1), round(float(rows.mean()) / 240, 1), red


@pytest.mark.parametrize(
    ("boxes", "corner"),
    [
        ([], (0.9, 0.1)),
        ([[100, 80, 200, 200]], (0.9, 0.1)),
        ([[240, 0, 310, 60]], (0.9, 0.8)),
        ([[240, 0, 310, 240]], (0.1, 0.8)),
    ],
)
def test_an_alert_does_not_hide_whom_it_is_about(boxes, corner):
    rows = [np.array([[0, *box, 0.9], [5, *box, 0.9]]) for box in boxes]
    tracks = [Track(n, "objects", "person", 0.9, track_boxes) for n, track_boxes in enumerate(rows)]
    *middle, red = _red(tracks)
    assert tuple(middle) == corner
    for x1, y1, x2, y2 in boxes:
        assert not red[y1:y2, x1:x2].any()


def test_alerts_at_the_bottom_stand_above_the_subtitles():
    tracks = [_track([[0, 240, 0, 310, 60, 0.9], [5, 240, 0, 310, 60, 0.9]])]
    said = Event("speech", 0, 5, "speech", 1.0, "Keep to the left here, the bridge is narrow and there is traffic.")
    assert _red(tracks)[2].sum() == _red(tracks, [said])[2].sum() > 0


def test_subtitles_stand_at_the_bottom_while_they_are_spoken():
    event = Event("speech", 1, 2, "speech", 1.0, "Keep to the left here, the bridge is narrow.")
    assert _rows(event, Fraction(3, 2)).min() > 180
    assert len(_rows(event, Fraction(1, 2))) == len(_rows(event, 2)) == 0


def test_subtitles_are_on_the_clock_of_the_source():
    timeline = _timeline(events=[Event("speech", 101, 102, "speech", 1.0, "Hello.")])
    timeline.source["start"] = 100.0
    annotator = Annotator(timeline)
    assert np.any(annotator.draw(_frame(Fraction(203, 2), 320, 240)).pixels != GREY)
    assert np.all(annotator.draw(_frame(Fraction(3, 2), 320, 240)).pixels == GREY)


@settings(max_examples=25)
@given(timelines())
def test_any_timeline_can_be_drawn_at_any_size(timeline):
    annotator = Annotator(timeline)
    moments = [event.start for event in timeline.all_events] + [track.start for track in timeline.all_tracks]
    for size in [(17, 31), (1, 1), (200, 100), (100, 300)]:
        for moment in moments:
            assert annotator.draw(_frame(Fraction(moment), *size)).size == size


def test_boxes_beyond_all_measure_are_drawn():
    wild = _track([[0, -1e300, -1e12, 1e300, 1e12, 0.9]])
    assert not _changed(_timeline(wild), _frame(0)).any()


def _ruled(event):
    timeline = _timeline(events=[event], width=128, height=128)
    extra = {"zones": {"yard": [[0, 64], [128, 64], [128, 100], [0, 100]]}, "lines": {"gate": [[64, 0], [64, 20]]}}
    timeline.tasks["rules"] = TaskReport(extra=extra)
    return timeline


def test_zones_are_outlined_in_red_while_a_rule_of_theirs_is_met():
    told = {"zone": "yard", "at": 1.0}
    annotator = Annotator(_ruled(Event("rules", 0.5, 1.0, "in the yard", extra=told)))
    for time, colour in ((0.5, ZONE_COLOUR), (1, ALERT_COLOUR), (2.9, ALERT_COLOUR), (3, ZONE_COLOUR)):
        pixels = annotator.draw(_frame(Fraction(str(time)), 128, 128)).pixels
        assert np.abs(pixels[64, 30].astype(int) - colour).max() < 40  # smooth edges let some of the image through
        assert np.abs(pixels[10, 64].astype(int) - ZONE_COLOUR).max() < 40
        assert (pixels[:60, 80:] != GREY).any() == (colour == ALERT_COLOUR)
