from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.video.interval_lookup import IntervalLookup

MOMENTS = st.integers(-20, 20)
SPANS = st.lists(st.tuples(MOMENTS, MOMENTS).map(sorted), max_size=12)


@settings(max_examples=40)
@given(SPANS, st.integers(-45, 45).map(lambda half: half / 2))
def test_it_finds_what_a_linear_search_finds(spans, time):
    items = [(start, end, number) for number, (start, end) in enumerate(spans)]
    wanted = {number for start, end, number in items if start <= time < end or start == time == end}
    found = IntervalLookup(items).at(time)
    assert len(found) == len(wanted)
    assert set(found) == wanted


def test_the_earliest_comes_first():
    assert IntervalLookup([(3, 9, "c"), (1, 9, "a"), (2, 9, "b")]).at(5) == ["a", "b", "c"]
