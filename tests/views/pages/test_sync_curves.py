"""Similarity over time in few columns: where its top is, what is put together, and what there is of nothing."""

import numpy as np
import pytest

from kinoscope.views.pages.sync_curves import sync_columns
from kinoscope.views.timeline import Timeline
from tests.helpers.sync_timelines import LAGS, synced, unmeasured


def test_a_short_video_keeps_all_its_columns():
    found = sync_columns(synced(count=20, start=5.0))
    assert found.times == pytest.approx(6 + 0.6 * np.arange(20))
    assert found.width == pytest.approx(0.6)
    assert (found.curves[:, LAGS.searchsorted(0.12 - 1e-9)] == 1).all()
    assert (found.curves.min(), found.curves.max()) == (0, 1)


def test_neighbours_are_merged_with_the_offset_of_the_highest_confidence():
    timeline = synced(count=20)
    timeline.features["sync.offsets"] = np.arange(20) / 100
    found = sync_columns(timeline, max_columns=7)
    assert found.width == pytest.approx(1.8)
    assert found.times == pytest.approx(1.6 + 1.8 * np.arange(7))
    # Confidence rises, so that the last of three is the surest.
    assert found.offsets == pytest.approx([0.02, 0.05, 0.08, 0.11, 0.14, 0.17, 0.19])
    assert found.confidences == pytest.approx(np.linspace(0.1, 1, 20)[[2, 5, 8, 11, 14, 17, 19]])


def test_a_gap_stays_a_gap():
    timeline = synced(count=4)
    timeline.features["sync.times"] = np.array([1.0, 1.6, 10.0, 10.6])
    assert sync_columns(timeline).times == pytest.approx([1.0, 1.6, 10.0, 10.6])
    assert sync_columns(timeline, max_columns=8).times == pytest.approx([1.6, 10.6])


def test_of_nothing_there_are_no_columns():
    assert sync_columns(Timeline()) is None
    assert sync_columns(unmeasured()).curves.shape == (0, len(LAGS))
    assert sync_columns(synced(count=1)).width == 0.6


def test_likenesses_that_are_all_the_same_or_no_numbers_are_faint():
    timeline = synced(count=3)
    timeline.features["sync.curves"] = np.full((3, len(LAGS)), np.nan)
    assert (sync_columns(timeline).curves == 0).all()
