from __future__ import annotations

import json

import pytest

import kinoscope


def test_a_model_is_exported_by_its_folder(tiny, tmp_path):
    model = tiny()
    result = kinoscope.export(model, format="torchscript", out=tmp_path / "m.pt")
    assert isinstance(result, kinoscope.ExportResult)
    assert (result.source, result.format, result.status) == (str(model), "torchscript", 0)
    assert result.written == [tmp_path / "m.pt"]
    plain = result.to_dict()
    assert list(plain) == ["export", "format", "inputs", "outputs", "differences", "metadata", "written"]
    assert json.loads(json.dumps(plain)) == plain
    assert plain["differences"] == {"embedding": 0.0, "logits": 0.0}


def test_the_command_line_prints_files_and_axes(kinoscope, tiny, tmp_path):
    model, target = tiny(), tmp_path / "m.xml"
    call = kinoscope("export", model, "--format", "openvino", "-o", target)
    lines = call.out.splitlines()
    assert (call.status, call.err) == (0, "")
    assert lines[:3] == [
        str(target), str(tmp_path / "m.bin"),
        "  input   pixels uint8 (batch any, time 4, height 12, width 16, channels 3)",
    ]  # fmt: skip
    assert [line.partition(";")[0] for line in lines[3:]] == [
        "  output  embedding float32 (batch any, 3)", "  output  logits float32 (batch any, 3)"
    ]  # fmt: skip
    assert json.loads(kinoscope("export", model, "--format", "openvino", "-o", target, "--json").out)["written"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "tflite", "-o", "m.pt"], "tflite"), (["--format", "onnx", "-o", "m.pt"], "does not end in .onnx"),
        (["-o", "m.pt"], "--format"), (["--format", "onnx"], "--out"),
    ],
)  # fmt: skip
def test_an_error_is_one_line(kinoscope, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    call = kinoscope("export", "nanodet", *words)
    assert (call.status, call.out, call.err.count("\n")) == (2, "", 1)
    assert message in call.err
