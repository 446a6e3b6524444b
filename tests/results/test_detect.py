from kinoscope.core.errors import SourceError
from kinoscope.results.detect import DetectResult


def test_a_source_that_cannot_be_read_has_no_counts_and_no_tracks() -> None:
    result = DetectResult("a.mp4", error=SourceError("a.mp4 does not exist"))
    assert (result.counts(), result.tracks) == ({}, [])
    assert result.to_dict() == {"source": "a.mp4", "error": "a.mp4 does not exist"}
