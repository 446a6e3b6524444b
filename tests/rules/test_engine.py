import operator
import time
from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kinoscope.core.errors import RulesError
from kinoscope.core.results import Observation, Track
from kinoscope.rules import RuleEngine, RuleFile
from kinoscope.rules.debounce import ObservationFilter
from kinoscope.rules.engine import recording_clock
from kinoscope.tasks.rules import replay
from tests.helpers.rules import SIZE, ZONES, make_engine, observation, play, spans

CROWD = {"kind": "crowd", "count": 1}
ENTER, LEAVE, INSIDE = ({"kind": "zone", "zone": "yard", "when": when} for when in ("enter", "leave", "inside"))
DOWN = [observation(100, y) for y in (30, 36, 42, 48, 50, 54, 60, 66)]


def test_a_zone_is_entered_when_the_feet_are_over_its_edge_by_a_margin():
    (event,) = play(make_engine(ENTER), *DOWN)
    assert (event.task, event.label, event.start, event.end) == ("rules", "rule 1", 0.6, 0.7)
    assert event.extra == {
        "kind": "zone",
        "zone": "yard",
        "at": 0.7,
        "tracks": [["objects", 1]],
        "labels": ["person"],
    }


def test_a_zone_is_left_when_the_feet_are_out_by_a_margin():
    assert spans(play(make_engine(LEAVE), *DOWN[::-1])) == [("rule 1", 0.5, 0.6)]


def test_an_object_inside_from_the_start_has_not_entered_and_is_inside():
    pictures = [observation(100, 80)] * 6
    assert play(make_engine(ENTER), *pictures) == []
    assert spans(play(make_engine(INSIDE), *pictures)) == [("rule 1", 0.0, 0.5)]


def test_an_inside_event_lasts_as_long_as_the_visit():
    pictures = [observation(100, y) for y in (30, 30, 70, 70, 70, 30, 30, 70, 70)]
    assert spans(play(make_engine(INSIDE), *pictures)) == [("rule 1", 0.2, 0.5), ("rule 1", 0.7, 0.8)]


@given(st.lists(st.floats(44.1, 55.9), max_size=50), st.floats(16, 60))
def test_trembling_on_an_edge_enters_once(across, high):
    feet = [observation(100, y, high=high) for y in (10, 10, *across, 90, 90, *across, 90, 90)]
    assert len(play(make_engine(ENTER), *feet)) == 1


def test_the_border_of_the_frame_cannot_be_crossed():
    assert (
        len(play(make_engine(ENTER), *[observation(100, 30)] * 2, *[observation(100, 100), observation(199, 140)] * 5))
        == 1
    )


def test_a_zone_that_is_less_deep_than_the_margins_can_be_entered():
    slit = {"slit": [[0, 0.5], [1, 0.5], [1, 0.52], [0, 0.52]]}
    assert len(play(make_engine({"kind": "zone", "zone": "slit"}, zones=slit), observation(100, 51))) == 1


def test_a_zone_may_be_hollow():
    horseshoe = {"u": [[0, 0], [0.3, 0], [0.3, 0.7], [0.7, 0.7], [0.7, 0], [1, 0], [1, 1], [0, 1]]}
    rules = make_engine({"kind": "zone", "zone": "u", "when": "enter"}, zones=horseshoe)
    assert spans(play(rules, *(observation(100, y) for y in (30, 30, 60, 90, 90)))) == [("rule 1", 0.3, 0.4)]


def test_the_same_zone_in_pixels():
    pixels = {"yard": [[0, 50], [200, 50], [200, 100], [0, 100]]}
    assert spans(play(make_engine(ENTER, units="pixels", zones=pixels, lines={}), *DOWN)) == [("rule 1", 0.6, 0.7)]


RIGHT = [observation(x, 50) for x in (82, 88, 94, 99, 100.2, 100.5, 104, 106, 112, 118)]
LINE = {"kind": "line", "line": "door"}


@pytest.mark.parametrize(
    ("direction", "there", "back"),
    [("any", 1, 1), ("right", 1, 0), ("left", 0, 1), ([1, 0.5], 1, 0), ([-1, 3], 0, 1)],
)
def test_a_line_is_crossed_in_its_direction(direction, there, back):
    rules = LINE | {"direction": direction}
    assert [len(play(make_engine(rules), *RIGHT)), len(play(make_engine(rules), *RIGHT[::-1]))] == [there, back]


def test_a_crossing_starts_at_the_line_and_is_reported_once_settled():
    (event,) = play(make_engine(LINE), *RIGHT)
    assert (event.start, event.extra["at"], event.extra["line"]) == (0.4, 0.8, "door")


