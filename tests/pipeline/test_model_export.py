"""Export of models: every format holds the same network and says the same, and nothing is left of what fails."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from kinoscope.core.errors import MissingExtra, ModelError, OptionError, OutputError, OutputExists, WeightsMissing
from kinoscope.models.exporting import openvino as openvino_format
from kinoscope.models.trainable.generators import GeneratorMetadata, new_generator, save_generator
from kinoscope.models.trainable.predictors import PredictorMetadata, new_predictor, save_predictor
from kinoscope.pipeline import model_export
from kinoscope.pipeline.model_export import export_model

CLASSES = ("røt", "绿色\x1b", 'blå "<&>" 🎬')
SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt"}
CLIPS = np.random.default_rng(0).integers(0, 256, (5, 4, 12, 16, 3), np.uint8)


def left(folder: Path) -> list[str]:
    """Return the names of the files in a folder, but for the manifest."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != ".kinoscope.jsonl")


@pytest.fixture
def no_onnx(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)


@pytest.mark.parametrize("form", SUFFIXES)
def test_a_file_runs_elsewhere_and_says_what_it_holds(tiny, tmp_path, form):
    if form == "onnx":
        pytest.importorskip("onnx", reason="needs the extra onnx")
    model, target = tiny(classes=CLASSES), tmp_path / "out" / f"m{SUFFIXES[form]}"
    result = export_model(model, form, target)
    names = ["m.bin", "m.xml"] if form == "openvino" else [target.name]
    assert left(target.parent) == sorted(path.name for path in result.written) == names
    logits, metadata = RUN[form](target, CLIPS)
    wanted = CLIPS.mean((1, 2, 3)) / 255 * 8
    np.testing.assert_allclose(logits, wanted, atol=1e-4)
    assert json.loads(metadata["labels"]) == list(CLASSES)
    assert metadata["licence"] == "your own"
    assert metadata["rate"] == "4.0"
    assert metadata["preprocessing"].startswith("uint8 RGB")
    assert metadata["kinoscope"]
    assert metadata == result.metadata
    assert list(map(str, result.outputs)) == ["embedding float32 (batch any, 3)", "logits float32 (batch any, 3)"]
    assert max(result.differences.values()) <= 1e-3


def run_onnx(path, clips):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    properties = onnx.load(str(path)).metadata_props
    session = runtime.InferenceSession(str(path))
    assert session.get_inputs()[0].shape == ["batch", 4, 12, 16, 3]
    return session.run(["logits"], {"pixels": clips})[0], {one.key: one.value for one in properties}


def run_openvino(path, clips):
    import openvino

    model = openvino.Core().read_model(path)
    info = {key: value.astype(str) for key, value in model.get_rt_info("kinoscope").astype(dict).items()}
    return openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})({"pixels": clips})["logits"], info


def run_torchscript(path, clips):
    extra = {"kinoscope.json": ""}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the age of torch.jit
        net = torch.jit.load(str(path), _extra_files=extra)
        return net(torch.from_numpy(clips))[1].numpy(), json.loads(extra["kinoscope.json"])


RUN = {"onnx": run_onnx, "openvino": run_openvino, "torchscript": run_torchscript}


@pytest.mark.parametrize("network", ["convlstm", "simvp"])
def test_a_predictor_takes_any_size(tmp_path, network):
    metadata = PredictorMetadata(network=network, context=3, horizon=2, rate=10.0, size=16, width=4)
    save_predictor(tmp_path, new_predictor(metadata), metadata)
    result = export_model(tmp_path, "openvino", tmp_path / "p.xml")
    assert str(result.inputs[0]) == (
        "pixels uint8 (batch any, time 3, height a multiple of 4, width a multiple of 4, channels 3)"
    )
    assert str(result.outputs[0]) == (
        "frames float32 (batch any, time 2, height a multiple of 4, width a multiple of 4, channels 3)"
    )


@pytest.mark.parametrize("network", ["video-gan", "mocogan"])
def test_a_generator_returns_frames(tmp_path, network):
    width = {"video-gan": 4, "mocogan": 8}[network]
    metadata = GeneratorMetadata(network=network, width=width, size=64, frames=5, rate=12.5, classes=("disc",))
    save_generator(tmp_path, new_generator(metadata), metadata)
    result = export_model(tmp_path, "openvino", tmp_path / "g.xml")
    assert [spec.name for spec in result.inputs] == ["content", "motion", "labels", "times"]
    assert str(result.outputs[0]) == "clips float32 (batch any, time 5, height 64, width 64, channels 3)"


def test_the_model_as_an_object_is_exported(tiny, tmp_path):
    from kinoscope.pipeline.model_loading import load

    result = load(str(tiny())).export("torchscript", tmp_path / "m.pt")
    assert result.written == [tmp_path / "m.pt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nanodte", "no model is called nanodte, .* did you mean nanodet"),
        ("whisper-tiny.en", r"whisper-tiny\.en cannot be exported: another library runs its files as they are \(model"),
        ("ppocr-v4-det", "`kinoscope models pull ppocr-v4-det` puts them into"),
    ],
)
def test_a_model_that_cannot_be_exported_is_named(tmp_path, name, message):
    with pytest.raises((OptionError, ModelError), match=message) as error:
        export_model(name, "torchscript", tmp_path / "m.pt")
    assert "\n" not in str(error.value)
    assert left(tmp_path) == []


