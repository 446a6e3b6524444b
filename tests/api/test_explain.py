"""The verb explain: the selected window, the files that are written, and errors."""

import json

import av
import cv2
import pytest

import kinoscope
from kinoscope.api.explain import explain
from kinoscope.core.errors import ModelError, OptionError, SourceError
from tests.helpers.toy_networks import FRAMES, NETWORKS, RATE, clip, film, save_toy


@pytest.fixture
def model(monkeypatch, tmp_path):
    """Folder of a trained model."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", NETWORKS)
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    return save_toy(tmp_path / "model", "toy-conv3d")


@pytest.mark.slow
def test_all_files_are_written(model, tmp_path, capsys):
    done = explain(
        str(model), film(tmp_path / "a.mp4", clip(3, 0)), out=tmp_path / "out", method="grad-cam", quiet=True
    )
    assert [path.name for path in done.written] == ["explanation.html", "explanation.json", "overlay.mp4", "sheet.png"]
    plain = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert plain == done.to_dict()
    assert (plain["target"], plain["window"]) == ("across", {"start": 0.0, "end": FRAMES / RATE, "windows": 1})
    assert set(plain["methods"]["grad-cam"]) >= {
        "deletion",
        "insertion",
        "gain",
        "faithful",
        "sanity",
        "sane",
        "over_time",
    }
    with av.open(tmp_path / "out" / "overlay.mp4") as video:
        assert [float(frame.time) for frame in video.decode(video=0)] == pytest.approx(
            [n / RATE for n in range(FRAMES)], abs=1e-3
        )
    assert cv2.imread(str(tmp_path / "out" / "sheet.png")).shape[1] > 1000
    assert "grad-cam" in (tmp_path / "out" / "explanation.html").read_text()


@pytest.mark.slow
def test_of_a_long_video_the_most_probable_window_is_explained(model, tmp_path):
    video = film(tmp_path / "a.mp4", clip(3, 0), clip(4, 1), clip(5, 0))
    down = explain(str(model), video, out=tmp_path / "down", method="grad-cam", target="down", quiet=True)
    assert (down.start, down.end, down.windows) == (1.5, 3.0, 5)
    assert down.explanation.probability > 0.9
    late = explain(str(model), video, out=tmp_path / "late", method="grad-cam", start="3.0", quiet=True)
    assert (late.start, late.windows, late.explanation.label) == (3.0, 1, "across")


def test_a_short_clip_is_played_to_and_fro(model, tmp_path):
    one = clip(3, 0)
    video = film(tmp_path / "a.mp4", type(one)(one.pixels[:5], 0, one.inside, one.moves))
    found = explain(str(model), video, out=tmp_path / "out", method="grad-cam", quiet=True)
    assert len(found.explanation.times) == FRAMES


@pytest.mark.slow
def test_the_command_prints_it_and_writes_it_as_json(model, tmp_path, kinoscope):
    video = film(tmp_path / "a.mp4", clip(3, 0))
    call = kinoscope("explain", model, video, "-o", tmp_path / "out", "--method", "grad-cam")
    assert call.status == 0
    assert "across" in call.out
    assert "random order" in call.out
    assert "explanation.html" in call.out
    call = kinoscope("explain", model, video, "-o", tmp_path / "out", "--method", "grad-cam", "--json")
    assert json.loads(call.out)["target"] == "across"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "gradcam"}, OptionError, "did you mean grad-cam"),
        ({"method": ""}, OptionError, "method '' has no name"),
        ({"target": "up"}, OptionError, "there is no class 'up'"),
        ({"start": 9}, OptionError, "start 9 s lies outside"),
        ({"device": "tpu"}, OptionError, "device tpu is not known; choose one of auto, cpu, cuda"),
        ({"model": "nanodet"}, ModelError, "does not classify clips"),
        ({"clip": "gone.mp4"}, SourceError, "gone.mp4 does not exist"),
    ],
)
def test_unusable_input_is_reported_in_one_line(model, tmp_path, options, error, message):
    given = {"model": str(model), "clip": film(tmp_path / "a.mp4", clip(3, 0)), "out": tmp_path / "out"} | options
    with pytest.raises(error, match=message) as caught:
        explain(given.pop("model"), given.pop("clip"), quiet=True, **given)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_frames_in_memory_are_explained(model, tmp_path):
    pixels = kinoscope.Video(film(tmp_path / "a.mp4", clip(3, 0))).read().pixels
    video = kinoscope.Video.from_frames(pixels, rate=RATE, name="mine")
    for source, name in ((pixels, "frames"), (video, "mine")):
        done = explain(str(model), source, out=tmp_path / name, method="grad-cam", quiet=True)
        assert (done.source, type(done.source), len(done.written)) == (name, str, 4)
