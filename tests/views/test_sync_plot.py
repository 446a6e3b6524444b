"""The picture of sound against lips: the likeness is dark at the lag, what is silent is white, and nothing is told."""

import cv2
import numpy as np
import pytest
from sync_timeline import offset, synced, unmeasured

from kinoscope.core.errors import OptionError
from kinoscope.core.results import Timeline
from kinoscope.views.sync_plot import plot_sync


@pytest.fixture(autouse=True)
def _matplotlib():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")


def dark(path):
    """The rows and columns of the picture that are dark and purple: where likeness is high."""
    blue, green, red = np.moveaxis(cv2.imread(str(path)).astype(int), 2, 0)
    return (blue - green > 60) & (blue > red) & (red < 120)


def test_likeness_is_high_where_the_sound_is_late(tmp_path):
    rows = []
    for late in (-0.5, 0.5):
        plot_sync(synced(offset(0, 13, 0.12), late=late, count=20), tmp_path / "sync.png")
        rows.append(np.argwhere(dark(tmp_path / "sync.png"))[:, 0].mean())
    # The lower plot is two seconds high, and late is above early.
    assert 100 < rows[0] - rows[1] < 300


def test_stretches_without_speech_stay_white(tmp_path):
    timeline = synced(count=4)
    timeline.features["sync.times"] = np.array([1.0, 1.6, 10.0, 10.6])
    plot_sync(timeline, tmp_path / "sync.png")
    filled = dark(tmp_path / "sync.png").any(axis=0)
    columns = np.flatnonzero(filled)
    assert filled.sum() < 0.4 * (columns[-1] - columns[0])


def test_several_offsets_and_a_drift_are_drawn(tmp_path):
    drift = offset(5, 10, -0.2, drift=0.01, drift_low=0.008, drift_high=0.012, at_start=-0.225, at_end=-0.175)
    plot_sync(synced(offset(0, 5, 0.12), drift, count=1200), tmp_path / "sync.svg")
    assert (tmp_path / "sync.svg").read_text().count("<image") == 1


@pytest.mark.parametrize("timeline", [Timeline(), unmeasured()], ids=["not run", "not measurable"])
def test_of_nothing_there_is_no_picture(tmp_path, timeline):
    with pytest.raises(OptionError, match="no offset over time to draw"):
        plot_sync(timeline, tmp_path / "sync.png")
    assert not list(tmp_path.iterdir())
