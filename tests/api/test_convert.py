"""Conversion of an earlier analysis, in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import kinoscope
from kinoscope.core.errors import OptionError, TimelineError
from kinoscope.views.formats.json import save
from kinoscope.views.timeline import Timeline


def test_the_result_names_the_written_files(tmp_path: Path) -> None:
    save(Timeline(source={"path": "a.mp4", "duration": 1.0}), tmp_path / "run")
    result = kinoscope.convert(tmp_path / "run", ["csv", "srt"], out=tmp_path / "out")
    assert (result.source, result.status) == (str(tmp_path / "run"), 0)
    assert len(result.written) == 2
    assert all(path.parent == tmp_path / "out" and path.exists() for path in result.written)
    assert result.to_dict() == {"convert": [str(path) for path in result.written]}


def test_no_format_and_no_timeline_are_errors(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no format is given; choose from json"):
        kinoscope.convert(tmp_path, [])
    with pytest.raises(TimelineError, match="timeline"):
        kinoscope.convert(tmp_path, "csv")
