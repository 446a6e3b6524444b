"""Names that users mistype."""

import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import MOST_NAMES, demand, hint, nearest, slug


def test_the_nearest_name_is_offered():
    assert nearest("occlusoin", ["grad-cam", "occlusion"]) == "occlusion"
    assert hint("occlusoin", ["grad-cam", "occlusion"]) == "did you mean occlusion? "
    assert (nearest("xyz", ["grad-cam"]), hint("xyz", ["grad-cam"])) == (None, "")


def test_a_known_name_is_given_back():
    assert demand("b", iter("abc"), "letter") == "b"


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(OptionError, match=r"^there is no letter 'x'; known: a, b$"):
        demand("x", "ab", "letter")
    with pytest.raises(
        OptionError, match=r"^there is no class 'c300'; did you mean c30\? known: c0, .*, c19 and 20 more$"
    ):
        demand("c300", [f"c{i}" for i in range(MOST_NAMES + 20)], "class")


def test_names_become_parts_of_file_names():
    assert slug("Über die Linie / ../x", "alert") == "über-die-linie-x"
    assert slug("../..", "alert") == "alert"
    assert len(slug("a" * 300, "alert")) == 60
