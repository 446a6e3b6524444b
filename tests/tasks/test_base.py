"""The interface of tasks: what can be requested."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.tasks.base import Needs


@pytest.mark.parametrize(
    ("requested", "message"),
    [
        ({"sizes": (8, 8)}, r"sizes=\(8, 8\) is not possible; give \(width, height\) of each, as in \(\(320, 180\),\)"),
        ({"sizes": ((0, 8),)}, "sizes=.* is not possible"),
        ({"sizes": ((8.5, 8),)}, "sizes=.* is not possible"),
        ({"rate": 0}, "rate=0 is not possible; give frames per second above 0, or None for all"),
        ({"rate": float("nan")}, "rate=nan is not possible"),
        ({"rate": "5"}, "rate=5 is not possible"),
        ({"batch": 0}, "batch=0 is not possible; give a whole number above 0"),
        ({"batch": None}, "batch=None is not possible"),
        ({"audio_rate": -1}, "audio_rate=-1 is not possible"),
    ],
)
def test_what_no_decoder_can_deliver_is_refused_where_it_is_requested(requested: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Needs(**requested)


def test_numbers_of_numpy_and_fractions_can_be_requested() -> None:
    needs = Needs(sizes=((np.int64(8), 6),), rate=Fraction(25, 2), audio_rate=16_000)  # type: ignore[arg-type]
    assert (needs.sizes, needs.rate, needs.batch) == (((8, 6),), 12.5, 8)
