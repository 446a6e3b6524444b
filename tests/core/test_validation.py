"""Names that users mistype."""

import pytest

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import MAX_LISTED_NAMES, closest_name, require_known, slugify, suggest


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
