import configparser

import numpy as np

from kinoscope.core.results import Track
from kinoscope.views.formats.mot import write
from kinoscope.views.timeline import Timeline


def _read(path):
    """Read MOTChallenge text the way its tools do: rows of ten numbers."""
    rows = [[float(value) for value in line.split(",")] for line in path.read_text().splitlines()]
    assert all(len(row) == 10 and row[7:] == [-1, -1, -1] for row in rows)
    return np.array(rows).reshape(-1, 10)


def test_every_box_has_its_frame(half_minute, tmp_path):
    write(half_minute, tmp_path)
    for task in ("objects", "faces"):
        rows = _read(tmp_path / f"{task}.txt")
        assert np.all(np.diff(rows[:, 0]) >= 0)
        assert len(np.unique(rows[:, :2], axis=0)) == len(rows)
        for track in half_minute.tracks(task):
            mine = rows[rows[:, 1] == track.id]
            np.testing.assert_allclose(half_minute.times[mine[:, 0].astype(int) - 1], track.boxes[:, 0], atol=1e-9)
            np.testing.assert_allclose(mine[:, 2:4], track.boxes[:, 1:3], atol=0.0051)
            np.testing.assert_allclose(mine[:, 2:4] + mine[:, 4:6], track.boxes[:, 3:5], atol=0.011)
            np.testing.assert_allclose(mine[:, 6], track.boxes[:, 5], atol=0.0001)


def test_a_box_of_known_position(tmp_path):
    track = Track(7, "objects", "car", 0.5, np.array([[1.0, 10, 20, 40, 60, 0.25]]))
    write(Timeline(source={"rate": "25", "start": 0.0}, tracks=[track]), tmp_path)
    assert (tmp_path / "objects.txt").read_text() == "26,7,10.00,20.00,30.00,40.00,0.2500,-1,-1,-1\n"


def test_the_facts_of_the_sequence(golden, tmp_path):
    write(golden, tmp_path)
    facts = configparser.ConfigParser()
    facts.read(tmp_path / "seqinfo.ini", "utf-8")
    assert dict(facts["Sequence"]) == {
        "name": "straße",
        "framerate": "4",
        "seqlength": "8",
        "imwidth": "128",
        "imheight": "112",
    }


def test_an_empty_timeline(tmp_path):
    write(Timeline(), tmp_path)
    assert _read(tmp_path / "objects.txt").shape == (0, 10)
