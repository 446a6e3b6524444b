"""Whole explanations, and their overlays."""

import sys

import numpy as np
import pytest

from kinoscope.core.errors import MissingExtra, OptionError
from kinoscope.explanation.explain import METHODS
from kinoscope.explanation.explain import explain as explain_clip
from kinoscope.models.formats.trained_model import TrainedModel
from kinoscope.views.video.heatmap import colormap, explanation_frames, overlay_heatmaps
from tests.helpers.toy_networks import CLASSES, FRAMES, RATE, SAMPLING, SIDE, clip, toy

FACTS = TrainedModel(task="classify", network="toy-conv3d", classes=CLASSES, sampling=SAMPLING)
FAST = [name for name in METHODS if name != "occlusion"]
TIMES = np.arange(FRAMES) / RATE


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