def test_going_around_the_end_of_a_line_is_no_crossing():
    around = [observation(x, y, high=4) for x, y in ((90, 50), (90, 10), (110, 10), (110, 50)) for _ in range(2)]
    assert play(make_engine(LINE), *around) == []
    assert len(play(make_engine(LINE), *around, *[observation(90, 50, high=4)] * 2)) == 1


@pytest.mark.slow
@given(st.lists(st.floats(94.1, 105.9), max_size=50), st.floats(16, 60))
def test_trembling_on_a_line_crosses_it_once_or_not_at_all(across, high):
    feet = {x: [observation(x, 50, high=high)] * 2 for x in (60, 140)}
    steps = [observation(x, 50, high=high) for x in across]
    assert len(play(make_engine(LINE), *feet[60], *steps, *feet[140], *steps, *feet[140])) == 1
    assert play(make_engine(LINE), *feet[60], *steps, *feet[60]) == []


@pytest.mark.slow
@pytest.mark.parametrize("high", [16, 24, 36, 48, 60])
@pytest.mark.parametrize("pixels_per_step", [0.1, 0.5, 1, 3])
def test_a_steady_crosser_whose_box_jitters_by_five_pixels_crosses_once(high, pixels_per_step):
    door = {"door": [[0, 0.5], [1, 0.5]]}
    way = np.arange(-40, 40, pixels_per_step)
    random = np.random.default_rng(1)
    jitters = [
        5 * (-1.0) ** np.arange(len(way)),
        5 * (-1.0) ** (np.arange(len(way)) // 2),
        5 * np.sin(np.arange(len(way)) / 1.5),
        5 * np.sin(np.arange(len(way)) / 10),
        random.uniform(-5, 5, len(way)),
        random.choice([-5.0, 5.0], len(way)),
    ]
    for jitter in jitters:
        feet = [observation(320, 180 + y, high=high) for y in way + jitter]
        assert len(play(make_engine(LINE | {"direction": "any"}, size=(640, 360), lines=door), *feet)) == 1


def test_a_single_box_on_the_other_side_is_no_crossing():
    there, back = observation(60, 50), observation(140, 50)
    assert play(make_engine(LINE), *[there] * 5, back, *[there] * 5, back, *[there] * 5) == []
    assert play(make_engine(LINE), back, *[there] * 5) == []
    assert (
        play(make_engine(ENTER), *[observation(100, 20)] * 5, observation(100, 80), *[observation(100, 20)] * 5) == []
    )


def test_a_box_that_trembles_more_needs_to_go_farther():
    steady, shaking = ([observation(70 + amount * (-1) ** n, 50, high=60) for n in range(20)] for amount in (0, 8))
    over = [observation(110, 50, high=60)] * 2
    assert len(play(make_engine(LINE), *steady, *over)) == 1
    assert play(make_engine(LINE), *shaking, *over) == []


def test_an_object_counts_only_once_confirmed_and_keeps_its_history():
    quick = [observation(x, 50) for x in (80, 90, 110, 120, 130, 140)]
    (event,) = play(make_engine(LINE, observation_filter=ObservationFilter(SIZE)), *quick)
    assert (event.start, event.extra["at"]) == (0.2, 0.3)
    assert play(make_engine(LINE, observation_filter=ObservationFilter(SIZE)), *quick[:3]) == []
    (event,) = play(make_engine(INSIDE, observation_filter=ObservationFilter(SIZE)), *[observation(100, 80)] * 5)
    assert (event.start, event.extra["at"], event.end) == (0.0, 0.3, 0.4)


def test_entering_the_frame_inside_the_zone_is_entering_the_zone():
    def entered(*pictures):
        return [
            (e.start, e.extra["at"])
            for e in play(make_engine(ENTER, observation_filter=ObservationFilter(SIZE)), *pictures)
        ]

    nobody: list[list[Observation]] = [[]] * 10
    walk = [observation(4 + 4 * n, 80) for n in range(6)]
    assert entered(*nobody, *walk) == [(1.0, 1.3)]
    assert entered(*walk) == []  # was there when the video began
    assert entered(*nobody, *[observation(100, 75)] * 6) == []  # was hidden, or overlooked
    assert entered(*nobody, *walk[:3]) == []  # was a ghost
    # A track that breaks off at the border and begins again there is the same one.
    assert len(entered(*nobody, *[observation(5, 80)] * 8, *[[]] * 5, *[observation(6, 80, number=2)] * 8)) == 1


def test_an_object_present_when_the_hours_of_a_rule_begin_has_not_entered():
    night = ENTER | {"hours": ["22:00-06:00"]}
    walk = [[]] * 10 + [observation(min(4 + 4 * n, 100), 80) for n in range(20)]
    for begin, count in ((datetime(2026, 11, 26, 22), 1), (datetime(2026, 11, 26, 21, 59, 58), 0)):
        clock = partial(operator.add, begin)
        rules = make_engine(
            night,
            clock=lambda time, clock=clock: clock(timedelta(seconds=time)),
            observation_filter=ObservationFilter(SIZE),
        )
        assert len(play(rules, *walk)) == count


frames = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0, 200), st.floats(30, 100)), max_size=3, unique_by=lambda x: x[0]),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@given(frames)
def test_the_same_boxes_yield_the_same_events_live_and_recorded(pictures):
    kinds = (ENTER, LEAVE, INSIDE, LINE, WRONG, {"kind": "crowd", "count": 2}, {"kind": "loitering", "seconds": 1})
    seen = [[observation(round(x, 1), round(y, 1), n, wide=10, high=20) for n, x, y in one] for one in pictures]
    live = play(make_engine(*kinds, observation_filter=ObservationFilter(SIZE)), *seen)
    rows = defaultdict(list)
    for number, one in enumerate(seen):
        for part in one:
            rows[part.id].append((number / 10, *part.box, part.score))
    tracks = [Track(number, "objects", "person", 1.0, np.array(boxes)) for number, boxes in rows.items()]
    again = make_engine(*kinds, observation_filter=ObservationFilter(SIZE))
    saved = [Track.from_dict(track.to_dict()) for track in tracks]
    times = np.arange(len(seen)) / 10
    events = [event for at, one in replay(saved, times) for event in again.update(at, one)]
    assert [e.to_dict() for e in events] == [e.to_dict() for e in live]


