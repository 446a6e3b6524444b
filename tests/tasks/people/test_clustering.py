import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.tasks.people.clustering import cluster_tracks


def people(*which):
    """Return an embedding near the corner of each person, and one second after another for each track."""
    spread = np.random.default_rng(0).normal(0, 0.02, (len(which), 128))
    return np.eye(8, 128)[list(which)] + spread, np.array([[n, n + 1] for n in range(len(which))], float)


def test_tracks_of_one_person_are_joined_in_order_of_appearance():
    embeddings, spans = people(5, 2, 5, 5, 2, 7)
    assert cluster_tracks(embeddings, spans).tolist() == [0, 1, 0, 0, 1, 2]


def test_order_of_appearance_is_by_time_and_not_by_row():
    embeddings, spans = people(5, 2, 5)
    assert cluster_tracks(embeddings, spans[::-1]).tolist() == [0, 1, 0]
    assert cluster_tracks(embeddings[[1, 0, 2]], spans[[1, 0, 2]]).tolist() == [1, 0, 0]


def test_two_tracks_at_once_are_two_people():
    embeddings, spans = people(3, 3, 3)
    spans[1] = 0.5, 1.5
    found = cluster_tracks(embeddings, spans).tolist()
    assert found[0] != found[1]
    assert found[2] in found[:2]


def test_a_track_may_begin_when_another_ends():
    embeddings, spans = people(3, 3)
    assert cluster_tracks(embeddings, spans).tolist() == [0, 0]


def test_one_track_and_none():
    assert cluster_tracks(np.zeros((0, 128)), np.zeros((0, 2))).tolist() == []
    assert cluster_tracks(np.ones((1, 128)), np.array([[0.0, 1.0]])).tolist() == [0]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 9), st.floats(0.1, 4)), min_size=2, max_size=12))
def test_nobody_is_in_two_locations_at_once(tracks):
    embeddings = np.eye(4, 16)[[who for who, _, _ in tracks]]
    spans = np.array([[start, start + length] for _, start, length in tracks])
    found = cluster_tracks(embeddings, spans)
    for person in range(found.max() + 1):
        own = spans[found == person]
        own = own[np.argsort(own[:, 0])]
        assert np.all(own[1:, 0] >= own[:-1, 1])
        assert len(np.unique(embeddings[found == person], axis=0)) == 1
    assert sorted(set(found.tolist())) == list(range(found.max() + 1))
