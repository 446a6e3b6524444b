"""Whole explanations, and the files that are written."""

import json
import sys

import av
import cv2
import numpy as np
import pytest

from kinoscope.api.explain import explain
from kinoscope.core.errors import MissingExtra, ModelError, OptionError, SourceError
from kinoscope.explanation.explain import METHODS
from kinoscope.explanation.explain import explain as explain_clip
from kinoscope.models.formats.trained_model import TrainedModel
from kinoscope.views.video.heatmap import colormap, explanation_frames, overlay_heatmaps
from tests.helpers.toy_networks import CLASSES, FRAMES, NETWORKS, RATE, SAMPLING, SIDE, clip, film, save_toy, toy

FACTS = TrainedModel(task="classify", network="toy-conv3d", classes=CLASSES, sampling=SAMPLING)
FAST = [name for name in METHODS if name != "occlusion"]
TIMES = np.arange(FRAMES) / RATE


@pytest.fixture
def model(monkeypatch, tmp_path):
    """Folder of a trained model."""
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", NETWORKS)
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    return save_toy(tmp_path / "model", "toy-conv3d")


@pytest.mark.slow
def test_an_explanation_has_all_its_parts():
    pytest.importorskip("captum")
    net, calls = toy("toy-conv3d").train(), []
    found = explain_clip(
        net,
        FACTS,
        clip(2, 1).pixels,
        TIMES,
        methods=FAST,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert (found.label, found.target) == ("down", 1)
    assert found.probability > 0.9
    assert list(found.maps) == list(found.faithfulness) == list(found.sanity) == FAST
    for one in found.maps.values():
        assert (one.shape, one.dtype, one.max()) == ((FRAMES, SIDE, SIDE), np.dtype(np.float32), 1)
        assert one.min() >= 0
    assert found.faithful("grad-cam")
    assert found.sane("grad-cam")
    assert found.attention is None
    assert calls[-1][0] == calls[-1][1] == len(calls)
    assert net.training
    assert all(weight.requires_grad for weight in net.parameters())


def test_the_attention_of_a_network_is_returned():
    found = explain_clip(toy("toy-cnn-gru"), FACTS, clip(2, 1, apart=True).pixels, TIMES, methods=["grad-cam"])
    assert found.attention.sum() == pytest.approx(1)
    assert found.to_dict()["attention"] == pytest.approx(found.attention, abs=1e-6)


def test_unknown_names_are_reported_with_the_nearest():
    net, frames = toy("toy-conv3d"), clip(0).pixels
    with pytest.raises(OptionError, match=r"^there is no method 'gradcam'; did you mean grad-cam\? known: grad-cam, "):
        explain_clip(net, FACTS, frames, TIMES, methods=["gradcam"])
    with pytest.raises(OptionError, match=r"^there is no class 'acros'; did you mean across\? known: across, down$"):
        explain_clip(net, FACTS, frames, TIMES, target="acros")
    with pytest.raises(OptionError, match="no method is given; choose from grad-cam"):
        explain_clip(net, FACTS, frames, TIMES, methods=[])


def test_a_missing_package_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtra, match=r"captum is not installed; run: pip install 'kinoscope\[explain\]'"):
        explain_clip(toy("toy-conv3d"), FACTS, clip(0).pixels, TIMES, methods=["occlusion"])


def test_another_class_is_explained_when_asked_for():
    found = explain_clip(toy("toy-conv3d"), FACTS, clip(2, 1).pixels, TIMES, target="across", methods=["grad-cam"])
    assert (found.label, found.probability < 0.1) == ("across", True)


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
        assert [float(frame.time) for frame in video.decode(video=0)] == pytest.approx(TIMES, abs=1e-3)
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


def test_an_overlay_changes_only_the_pixels_above_zero():
    pictures = np.full((1, 8, 8, 3), 100, np.uint8)
    hot = np.zeros((1, 8, 8), np.float32)
    hot[0, 2, 3] = 1
    drawn = overlay_heatmaps(pictures, hot, 1.0)
    assert (drawn[0, 2, 3] == colormap()[255]).all()
    assert (np.delete(drawn.reshape(-1, 3), 8 * 2 + 3, 0) == 100).all()


def test_the_overlay_has_a_frame_for_each_frame_of_the_clip():
    found = explain_clip(toy("toy-conv3d"), FACTS, clip(2, 1).pixels, TIMES, methods=["grad-cam"])
    frames = explanation_frames(found, clip(2, 1).pixels)
    assert len(frames) == FRAMES
    assert frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    assert len({frame.tobytes() for frame in frames[:, -100:]}) == FRAMES  # the cursor moves
