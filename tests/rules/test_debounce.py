from kinoscope.rules.debounce import ObservationFilter
from tests.helpers.rules import SIZE, observation


def ids(observation_filter, time, *numbers):
    return [
        one.id for one in observation_filter(time, [observation(10, 10, number) for number in numbers]) if one.confirmed
    ]


def test_an_object_is_confirmed_from_its_third_frame_and_minimum_time():
    observation_filter = ObservationFilter(SIZE)
    assert [ids(observation_filter, time, 1) for time in (0, 0.1, 0.2, 0.3, 0.4)] == [[], [], [], [1], [1]]
    assert [ids(observation_filter, time, 2) for time in (1, 1.5, 2)] == [[], [], [2]]


def test_a_new_track_waits_while_others_are_confirmed():
    observation_filter = ObservationFilter(SIZE)
    for time in (0, 0.2, 0.4):
        ids(observation_filter, time, 1)
    assert ids(observation_filter, 0.6, 1, 2) == [1]


def test_a_forgotten_track_is_new_again():
    observation_filter = ObservationFilter(SIZE)
    for number in range(1000):
        ids(observation_filter, number / 10, number)
    assert len(observation_filter._tracks) <= 52
    assert ids(observation_filter, 200, 999) == []


def test_two_boxes_of_a_track_in_one_frame_count_once():
    observation_filter = ObservationFilter(SIZE)
    for time in (0, 0.1, 0.2, 0.3):
        found = observation_filter(time, [observation(10 + 100 * time, 90), observation(12 + 100 * time, 90)])
    assert [one.margin for one in found] == [6.0, 6.0]
