"""Cut lists count frames as the video does, and their time code as editors read it."""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.views.formats.cut_list import Cut, dropped_frames, timecode, timecode_rate, write_edl, write_otio

NTSC = {24: Fraction(24000, 1001), 30: Fraction(30000, 1001), 60: Fraction(60000, 1001)}


def events(path):
    return [line.split()[4:] for line in path.read_text().splitlines() if line[:3].isdigit()]


@pytest.mark.parametrize(
    ("rate", "last"),
    [
        (Fraction(25), "00:20:00:00"),
        (Fraction(24), "00:20:00:00"),
        (NTSC[24], "00:19:58:19"),  # 28,771 frames
        (NTSC[30], "00:20:00;00"),  # 35,964 frames
        (NTSC[60], "00:20:00;00"),
        (Fraction(30), "00:20:00:00"),
        (Fraction(25, 2), "00:20:00:00"),
        (Fraction(2997, 100), "00:20:00;00"),
    ],
)
def test_twenty_minutes_do_not_drift(tmp_path, rate, last):
    cut = Cut("/a/b.mp4", "b.mp4", 0.0, 1200.0, 1200.0, 0.0, rate)
    write_edl([cut], "t", tmp_path / "t.edl")
    first = f"00:00:00{last[8]}00"
    assert events(tmp_path / "t.edl") == [[first, last, first, last]]
    drop = "DROP" if ";" in last else "NON-DROP"
    assert f"FCM: {drop} FRAME" in (tmp_path / "t.edl").read_text()


@settings(max_examples=40)
@given(st.integers(0, 23 * 3600 * 24), st.sampled_from([*NTSC.values(), Fraction(24), Fraction(25), Fraction(30)]))
def test_time_codes_are_those_of_opentimelineio(frames, rate):
    opentime = pytest.importorskip("opentimelineio", reason="needs the extra export").opentime
    moment = opentime.RationalTime(frames, float(rate))
    assert timecode(frames, rate) == moment.to_timecode(float(rate), bool(dropped_frames(rate)))


@settings(max_examples=40)
@given(st.integers(0, 10_000_000), st.sampled_from(list(NTSC.values())))
def test_every_frame_has_its_own_number(frames, rate):
    assert timecode(frames, rate) < timecode(frames + 1, rate) or len(timecode(frames + 1, rate)) > 11


@pytest.mark.parametrize(
    ("rate", "counted"),
    [("24000/1001", "24000/1001"), ("23.976", "24000/1001"), ("29.97", "30000/1001"), ("59.94", "60000/1001"),
     ("24", "24"), ("30", "30"), ("60", "60"), ("25", "25"), ("24.975", "25"), ("50", "50"), ("12.5", "12"),
     ("0.1", "1"), ("119.88", "120000/1001")],
)  # fmt: skip
def test_a_video_is_counted_at_the_nearest_rate_of_time_code(rate, counted):
    assert timecode_rate(Fraction(rate)) == Fraction(counted)


def test_cut_lists_name_files_by_their_urls(tmp_path, monkeypatch):
    otio = pytest.importorskip("opentimelineio", reason="needs the extra export")
    monkeypatch.chdir(tmp_path)
    Path("my clip #1.mp4").write_bytes(b"video")
    write_otio([Cut("my clip #1.mp4", "my clip #1.mp4", 0, 1, 2)], "t", tmp_path / "t.otio")
    ((clip,),) = otio.adapters.read_from_file(str(tmp_path / "t.otio")).video_tracks()
    assert Path(otio.url_utils.filepath_from_url(clip.media_reference.target_url)).read_bytes() == b"video"
