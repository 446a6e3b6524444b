import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.formats.plain import dumps, one_line, utf8


def test_values_that_json_does_not_know():
    value = {"rate": Fraction(24000, 1001), "path": Path("a"), "n": np.int64(3), "row": np.ones(2, np.float32)}
    assert dumps(value) == '{"rate": "24000/1001", "path": "a", "n": 3, "row": [1.0, 1.0]}'


def test_a_value_without_a_plain_form():
    with pytest.raises(TypeError, match="object has no plain form"):
        dumps(object())


@settings(max_examples=40)
@given(st.text(st.characters()))
def test_half_characters_survive_json(text):
    assert json.loads(dumps(text).encode("utf-8")) == text


@settings(max_examples=40)
@given(st.text(st.characters()))
def test_text_is_utf8_and_one_line(text):
    utf8(text).encode("utf-8")
    assert len(one_line(text).splitlines()) <= 1
    assert one_line(one_line(text)) == one_line(text)
