from kinoscope.rules.debounce import ObservationFilter
from tests.helpers.rules import SIZE, thing


def ids(settling, time, *numbers):
    return [one.id for one in settling(time, [thing(10, 10, number) for number in numbers]) if one.confirmed]


def test_a_thing_counts_from_its_third_picture_and_not_before_its_time():
    settling = ObservationFilter(SIZE)
    assert [ids(settling, time, 1) for time in (0, 0.1, 0.2, 0.3, 0.4)] == [[], [], [], [1], [1]]
    assert [ids(settling, time, 2) for time in (1, 1.5, 2)] == [[], [], [2]]


def test_who_is_new_waits_while_others_count():
    settling = ObservationFilter(SIZE)
    for time in (0, 0.2, 0.4):
        ids(settling, time, 1)
    assert ids(settling, 0.6, 1, 2) == [1]


def test_who_was_away_for_long_is_new_and_nothing_is_kept():
    settling = ObservationFilter(SIZE)
    for number in range(1000):
        ids(settling, number / 10, number)
    assert len(settling._tracks) <= 52
    assert ids(settling, 200, 999) == []


def test_two_boxes_of_a_track_in_one_frame_count_once():
    settling = ObservationFilter(SIZE)
    for time in (0, 0.1, 0.2, 0.3):
        found = settling(time, [thing(10 + 100 * time, 90), thing(12 + 100 * time, 90)])
    assert [one.margin for one in found] == [6.0, 6.0]
