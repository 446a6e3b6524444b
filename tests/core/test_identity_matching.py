import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.identity_matching import MAX_FALLBACK_EXCESS, match_identities, spans_overlap

APART = [[0, 1], [1, 2], [2, 3]]


def people(distances, spans, threshold=0.45):
    return [found.person for found in match_identities(distances, spans, threshold)]


def test_a_track_is_of_its_nearest_person_or_unknown():
    found = match_identities([[0.2, 0.7], [0.8, 0.3], [0.5, 0.6]], APART, 0.45)
    assert [(one.person, one.nearest) for one in found] == [(0, 0), (1, 1), (None, 0)]
    assert [one.distance for one in found] == [0.2, 0.3, 0.5]
    assert [one.margin for one in found] == pytest.approx([0.5, 0.5, 0.1])


def test_the_threshold_itself_is_accepted():
    assert people([[0.45]], [[0, 1]]) == [0]
    assert people([[0.4500001]], [[0, 1]]) == [None]


def test_with_one_known_person_there_is_no_margin():
    assert match_identities([[0.2]], [[0, 1]], 0.45)[0].margin == np.inf


def test_one_person_is_not_two_tracks_at_once_and_the_surer_one_is():
    assert people([[0.3, 0.9], [0.2, 0.9]], [[0, 2], [1, 3]]) == [None, 0]
    assert people([[0.3, 0.9], [0.2, 0.9]], [[0, 1], [1, 3]]) == [0, 0]


def test_fallback_to_a_person_hardly_farther_than_the_nearest():
    assert people([[0.2, 0.5], [0.25, 0.25 + MAX_FALLBACK_EXCESS / 2]], [[0, 2], [0, 2]]) == [0, 1]
    assert people([[0.2, 0.5], [0.25, 0.25 + 2 * MAX_FALLBACK_EXCESS]], [[0, 2], [0, 2]]) == [0, None]


def test_what_cannot_be_compared_is_unknown():
    (found,) = match_identities([[np.inf, np.inf]], [[0, 1]], 0.45)
    assert (found.person, found.distance) == (None, np.inf)


def test_without_tracks_there_is_nothing():
    assert match_identities(np.zeros((0, 3)), np.zeros((0, 2)), 0.45) == []


def test_spans_that_touch_do_not_overlap_but_two_faces_of_a_photo_do():
    assert spans_overlap(np.array([[0, 1], [1, 2], [0.5, 1.5]])).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, False],
    ]
    assert spans_overlap([[0, 0], [0, 0]]).tolist() == [[False, True], [True, False]]


@given(st.data(), st.integers(1, 8), st.integers(1, 4))
def test_no_person_is_in_two_overlapping_tracks_and_all_matches_are_within_the_threshold(data, tracks, persons):
    distance = st.floats(0, 1)
    distances = np.array(data.draw(st.lists(st.lists(distance, min_size=persons, max_size=persons),
                                            min_size=tracks, max_size=tracks)))  # fmt: skip
    begins = data.draw(st.lists(st.floats(0, 5), min_size=tracks, max_size=tracks))
    spans = np.array([[begin, begin + 1] for begin in begins])
    found = match_identities(distances, spans, 0.5)
    together = spans_overlap(spans)
    for row, one in enumerate(found):
        assert one.person is None or distances[row, one.person] == one.distance <= 0.5
        for other in np.flatnonzero(together[row]):
            assert one.person is None or found[other].person != one.person
    # The nearest pair of all is never refused.
    if distances.min() <= 0.5:
        assert any(one.person is not None and one.distance == distances.min() for one in found)