def test_folders_without_an_exportable_model_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty is no trained model: it has no model\.json"):
        export_model(tmp_path / "empty", "torchscript", tmp_path / "m.pt")
    (tmp_path / "empty" / "model.json").write_text('{"task": "lipsync"}')
    with pytest.raises(
        ModelError, match="trained to lipsync, which cannot be exported; give a model of: classify, gen"
    ):
        export_model(tmp_path / "empty", "torchscript", tmp_path / "m.pt")
    assert left(tmp_path) == ["model.json"]


def test_a_format_or_a_path_that_does_not_fit_is_refused(tiny, tmp_path):
    with pytest.raises(OptionError, match="there is no format 'tflite'; known: onnx, openvino, torchscript"):
        export_model(tiny(), "tflite", tmp_path / "m.tflite")
    with pytest.raises(OptionError, match=r"m does not end in \.pt, the suffix of torchscript"):
        export_model(tiny(), "torchscript", tmp_path / "m")
    with pytest.raises(OutputError, match="is an address, and results are written to files"):
        export_model(tiny(), "torchscript", "http://host/m.pt")


def test_what_is_in_the_way_stays(tiny, tmp_path):
    model = tiny()
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(OutputError, match="it is a folder; give the path of a file"):
        export_model(model, "torchscript", tmp_path / "folder.pt")
    (tmp_path / "m.bin").write_text("mine")
    with pytest.raises(OutputExists, match=r"m\.bin is in the way"):
        export_model(model, "openvino", tmp_path / "m.xml")
    assert (tmp_path / "m.bin").read_text() == "mine"
    assert not (tmp_path / "m.xml").exists()


def test_an_export_is_replaced_by_one_of_the_same_model(tiny, tmp_path):
    first, second, target = tiny("first"), tiny("second", sharpness=4.0), tmp_path / "out" / "m.pt"
    for _ in range(2):
        export_model(first, "torchscript", target)
    with pytest.raises(OutputExists, match="is a result of `export first`; give --overwrite to replace it"):
        export_model(second, "torchscript", target)
    export_model(second, "torchscript", target, overwrite=True)
    assert RUN["torchscript"](target, CLIPS)[0].max() < 4


def test_outputs_that_differ_leave_nothing(tiny, tmp_path, monkeypatch):
    run = openvino_format.run_openvino
    monkeypatch.setattr(openvino_format, "run_openvino", lambda *all: [[a, b + 0.5] for a, b in run(*all)])
    message = (
        r"^model as openvino is not what it is in torch: output logits differs by 0\.\d+, and 0\.001 is allowed; "
        r"nothing was written: choose onnx, torchscript$"
    )
    with pytest.raises(ModelError, match=message):
        export_model(tiny(), "openvino", tmp_path / "out" / "m.xml")
    assert left(tmp_path / "out") == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), RuntimeError("broken")])
def test_an_interruption_or_a_full_disk_leaves_nothing(tiny, tmp_path, monkeypatch, error):
    def fail(*_, **__):
        raise error

    model, out = tiny(), tmp_path / "out"
    monkeypatch.setattr("openvino.save_model", fail)
    kind = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OutputError
    with pytest.raises(kind, match=None if kind is KeyboardInterrupt else r"m\.bin: the disk is full; free some space"):
        export_model(model, "openvino", out / "m.xml")
    assert [path.name for path in out.iterdir()] == []


def test_a_missing_package_names_its_extra(tiny, tmp_path, no_onnx):
    with pytest.raises(MissingExtra, match=r"onnx is not installed; run: pip install 'kinoscope\[onnx\]'"):
        export_model(tiny(), "onnx", tmp_path / "out" / "m.onnx")
    assert not (tmp_path / "out").exists()


def test_missing_weights_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KINOSCOPE_OFFLINE", "1")
    monkeypatch.delenv("KINOSCOPE_MODELS", raising=False)
    with pytest.raises(WeightsMissing, match="weights of nanodet are missing"):
        export_model("nanodet", "openvino", tmp_path / "out" / "m.xml")
    assert not (tmp_path / "out").exists()


def test_the_files_of_the_model_are_never_replaced(tiny, tmp_path):
    model = tiny()
    os.link(model / "model.safetensors", model / "m.pt")
    with pytest.raises(OutputExists, match=r"m\.pt is an input, which is never replaced"):
        export_model(model, "torchscript", model / "m.pt", overwrite=True)


def test_every_task_of_a_folder_is_one_that_is_loaded():
    from kinoscope.pipeline.model_loading import FOLDER_CLASSES

    assert model_export.FOLDER_SOURCES.keys() == FOLDER_CLASSES.keys()


class Unusual(torch.nn.Module):
    """A network with an operation that neither OpenVINO nor ONNX has."""

    maps = torch.nn.Identity()

    def __init__(self, classes: int, sharpness: float) -> None:
        super().__init__()

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values = pixels.float().mean((1, 2, 3))
        return values, torch.special.bessel_j0(values)


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_network_without_a_counterpart_is_refused_in_one_line(tiny, tmp_path, monkeypatch, form):
    if form == "onnx":
        pytest.importorskip("onnx", reason="needs the extra onnx")
    model = tiny()
    monkeypatch.setattr("kinoscope.models.formats.trained_model.build_network", lambda *_: Unusual(3, 1.0))
    monkeypatch.setattr("kinoscope.models.formats.trained_model.build_with_weights", lambda build, _: build())
    with pytest.raises(
        ModelError, match=f"model cannot be written as {form} \\(.*bessel.*\\); choose another"
    ) as error:
        export_model(model, form, tmp_path / "out" / f"m{SUFFIXES[form]}")
    assert "\n" not in str(error.value)
    assert left(tmp_path / "out") == []
