from __future__ import annotations

import os
from pathlib import Path

import pytest

from kinoscope.core.untrusted import MAX_JSON_DEPTH, is_sha256, parse_json, read_json, read_regular, resolve_inside


@pytest.mark.parametrize("name", ["a/b", "./a", "a/../b", "ä b"])
def test_a_path_inside_is_resolved(tmp_path: Path, name: str) -> None:
    assert resolve_inside(tmp_path, name) == (tmp_path / name).resolve()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a\0b", "link/x"])
def test_a_path_outside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"."):
        resolve_inside(tmp_path / "in", name)


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 1000, 100_000])
@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
def test_json_nested_too_deep_is_refused(pair: tuple[str, str], depth: int) -> None:
    text = pair[0] * depth + "1" + pair[1] * depth
    with pytest.raises(ValueError, match="nested deeper than 64 levels"):
        parse_json(text)


def test_json_at_its_limit_is_read() -> None:
    assert parse_json("[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH)
    with pytest.raises(ValueError, match="NaN is not a JSON number"):
        parse_json('{"a": NaN}')


def test_only_regular_files_of_some_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"1" * 11)
    for name, why in (("pipe", "not a regular file"), ("large", "larger than 1e-05 MB")):
        with pytest.raises(ValueError, match=why):
            read_regular(tmp_path / name, 10)
    with pytest.raises(IsADirectoryError):
        read_json(tmp_path)


@pytest.mark.parametrize(("text", "right"), [("a" * 64, True), ("A" * 64, False), ("a" * 64 + "\n", False), (1, False)])
def test_digests_are_64_hex_digits(text: object, right: bool) -> None:
    assert is_sha256(text) is right