def test_loitering_is_reported_after_its_seconds_and_starts_with_the_visit():
    pictures = [observation(100, 30), *[observation(100, 60)] * 30]
    (event,) = play(make_engine({"kind": "loitering", "zone": "yard", "seconds": 2}), *pictures)
    assert (event.start, event.extra["at"], event.end) == (0.1, 2.1, 3.0)


def test_leaving_in_time_is_no_loitering():
    pictures = [*[observation(100, 70)] * 19, *[observation(100, 30)] * 2, *[observation(100, 70)] * 19]
    assert play(make_engine({"kind": "loitering", "zone": "yard", "seconds": 2}), *pictures) == []


def test_a_stay_outlasts_a_short_absence_and_not_a_long_one():
    rules = {"kind": "loitering", "seconds": 5}
    nobody: list[Observation] = []
    short, long = [nobody] * 40, [nobody] * 60
    stay = [observation(100, 60)] * 30
    assert len(play(make_engine(rules), *stay, *short, *stay)) == 1
    assert play(make_engine(rules), *stay, *long, *stay) == []


def crowd(*counts):
    return [[observation(20 + 30 * n, 60, n) for n in range(count)] for count in counts]


def test_a_crowd_is_so_many_for_so_long():
    rules = {"kind": "crowd", "zone": "yard", "count": 3, "seconds": 1}
    (event,) = play(make_engine(rules), *crowd(*[2] * 5, *[3] * 10, *[4] * 5))
    assert (event.start, event.extra["at"], event.end) == (0.5, 1.5, 1.9)
    assert [number for _, number in event.extra["tracks"]] == [0, 1, 2, 3]
    assert play(make_engine(rules), *crowd(*[2] * 5, *[3] * 10)) == []


def test_a_crowd_outlasts_a_moment_of_missed_detections():
    rules = make_engine({"kind": "crowd", "zone": "yard", "count": 3})
    assert spans(play(rules, *crowd(*[3] * 5, *[2] * 9, *[3] * 5))) == [("rule 1", 0.0, 1.8)]
    rules = make_engine({"kind": "crowd", "zone": "yard", "count": 3})
    assert spans(play(rules, *crowd(*[3] * 5, *[2] * 11, *[3] * 5))) == [("rule 1", 0.0, 0.4), ("rule 1", 1.6, 2.0)]


LEFT = {"kind": "left-object", "seconds": 2}


def bag(x=100, number=9, **more):
    return observation(x, 60, number, "backpack", high=10, **more)


def test_an_object_is_left_from_when_its_owner_is_away():
    away = [[bag(), observation(100 + 4 * n, 60)] for n in range(11)]
    (event,) = play(make_engine(LEFT), *away, *[[bag()]] * 30)
    assert (event.start, event.extra["at"], event.end) == (0.4, 2.4, 4.0)
    assert event.extra["labels"] == ["backpack"]


