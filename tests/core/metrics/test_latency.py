import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.core.metrics.latency import LatencyHistogram


def test_an_empty_histogram_has_no_quantiles():
    assert LatencyHistogram().to_dict() == {"count": 0, "p50": None, "p95": None, "max": None}


def test_quantiles_are_delays_that_were():
    delays = LatencyHistogram()
    for milliseconds in range(1, 101):
        delays.add(milliseconds / 1000)
    assert json.dumps(delays.to_dict()) == '{"count": 100, "p50": 0.05, "p95": 0.095, "max": 0.1}'


@given(st.lists(st.floats(-1, 100), min_size=1, max_size=50), st.floats(0.01, 1))
def test_quantiles_are_those_of_the_sorted_list(seconds, share):
    delays = LatencyHistogram()
    for one in seconds:
        delays.add(one)
    rounded = np.clip(np.rint(np.array(seconds) * 1000), 0, 60_000) / 1000
    assert delays.quantile(share) == np.quantile(rounded, share, method="inverted_cdf")
