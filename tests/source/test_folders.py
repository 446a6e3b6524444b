"""Typical folders of users: videos in nested folders, frames, strips, and results of earlier runs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import SourceError
from kinoscope.core.files import atomic_write, hard_link
from kinoscope.source import open_source
from kinoscope.source.folders import are_strips, find_sources


def write_image(path: Path, width: int, height: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def video(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def write(path: Path) -> None:
    """Write a file as one of our results."""
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"{}")


def found(folder: Path, **options: bool) -> list[str]:
    return [str(Path(one).relative_to(folder)) for one in find_sources(str(folder), **options)]


def test_videos_of_all_folders_below_are_found_in_natural_order(tmp_path: Path) -> None:
    for name in ("b.mp4", "day10/a.mp4", "day9/a.MKV", "day9/night/c.mov", ".trash/d.mp4", "day9/._a.mkv"):
        video(tmp_path / name)
    (tmp_path / "empty").mkdir()
    assert found(tmp_path) == ["b.mp4", "day9/a.MKV", "day9/night/c.mov", "day10/a.mp4"]


def test_frames_below_are_a_video_each_and_do_not_hide_what_is_beside_them(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / "walk" / f"{number}.png", 40, 30)
        write_image(tmp_path / "walk" / "close" / f"{number}.jpg", 40, 30)
    video(tmp_path / "run.mp4")
    write_image(tmp_path / "poster.jpg", 40, 30)
    assert found(tmp_path) == ["run.mp4", "walk", "walk/close"]
    assert found(tmp_path / "walk" / "close") == ["."]


def test_our_own_results_are_not_watched_again(tmp_path: Path) -> None:
    video(tmp_path / "a.mp4")
    for name, mark in (("out", "timeline.json"), ("made", "generated.json"), ("why", "explanation.json")):
        video(tmp_path / name / "annotated.mp4")
        write_image(tmp_path / name / "images" / "shots-0.jpg", 40, 30)
        (tmp_path / name / mark).write_text("{}")
    assert found(tmp_path) == ["a.mp4"]
    assert found(tmp_path / "out") == ["annotated.mp4", "images"]  # which somebody named


def test_videos_beside_our_results_are_found_and_the_results_are_not(tmp_path: Path) -> None:
    trip = tmp_path / "trip"
    video(trip / "a.mp4")
    video(trip / "day2" / "b.mp4")
    for name in ("timeline.json", "annotated.mp4", "images/shots-0.jpg"):
        write(trip / name)
    assert hard_link(trip / "a.mp4", trip / "video.mp4")
    assert found(trip) == ["a.mp4", "day2/b.mp4"]
    assert found(tmp_path) == ["trip/a.mp4", "trip/day2/b.mp4"]


def test_results_alone_are_watched_where_they_are_named(tmp_path: Path) -> None:
    for name in ("timeline.json", "annotated.mp4", "images/shots-0.jpg"):
        write(tmp_path / "out" / name)
    assert found(tmp_path / "out") == ["annotated.mp4", "images"]
    with pytest.raises(SourceError, match="holds no video"):
        found(tmp_path)


def test_links_that_lead_back_are_not_followed(tmp_path: Path) -> None:
    video(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "back").symlink_to(tmp_path)
    assert found(tmp_path) == ["in/a.mp4"]


def test_a_folder_that_may_not_be_read_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video(tmp_path / "a.mp4")
    (tmp_path / "locked").mkdir()
    whole = Path.iterdir

    def iterdir(folder: Path) -> object:
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied")
        return whole(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert found(tmp_path) == ["a.mp4", "locked"]
    with pytest.raises(SourceError, match=r"cannot read the folder .*locked: Permission denied; check its permissions"):
        open_source(tmp_path / "locked")


def test_nothing_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="holds no video and no image; name a folder"):
        find_sources(str(tmp_path))


@pytest.mark.parametrize(
    ("shapes", "strips"),
    [
        ([(160, 16), (160, 16)], True),
        ([(32, 16), (64, 16)], True),
        ([(48, 16)], True),
        ([(32, 16), (32, 16)], False),  # frames twice as wide as high
        ([(40, 30), (40, 30)], False),
        ([(16, 16), (16, 16)], False),
        ([(64, 16), (40, 30)], False),
        ([], False),
    ],
)
def test_strips_are_distinguished_from_frames_by_their_shape(
    tmp_path: Path, shapes: list[tuple[int, int]], strips: bool
) -> None:
    paths = [write_image(tmp_path / f"{number}.png", *shape) for number, shape in enumerate(shapes)]
    assert are_strips(paths) is strips


def test_what_is_no_image_is_no_strip(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    assert are_strips([tmp_path / "a.png"]) is False


def test_each_strip_is_a_clip_where_strips_are_clips(tmp_path: Path) -> None:
    for name in ("ann/1.png", "ann/2.png", "bob/1.png"):
        write_image(tmp_path / name, 64, 16)
    assert found(tmp_path, strips=True) == ["ann/1.png", "ann/2.png", "bob/1.png"]
    assert found(tmp_path) == ["ann", "bob"]
