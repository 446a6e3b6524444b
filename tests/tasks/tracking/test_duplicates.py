from array import array

import numpy as np
import pytest

from kinoscope.tasks.tracking.duplicates import find_duplicates
from kinoscope.tasks.tracking.tracker import Tracklet

PERSON, BICYCLE, TRUCK = 0, 1, 2


def track(box, score, label=PERSON, start=0, count=20, speed=10):
    """A thing that moves to the right, seen five times a second."""
    x1, y1, x2, y2 = box
    rows = [(start + n / 5, x1 + speed * n, y1, x2 + speed * n, y2, score) for n in range(count)]
    return Tracklet(0, None, array("d", np.array(rows).ravel()), {label: score * count})


MAN = track((100, 100, 140, 200), 0.8)


@pytest.mark.parametrize(
    ("other", "double"),
    [
        (track((102, 95, 142, 160), 0.5), True),  # the upper half of him, for all his time
        (track((105, 110, 150, 215), 0.5, start=1, count=5, speed=10), True),  # for a while
        (track((105, 110, 150, 215), 0.75), False),  # no doubt: somebody beside him
        (track((145, 100, 185, 200), 0.5), False),  # next to him
        (track((102, 95, 142, 160), 0.5, speed=-10), False),  # passes him
        (track((102, 95, 142, 160), 0.5, start=3, count=20), False),  # was there when he had gone
    ],
)
def test_a_doubtful_box_on_another_of_its_label_is_a_double(other, double):
    if other.start == 1:  # begins where he is by then
        other = track((155, 110, 200, 215), 0.5, start=1, count=5)
    assert find_duplicates([MAN, other]) == ({1} if double else set())
    assert find_duplicates([other, MAN]) == ({0} if double else set())


def test_one_object_under_two_labels_is_the_better_one_and_two_objects_under_two_labels_stay():
    truck, car = track((100, 100, 200, 160), 0.7, TRUCK), track((104, 102, 202, 160), 0.8)
    assert find_duplicates([truck, car]) == {0}
    assert find_duplicates([MAN, track((90, 150, 160, 220), 0.6, BICYCLE)]) == set()


def test_of_two_that_are_the_same_one_stays():
    assert len(find_duplicates([MAN, track((100, 100, 140, 200), 0.8)])) in (0, 1)
    assert find_duplicates([track((100, 100, 140, 200), 0.5) for _ in range(3)]) == {0, 1}
    assert find_duplicates([]) == set()
