"""The moments of a search as cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinoscope.core.errors import SourceError
from kinoscope.library import SearchHit, StoredVideo
from kinoscope.pipeline.search_exports import EXPORTS, _cut
from kinoscope.results.search import SearchResult


def hit(start: float, end: float, **metadata: Any) -> SearchHit:
    """Return a moment of a video that lasts from 10 to 15 seconds."""
    video = StoredVideo("1" * 64, "/films/a.mp4", "a.mp4", 10.0, 5.0, "2026-01-01", metadata, {})
    return SearchHit(video, start, end, 0.8)


@pytest.mark.parametrize(
    ("moment", "cut"),
    [((11.0, 14.0), (1.0, 4.0)), ((12.0, 12.2), (1.6, 2.6)), ((10.1, 10.3), (0.0, 0.7)), ((14.9, 15.0), (4.45, 5.0))],
)
def test_a_short_moment_is_extended_inside_its_video(moment: tuple[float, float], cut: tuple[float, float]) -> None:
    made = _cut(hit(*moment, rate="25"))
    assert (made.start, made.end) == pytest.approx(cut)
    assert made.rate == 25


@pytest.mark.parametrize("rate", ["", "0", "1/0", "fast", "1000000"])
def test_an_implausible_rate_of_a_library_is_ignored(rate: str) -> None:
    assert _cut(hit(11.0, 12.0, rate=rate)).rate is None


def test_times_of_a_player_begin_with_the_video() -> None:
    assert [hit(11.0, 12.0).player_time(time) for time in (9.0, 10.0, 11.2344)] == [0.0, 0.0, 1.234]


def test_without_files_there_is_nothing_to_concatenate(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none of the videos exists any more"):
        EXPORTS["mp4"](SearchResult("films.lance", "person", 1, [hit(11.0, 12.0)]), tmp_path / "found.mp4")
