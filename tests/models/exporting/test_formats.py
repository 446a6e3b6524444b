from __future__ import annotations

from pathlib import Path

import pytest

from kinoscope.core.errors import OptionError
from kinoscope.models.exporting.formats import FORMATS, find_format


@pytest.mark.parametrize(
    ("name", "path", "files"),
    [
        ("onnx", "a/m.onnx", ["m.onnx"]),
        ("openvino", "m.XML", ["m.XML", "m.bin"]),
        ("torchscript", "m.v2.pt", ["m.v2.pt"]),
    ],
)
def test_files_follow_from_the_path(name, path, files):
    assert [file.name for file in FORMATS[name].files(Path(path))] == files


@pytest.mark.parametrize("path", ["m", "m.pt", "m.onnx.gz", "folder/", ".onnx"])
def test_another_suffix_is_refused(path):
    with pytest.raises(
        OptionError, match=r"does not end in \.onnx, the suffix of onnx; give a path such as model\.onnx"
    ):
        FORMATS["onnx"].files(Path(path))


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(OptionError, match=r"there is no format 'onx'; did you mean onnx\? known: onnx, openvino, tor"):
        find_format("onx")