def test_an_object_that_moves_or_has_a_person_near_is_not_left():
    assert play(make_engine(LEFT), *[bag(60 + n) for n in range(40)]) == []
    assert play(make_engine(LEFT), *[[bag(), observation(110, 60)]] * 40) == []


def test_a_returning_owner_ends_the_event():
    events = play(make_engine(LEFT), *[bag()] * 25, [bag(), observation(105, 60)], *[bag()] * 25)
    assert [(e.start, e.extra["at"], e.end) for e in events] == [(0.0, 2.0, 2.4), (2.5, 4.5, 5.0)]


def test_an_object_whose_track_breaks_off_is_the_same_object():
    assert spans(play(make_engine(LEFT), *[bag(number=9)] * 15, *[bag(101, 10)] * 10)) == [("rule 1", 0.0, 2.4)]


WRONG = {"kind": "wrong-way", "direction": "right"}


def test_wrong_way_is_reported_after_a_length_of_the_object():
    pictures = [observation(x, 50, wide=20, high=20) for x in (100, 110, 105, 100, 95, 90, 85, 80, 80, 90, 120)]
    (event,) = play(make_engine(WRONG), *pictures)
    assert (event.start, event.extra["at"], event.end) == (0.1, 0.5, 0.7)


def test_a_second_turn_is_a_second_event():
    way = [100, 70, 60, 90, 100, 60]
    assert len(play(make_engine(WRONG), *[observation(x, 50, wide=20, high=20) for x in way])) == 2


def test_motion_in_the_permitted_direction_or_across_is_not_reported():
    assert play(make_engine(WRONG), *[observation(10 + x, 50) for x in range(150)]) == []
    assert play(make_engine(WRONG), *[observation(100 - y / 5, y) for y in range(20, 100)]) == []


def test_a_wrong_way_counts_only_inside_its_zone():
    rules = WRONG | {"zone": "left half"}
    assert play(make_engine(rules), *[observation(x, 50) for x in range(190, 101, -3)]) == []
    assert len(play(make_engine(rules), *[observation(x, 50) for x in range(190, 50, -3)])) == 1


def test_only_what_a_rule_is_about_counts():
    seen = [
        observation(20, 60, 1, "car"),
        observation(40, 60, 2, score=0.4),
        observation(60, 60, 3, identity="Ada"),
        observation(80, 60, 4),
        observation(90, 60, 5, "face"),
    ]
    asked: list[dict[str, Any]] = [
        {},
        {"labels": ["person"]},
        {"score": 0.5},
        {"identities": ["Ada"]},
        {"labels": ["face"]},
    ]
    found = [[e.extra["tracks"][0][1] for e in play(make_engine(INSIDE | one), seen)] for one in asked]
    assert found == [[1, 2, 3, 4], [2, 3, 4], [1, 3, 4], [3], [5]]
    assert play(make_engine(INSIDE | asked[3]), seen)[0].extra["identities"] == ["Ada"]


def test_a_cooldown_holds_back_and_does_not_forget():
    two = [[observation(50, 60, 1)], [observation(50, 60, 1), observation(90, 60, 2)]] + [[observation(90, 60, 2)]] * 10
    events = play(make_engine(INSIDE | {"cooldown": 0.5}), *two)
    assert [(e.start, e.extra["at"], e.extra["tracks"][0][1]) for e in events] == [(0.0, 0.0, 1), (0.1, 0.5, 2)]
    way = [observation(50, y) for y in (30, 30, 70, 70, 30, 30, 70, 70, 30, 30, 30, 70, 70)]
    assert len(play(make_engine(ENTER | {"cooldown": 0.5}), *way)) == 2


def test_hours_and_days_go_by_the_clock():
    night = INSIDE | {"hours": ["22:00-06:00"], "days": ["thu"]}

    def events_at(when):
        start = datetime.fromisoformat(when)
        return spans(
            play(make_engine(night, clock=lambda time: start + timedelta(seconds=time)), *[observation(100, 60)] * 20)
        )

    assert events_at("2026-11-26 21:59:59") == [("rule 1", 1.0, 1.9)]  # a Thursday
    assert events_at("2026-11-27 05:59:59") == [("rule 1", 0.0, 0.9)]  # the end of Thursday's night
    assert events_at("2026-11-26 05:30:00") == []
    assert events_at("2026-11-27 22:30:00") == []


def test_a_day_may_end_at_24():
    rules = INSIDE | {"hours": ["9:30-24:00"]}
    assert len(play(make_engine(rules, clock=lambda _: datetime(2026, 11, 26, 23, 59)), observation(100, 60))) == 1
    assert play(make_engine(rules, clock=lambda _: datetime(2026, 11, 26, 9, 29)), observation(100, 60)) == []


