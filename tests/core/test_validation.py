"""Names that users mistype."""

from fractions import Fraction
from typing import cast

import numpy as np
import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import (
    MAX_LISTED_NAMES,
    closest_name,
    require_known,
    require_number,
    require_positive,
    slugify,
    suggest,
)


def test_the_nearest_name_is_offered():
    assert closest_name("occlusoin", ["grad-cam", "occlusion"]) == "occlusion"
    assert suggest("occlusoin", ["grad-cam", "occlusion"]) == "did you mean occlusion? "
    assert (closest_name("xyz", ["grad-cam"]), suggest("xyz", ["grad-cam"])) == (None, "")


def test_a_known_name_is_given_back():
    assert require_known("b", iter("abc"), "letter") == "b"


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(OptionError, match=r"^there is no letter 'x'; known: a, b$"):
        require_known("x", "ab", "letter")
    with pytest.raises(
        OptionError, match=r"^there is no class 'c300'; did you mean c30\? known: c0, .*, c19 and 20 more$"
    ):
        require_known("c300", [f"c{i}" for i in range(MAX_LISTED_NAMES + 20)], "class")


def test_names_become_parts_of_file_names():
    assert slugify("Über die Linie / ../x", "alert") == "über-die-linie-x"
    assert slugify("../..", "alert") == "alert"
    assert len(slugify("a" * 300, "alert")) == 60


@pytest.mark.parametrize("value", ["5", True, [5], np.ones(1)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(OptionError, match=r"^rate .* is no number; give a number above 0, such as 5$"):
        require_positive("rate", value, 5)
    with pytest.raises(OptionError, match=r"^top .* is no number; give 1 or more$"):
        require_number("top", value, 1)


@pytest.mark.parametrize("value", [None, 1, 1.5, Fraction(3, 2), np.float32(1.5), np.int64(2)])
def test_every_kind_of_number_is_accepted(value):
    require_positive("rate", value, 5)
    require_number("rate", value, 1, 2)


def test_what_is_no_name_is_refused():
    with pytest.raises(OptionError, match=r"^there is no table 5; known: events, tracks$"):
        require_known(cast(str, 5), ["events", "tracks"], "table")
