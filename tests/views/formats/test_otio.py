import os
from pathlib import Path

import pytest

from kinoscope.core.results import Event
from kinoscope.views.formats.otio import write
from kinoscope.views.timeline import Timeline

otio = pytest.importorskip("opentimelineio", reason="opentimelineio is not installed")


def _read(timeline, tmp_path):
    write(timeline, tmp_path / "t.otio")
    return otio.adapters.read_from_file(str(tmp_path / "t.otio"))


def test_shots_are_clips_with_a_gap_between(golden, tmp_path):
    whole = _read(golden, tmp_path)
    (track,) = whole.video_tracks()
    assert [type(item).__name__ for item in track] == ["Clip", "Gap", "Clip"]
    placed = [item.trimmed_range_in_parent() for item in track]
    assert [(r.start_time.to_seconds(), r.end_time_exclusive().to_seconds()) for r in placed] == [
        (0, 1),
        (1, 1.25),
        (1.25, 2),
    ]
    first = track[0]
    assert first.source_range.start_time.rate == 4.0
    path = otio.url_utils.filepath_from_url(first.media_reference.target_url)
    assert path == str(Path("videos/straße.mp4").absolute())
    assert first.media_reference.available_range.duration.to_seconds() == 2
    assert first.metadata["kinoscope"]["score"] == 0.98


def test_other_events_are_markers(golden, tmp_path):
    (track,) = _read(golden, tmp_path).video_tracks()
    fight = next(marker for marker in track.markers if marker.name == "fight")
    assert (fight.marked_range.start_time.value, fight.marked_range.duration.value) == (2, 4)
    assert fight.color == "RED"
    assert len(track.markers) == 5


def test_shots_of_a_real_rate_meet_without_overlap(half_minute, tmp_path):
    (track,) = _read(half_minute, tmp_path).video_tracks()
    shots = half_minute.events("shots")
    assert [type(item).__name__ for item in track] == ["Clip"] * len(shots)
    starts = [item.trimmed_range_in_parent().start_time.to_seconds() for item in track]
    assert starts == pytest.approx([shot.start for shot in shots], abs=1e-6)


def test_without_shots_the_whole_video_is_one_clip(tmp_path):
    timeline = Timeline(source={"rate": "25", "duration": 4.0, "start": 1.0})
    (track,) = _read(timeline, tmp_path).video_tracks()
    assert [clip.duration().to_seconds() for clip in track] == [4.0]


def test_an_empty_timeline_and_hostile_text(tmp_path):
    assert len(_read(Timeline(), tmp_path).video_tracks()[0]) == 0
    timeline = Timeline(events=[Event("speech", 0, 1, "speech", 1.0, 'a"\udce9\x00\n<b>')])
    (marker,) = _read(timeline, tmp_path).video_tracks()[0].markers
    assert marker.name == 'a"\\udce9 <b>'


@pytest.mark.parametrize("name", ["my clip #1.mp4", "50%.mp4", "a?b.mp4", "straße ü.mp4", "x\ny.mp4"])
def test_editors_open_the_video_by_its_url(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("sub dir").mkdir()
    Path("sub dir", name).write_bytes(b"video")
    timeline = Timeline(source={"path": os.path.join("sub dir", name), "rate": "25", "duration": 4.0})
    (clip,) = _read(timeline, tmp_path).video_tracks()[0]
    url = clip.media_reference.target_url
    assert url.startswith("file:///")
    assert Path(otio.url_utils.filepath_from_url(url)).read_bytes() == b"video"


@pytest.mark.parametrize("path", ["https://host/a%20b.mp4", "camera:0", "synthetic:shapes?duration=2", ""])
def test_what_is_no_file_keeps_its_address(tmp_path, path):
    timeline = Timeline(source={"path": path, "rate": "25", "duration": 4.0})
    (clip,) = _read(timeline, tmp_path).video_tracks()[0]
    assert clip.media_reference.target_url == path