def test_the_time_of_day_needs_a_clock():
    rules = RuleFile.model_validate({"rules": [{"name": "n", "kind": "crowd", "count": 1, "hours": ["1:00-2:00"]}]})
    with pytest.raises(RulesError, match=r"rule 'n' depends on the time of day.*such as `clock: 2026-11-26 08:00:00`"):
        RuleEngine(rules, SIZE)
    assert recording_clock(rules, 0) is None
    clock = recording_clock(rules.model_copy(update={"clock": datetime(2026, 11, 26, 8)}), start=7.0)
    assert clock is not None
    assert clock(8.5).replace(tzinfo=None) == datetime(2026, 11, 26, 8, 0, 1, 500_000)


def hours_of(clock, hours, seconds):
    """How many of the seconds of a recording a rule with ``hours`` holds, evaluated every ten minutes."""
    rule = INSIDE | {"name": "n", "hours": [hours]}
    file = RuleFile.model_validate({"clock": clock, "zones": ZONES, "rules": [rule]})
    tell = recording_clock(file, start=0.0)
    return [time for time in range(0, seconds, 600) if file.rules[0].holds(tell(time))]


@pytest.mark.parametrize(
    ("clock", "first", "last"),
    [
        ("2026-10-24 21:00:00 Europe/Berlin", 1, 10),  # put back in that night: it has nine hours
        ("2026-10-24T19:00:00Z[Europe/Berlin]", 1, 10),
        ("2026-03-28 21:00:00 Europe/Berlin", 1, 8),  # put forward
        ("2026-10-24 21:00:00+02:00", 1, 9),  # an offset never changes
        ("2026-06-24 21:00:00 America/New_York", 1, 9),
    ],
)
def test_hours_of_a_recording_are_those_of_the_clock_on_the_wall(clock, first, last):
    assert hours_of(clock, "22:00-06:00", 11 * 3600) == list(range(first * 3600, last * 3600, 600))


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone of a process cannot be set here")
def test_a_clock_without_a_zone_is_that_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for clock in ("2026-10-24 21:00:00", datetime(2026, 10, 24, 21)):
            assert hours_of(clock, "22:00-06:00", 11 * 3600) == list(range(3600, 36_000, 600))
        file = RuleFile.model_validate({"clock": "2026-10-24 21:00:00", "rules": [{"name": "n"} | CROWD]})
        stamps = [recording_clock(file, 0.0)(hour * 3600).isoformat() for hour in (5, 6)]
        assert stamps == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        ("2026-10-24 21:00:00 Europe/Berlinn", "the time zone 'Europe/Berlinn', which cannot be read"),
        ("24.10.2026 21:00 Europe/Berlin", "the time '24.10.2026 21:00', which cannot be read"),
        ("0001-01-01 00:00:00", "must lie in the years 1900 to 9000, not 1"),
    ],
)
def test_a_clock_that_cannot_be_read(clock, message):
    with pytest.raises(ValidationError, match=message):
        RuleFile.model_validate({"clock": clock, "rules": [{"name": "n"} | CROWD]})


def test_stale_tracks_are_forgotten():
    rules = make_engine(ENTER, LINE, LEFT, WRONG, {"kind": "loitering", "seconds": 1})
    for number in range(2000):
        rules.update(number / 10, [observation(100, 60, number), bag(number=number)])
    held = [one.visits._visits if hasattr(one, "visits") else one._crossings for one in rules._evaluators]
    assert max(map(len, held)) <= 2 * 51


@pytest.mark.slow
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(-50, 300), st.floats(-50, 200)), max_size=4), max_size=30)
)
def test_any_trajectory_yields_the_same_events_twice_each_within_time(pictures):
    rules = (ENTER, LEAVE, INSIDE, LINE, LEFT | {"labels": None}, WRONG, {"kind": "crowd", "count": 2})
    seen = [[observation(x, y, n) for n, x, y in {n: (n, x, y) for n, x, y in one}.values()] for one in pictures]
    first, second = (play(make_engine(*rules), *seen) for _ in range(2))
    assert first == second
    assert all(0 <= e.start <= e.extra["at"] <= e.end <= len(seen) / 10 for e in first)


def test_a_zone_outside_the_frame_is_an_error_once_its_size_is_known():
    far = {"yard": [[0, 0], [300, 0], [300, 50]]}
    with pytest.raises(
        RulesError, match=r"zone 'yard' has the point \[300, 0\] outside the frame; the frame is 200x100 pixels"
    ):
        make_engine(ENTER, units="pixels", zones=far, lines={})
