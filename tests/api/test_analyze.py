"""Analyses of frames in memory, and of Videos."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import kinoscope as package
from kinoscope.core.errors import OptionError
from kinoscope.pipeline.options import OutputOptions, ProcessingOptions
from tests.helpers.sources import lossless, noise

QUIET = OutputOptions(report=False, quiet=True)


@pytest.fixture
def frames() -> np.ndarray:
    return np.stack(noise(20))


@pytest.mark.usefixtures("light")
def test_an_array_and_a_generator_are_analyzed_like_a_file(frames: np.ndarray, tmp_path: Path) -> None:
    path = lossless(tmp_path / "clip.mkv", list(frames), [Fraction(i, 10) for i in range(20)], rate=10)
    of_file = package.analyze(path, out=tmp_path / "file", tasks="shots", output=QUIET)
    for name, source in (("array", frames), ("generator", (frame for frame in frames))):
        analysis = package.analyze(
            package.Video.from_frames(source, 10, name), out=tmp_path / name, tasks="shots", output=QUIET
        )
        assert (analysis.error, analysis.source, type(analysis.source)) == (None, name, str)
        assert analysis.timeline is not None
        assert of_file.timeline is not None
        assert analysis.timeline.events("shots") == of_file.timeline.events("shots")
        assert analysis.timeline.times.tolist() == of_file.timeline.times.tolist()
        stored = json.loads((tmp_path / name / "timeline.json").read_text())
        assert (stored["source"]["path"], stored["source"]["duration"]) == (name, 2)


@pytest.mark.usefixtures("light")
def test_the_same_array_is_resumed_and_another_is_not(frames: np.ndarray, tmp_path: Path) -> None:
    resume = OutputOptions(report=False, quiet=True, resume=True)
    assert not package.analyze(frames, out=tmp_path, tasks="shots", output=resume).resumed
    assert package.analyze(list(frames), out=tmp_path, tasks="shots", output=resume).resumed
    assert "of another file or with other options" in str(
        package.analyze(frames[1:], out=tmp_path, tasks="shots", output=resume).error
    )


@pytest.mark.usefixtures("light")
def test_results_of_a_generator_are_not_replaced_by_those_of_another(frames: np.ndarray, tmp_path: Path) -> None:
    assert package.analyze(iter(frames), out=tmp_path, tasks="shots", output=QUIET).error is None
    again = package.analyze(iter(frames), out=tmp_path, tasks="shots", output=QUIET)
    assert "holds earlier results of frames; give --overwrite to replace them" in str(again.error)


@pytest.mark.usefixtures("light")
def test_sources_of_all_kinds_are_analyzed_together(frames: np.ndarray, tmp_path: Path) -> None:
    part = package.Video("synthetic:shapes?duration=2", start=1)
    analyses = package.analyze([frames, part, list(frames)], out=tmp_path, tasks="shots", output=QUIET)
    assert [analysis.folder.name for analysis in analyses] == ["frames", "synthetic-shapes-duration-2", "frames-2"]
    assert [analysis.timeline.times[0] for analysis in analyses if analysis.timeline] == [0, 1, 0]


@pytest.mark.usefixtures("light")
def test_a_lower_rate_samples_frames_in_memory(frames: np.ndarray, tmp_path: Path) -> None:
    analysis = package.analyze(frames, out=tmp_path, tasks="shots", output=QUIET, processing=ProcessingOptions(rate=5))
    assert analysis.timeline is not None
    assert analysis.timeline.times.tolist() == [0, 0.2, 0.4, 0.6]


@pytest.mark.usefixtures("light")
def test_a_generator_is_not_read_a_second_time(frames: np.ndarray, tmp_path: Path) -> None:
    generator = iter(frames)
    with pytest.raises(OptionError, match="annotate reads a source twice, and frames can be read only once"):
        package.analyze(generator, out=tmp_path / "out", tasks="shots", output=OutputOptions(annotate=True, quiet=True))
    assert len(list(generator)) == 19  # one was read to know what the iterator holds
    assert not (tmp_path / "out").exists()
