from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core.errors import OptionError
from kinoscope.library.query import LabelQuery, LimitQuery, MeaningQuery, NotQuery, PairQuery, Query, TextQuery, parse

PERSON, CAR, DOG = LabelQuery("person"), LabelQuery("car"), LabelQuery("dog")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("person", PERSON),
        ("fire hydrant", LabelQuery("fire hydrant")),
        ('"Ada Lovelace"', LabelQuery("Ada Lovelace")),
        ('"bow and arrow"', LabelQuery("bow and arrow")),
        ('says "hello world"', TextQuery("hello world")),
        (r'says "he said \"no\" \\"', TextQuery('he said "no" \\')),
        ('about "cooking"', MeaningQuery("cooking")),
        ("person near car after 10 s", LimitQuery(PairQuery("near", PERSON, CAR), "after", 10)),
        ("person near car within 1.5 s", PairQuery("near", PERSON, CAR, 1.5)),
        ("person AND car or dog", PairQuery("or", PairQuery("and", PERSON, CAR), DOG)),
        ("person and (car or dog)", PairQuery("and", PERSON, PairQuery("or", CAR, DOG))),
        ("person and not car with dog", PairQuery("and", PERSON, NotQuery(PairQuery("with", CAR, DOG)))),
        ("person without car", PairQuery("without", PERSON, CAR)),
        ("person before 1:30", LimitQuery(PERSON, "before", 90)),
        ("person between 10 s and 2 min and car", PairQuery("and", LimitQuery(PERSON, "between", 10, 120), CAR)),
        (
            'person longer than 5s in "street*.mp4"',
            LimitQuery(LimitQuery(PERSON, "longer", 5), "in", pattern="street*.mp4"),
        ),
        ("person shorter than 1 h", LimitQuery(PERSON, "shorter", 3600)),
        ("person after 00:01:02.5", LimitQuery(PERSON, "after", 62.5)),
        ("person 1 after 5", LimitQuery(LabelQuery("person 1"), "after", 5)),
    ],
)
def test_queries_are_read(text: str, query: Query) -> None:
    assert parse(text) == query
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at the end; expected: a label"),
        ("person near", "at the end; expected: a label"),
        ("person after", "a time, such as 10 s, 2 min or 1:30"),
        ("person after noon", "before noon; expected: a time"),
        ("person after 5 parsecs", "before parsecs; expected: and, or, near"),
        ("person after 1:xx", "before 1:xx; expected: a time"),
        ("(person", r"at the end; expected: \)"),
        ("person)", r"before \); expected: and"),
        ("says hello", "before hello; expected: what is said in quotes"),
        ('says "hello', "a quote that is not closed"),
        ('says " "', "empty quotes"),
        ("person longer 5 s", "before 5; expected: than"),
        ("person between 5 s", "at the end; expected: and"),
        ("person in street", "a file name in quotes"),
        ('person "Ada"', 'before "Ada"; expected: and, or'),
        ("(" * 50 + "person" + ")" * 50, "nested more than 40 deep"),
        ("a" * 3000, "give at most 2000"),
    ],
)
def test_an_invalid_query_is_an_error_with_what_is_expected(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse(text)


texts = st.text(min_size=1).filter(lambda text: text.strip() and len(text) < 40)
times = st.floats(0, 1e5, allow_subnormal=False).map(lambda time: round(time, 3))


def deeper(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    hows = st.sampled_from(["or", "and", "with", "without"])
    limits = st.sampled_from(["after", "before", "longer", "shorter"])
    return st.one_of(
        st.builds(PairQuery, hows, inner, inner),
        st.builds(PairQuery, st.just("near"), inner, inner, times),
        st.builds(NotQuery, inner),
        st.builds(LimitQuery, inner, limits, times),
        st.builds(LimitQuery, inner, st.just("between"), times, times),
        st.builds(lambda of, pattern: LimitQuery(of, "in", pattern=pattern), inner, texts),
    )


queries: Any = st.recursive(
    st.one_of(st.builds(LabelQuery, texts), st.builds(TextQuery, texts), st.builds(MeaningQuery, texts)),
    deeper,
    max_leaves=6,
)


@settings(max_examples=60)
@given(queries)
def test_a_query_that_is_written_is_read_as_the_same(query: Query) -> None:
    written = str(query)
    if len(written) <= 2000:
        assert parse(written) == query


@given(st.text(alphabet=st.sampled_from('ab "()\\0 9:.snearwithoutn'), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(OptionError):
        assert parse(str(parse(text))) == parse(text)
