"""Runs and tables from a stranger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from kinoscope.core.errors import DatasetError, KinoscopeError
from kinoscope.training.checkpoint import read_checkpoint
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.data.activitynet import read_annotations
from kinoscope.training.evaluation.scores import load_scores
from kinoscope.training.logging import read_log
from kinoscope.training.options import read_saved_options

NESTED = "[" * 1000 + "]" * 1000


def read_options(path: Path) -> Any:
    return read_saved_options(path, ClassificationOptions)


@pytest.mark.parametrize("read", [read_options, read_log, load_scores, read_annotations])
@pytest.mark.parametrize("text", [NESTED, f'{{"options": {NESTED}, "database": {NESTED}}}'])
def test_json_nested_a_thousand_deep_is_one_line(tmp_path: Path, read: Any, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(KinoscopeError, match=r"^[^\n]*nested deeper than 64 levels[^\n]*$"):
        read(tmp_path / "file.json")


@pytest.mark.parametrize("header", [NESTED, "7", "{}", '{"schema": "new"}'])
def test_a_checkpoint_with_another_header_is_one_line(tmp_path: Path, header: str) -> None:
    path = tmp_path / "last.safetensors"
    path.write_bytes(save({"a": np.zeros(1, np.float32)}, {"kinoscope": header}))
    with pytest.raises(KinoscopeError, match=r"^[^\n]*is no checkpoint, or damaged[^\n]*$"):
        read_checkpoint(path)


@pytest.mark.parametrize("line", ["[1]", "{}", '{"epoch": "x"}', "1"])
def test_a_log_whose_lines_are_no_rows_is_one_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "log.jsonl").write_text(f'{{"epoch": 1}}\n{line}\n')
    with pytest.raises(KinoscopeError, match=r"^[^\n]*log.jsonl is damaged[^\n]*$"):
        read_log(tmp_path / "log.jsonl")


@pytest.mark.parametrize("plain", [[], 7, {"options": [1]}, {"data": "x"}, {"options": {}, "data": ["x"]}])
def test_saved_options_that_are_none_are_one_line(tmp_path: Path, plain: Any) -> None:
    (tmp_path / "options.json").write_text(json.dumps(plain))
    with pytest.raises(KinoscopeError, match=r"^[^\n]*options.json is damaged \((it has no|the name)[^\n]*$"):
        read_options(tmp_path / "options.json")


@pytest.mark.parametrize("name", ["../outside.mp4", "/etc/hostname", "a/../../outside.mp4"])
def test_a_table_names_no_video_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "outside.mp4").touch()
    (folder / "inside.mp4").touch()
    table = folder / "table.json"
    table.write_text(json.dumps({"database": {"a": {"annotations": [], "path": "inside.mp4"}}}))
    assert read_annotations(table)[0].path == str(folder / "inside.mp4")
    table.write_text(json.dumps({"database": {"a": {"annotations": [], "path": name}}}))
    with pytest.raises(DatasetError, match="lies outside"):
        read_annotations(table)
