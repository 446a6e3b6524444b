import copy

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.formats.schema import first_error, timeline_schema
from tests.helpers.strategies import timelines

VALIDATOR = jsonschema.Draft202012Validator(dict(timeline_schema()))
JUNK = st.sampled_from([None, True, "x", -1, 0, 0.5, [], {}, [1, 2, "a"], {"task": 1}, ["a"]])


def test_the_published_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(timeline_schema())


def _places(plain, here=()):
    for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
        yield (*here, key)
        if isinstance(value, (dict, list)):
            yield from _places(value, (*here, key))


@settings(max_examples=40)
@given(timelines(), st.data())
def test_the_verdict_is_that_of_jsonschema(timeline, data):
    plain = copy.deepcopy(timeline.to_dict())
    *path, last = data.draw(st.sampled_from(list(_places(plain))))
    inside = plain
    for key in path:
        inside = inside[key]
    if data.draw(st.booleans()):
        inside[last] = data.draw(JUNK)
    else:
        del inside[last]
    assert (first_error(plain, timeline_schema()) is None) == VALIDATOR.is_valid(plain)


@pytest.mark.parametrize("words", [[], [[1, 2, "a", 0.5]], [[1, 2, "a"]]])
def test_words_of_speech(golden, words):
    plain = golden.to_dict()
    plain["events"][3]["words"] = words
    assert first_error(plain, timeline_schema()) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([[1, 2]], "events[3].words[0] is [1, 2]; it must be a list of 3 or more, not 2"),
        ([[1, 2, 3, 4]], "events[3].words[0][2] is 3; it must be string"),
        ("spoken " * 10, f'events[3].words is "{"spoken " * 10}'[:52]),
    ],
)
def test_wrong_words_of_speech(golden, words, message):
    plain = golden.to_dict()
    plain["events"][3]["words"] = words
    assert first_error(plain, timeline_schema()).startswith(message)
