from __future__ import annotations

import numpy as np
import pytest

from kinoscope.models.exporting.verify import largest_difference


@pytest.mark.parametrize(
    ("found", "wanted", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0), ([0.5], [0.25], 0.25), ([101.0], [100.0], 0.01), ([], [], 0),
        ([float("nan")], [1.0], float("inf")), ([1.0], [1.0, 2.0], float("inf")),
    ],
)  # fmt: skip
def test_the_difference_is_relative_above_one(found, wanted, difference):
    assert largest_difference(np.array(found), np.array(wanted)) == pytest.approx(difference)
