import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import OptionError, OutputError, SourceError
from kinoscope.core.files import prepare_folder
from kinoscope.pipeline import inputs
from kinoscope.results.base import Result
from kinoscope.source.video_object import Video


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_stands_for_the_videos_in_it(tmp_path: Path) -> None:
    for name in ("b10.MP4", "b9.mkv", "a.avi", "notes.txt"):
        touch(tmp_path / name)
    found = [os.path.relpath(p, tmp_path) for p in inputs.expand([tmp_path])]
    assert found == ["a.avi", "b9.mkv", "b10.MP4"]


def test_other_sources_stay_as_they_are(tmp_path: Path) -> None:
    touch(tmp_path / "001.png")
    (tmp_path / "empty").mkdir()
    named = ["rtsp://host/a", "camera:0", str(tmp_path), "missing.mp4", "frames/%04d.png", str(tmp_path / "empty")]
    assert inputs.expand(named) == named


def test_something_must_be_named() -> None:
    with pytest.raises(SourceError, match="no source is given"):
        inputs.expand([])


def test_one_source_gets_the_folder_itself_and_several_get_one_each(tmp_path: Path) -> None:
    assert inputs.result_folders(["x/a.mp4"], tmp_path) == [tmp_path]
    assert inputs.result_folders(["x/a.mp4"], None) == [Path("runs/analyze/a")]
    several = inputs.result_folders(["x/a.mp4", "y/a.mkv", "rtsp://h/live?key=1", "camera:0"], tmp_path)
    assert several == [tmp_path / name for name in ("a", "a-2", "live", "camera-0")]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = touch(tmp_path / "file")
    with pytest.raises(OutputError, match="file/out: a part of the path is a file"):
        prepare_folder(file / "out")
    prepare_folder(tmp_path / "new" / "deep")
    assert os.listdir(tmp_path / "new" / "deep") == []


def test_a_changed_file_or_option_changes_the_fingerprint(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.mp4")
    first = inputs.fingerprint(str(file), {"rate": None, "start": 1})
    assert first == inputs.fingerprint(str(file), {"start": 1})
    assert first != inputs.fingerprint(str(file), {"start": 2})
    file.write_bytes(b"longer")
    assert first != inputs.fingerprint(str(file), {"start": 1})


@pytest.mark.parametrize(
    ("facts", "plays"),
    [
        ({}, True),
        ({"audio_codec": "aac"}, True),
        ({"audio_codec": "ac3"}, False),
        ({"codec": "hevc"}, False),
        ({"pixel_format": "yuv420p10le"}, False),
        ({"container": "avi"}, False),
        ({"container": "matroska,webm", "codec": "h264"}, False),
        ({"live": True}, False),
    ],
)
def test_what_a_browser_plays(tmp_path: Path, facts: dict[str, object], plays: bool) -> None:
    source = {"path": str(touch(tmp_path / "a.mp4")), "container": "mov,mp4,m4a,3gp,3g2,mj2", "codec": "h264"}
    assert inputs.is_playable(source | {"pixel_format": "yuv420p"} | facts) is plays


def test_a_webm_plays_and_a_missing_file_does_not(tmp_path: Path) -> None:
    webm = {"container": "matroska,webm", "codec": "vp9", "audio_codec": "opus", "pixel_format": "yuv420p"}
    assert inputs.is_playable(webm | {"path": str(touch(tmp_path / "a.webm"))})
    assert not inputs.is_playable(webm | {"path": str(tmp_path / "gone.webm")})


def test_a_video_lies_beside_its_report(tmp_path: Path) -> None:
    source = touch(tmp_path / "in" / "a.MP4")
    folder = tmp_path / "out"
    folder.mkdir()
    assert inputs.link_beside(source, folder) == "video.mp4"
    assert (folder / "video.mp4").samefile(source)
    assert inputs.link_beside(source, folder) == "video.mp4"


def write_strips(folder: Path) -> Path:
    for name in ("1.png", "2.png"):
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((12, 48, 3), np.uint8))
    return folder


def names(sources: Sequence[inputs.SourceName]) -> list[str]:
    return [Path(name).name for name in sources]


def test_one_source_has_one_result_and_a_list_a_list(tmp_path: Path) -> None:
    verb = inputs.one_or_several(names)
    assert (verb("a.mp4"), verb(Path("b.mp4")), verb(["a.mp4"])) == ("a.mp4", "b.mp4", ["a.mp4"])
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "b.mp4")
    with pytest.raises(OptionError, match=r"stands for several videos; give a list, as in \['"):
        verb(tmp_path)


def test_a_folder_of_strips_is_one_source_unless_each_strip_is_a_clip(tmp_path: Path) -> None:
    folder = write_strips(tmp_path / "strips")
    assert inputs.one_or_several(names)(folder) == "strips"
    with pytest.raises(OptionError, match="strips stands for several videos"):
        inputs.one_or_several_clips(names)(folder)


def pixels(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 24, 32, 3), np.uint8)


def test_frames_in_memory_are_one_source_of_a_verb() -> None:
    verb = inputs.one_or_several(names)
    assert verb(pixels()) == verb(list(pixels())) == verb(iter(pixels())) == "frames"
    assert verb(Video.from_frames(pixels(), name="camera")) == "camera"
    assert verb([pixels(), "a.mp4"]) == ["frames", "a.mp4"]


def test_a_result_does_not_keep_frames_in_memory() -> None:
    def verb(sources: Sequence[inputs.SourceName]) -> list[Result]:
        return [Result(str(name) if type(name) is str else name) for name in inputs.expand(sources)]

    result = inputs.one_or_several(verb)(pixels())
    assert (type(result.source), result.source) == (str, "frames")


def test_the_fingerprint_of_frames_is_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "frames")  # a file of that name is another source
    one, same, other = (inputs.expand([frames])[0] for frames in (pixels(), list(pixels()), pixels(3)))
    assert inputs.fingerprint(one, {"rate": 5}) == inputs.fingerprint(same, {"rate": 5})
    assert inputs.fingerprint(one, {}) != inputs.fingerprint(other, {})
    assert set(inputs.fingerprint(one, {})) == {"images", "sample"}
    assert inputs.is_repeatable(one)
    assert inputs.files_of(one) == []
    generated = inputs.expand([iter(pixels())])[0]
    assert inputs.fingerprint(generated, {}) == {"source": "frames"}
    assert not inputs.is_repeatable(generated)


def test_the_fingerprint_of_a_part_of_a_file_names_the_part(tmp_path: Path) -> None:
    file = touch(tmp_path / "a.mp4")
    (part,) = inputs.expand([Video(file, start=3)])
    assert inputs.fingerprint(part, {}) == inputs.fingerprint(str(file), {"start": Fraction(3)})
    assert inputs.fingerprint(part, {"start": Fraction(5)}) == inputs.fingerprint(str(file), {"start": Fraction(5)})
    assert inputs.files_of(part) == [str(file)]


def test_only_what_can_be_read_twice_is_rendered() -> None:
    generated = inputs.expand([iter(pixels())])
    inputs.require_rereadable(generated, annotate=False, clips=False)
    inputs.require_rereadable(inputs.expand([pixels(), "a.mp4"]), annotate=True)
    with pytest.raises(OptionError, match="blur reads a source twice, and frames can be read only once, as it is an"):
        inputs.require_rereadable(generated, blur="faces", clips=False)
