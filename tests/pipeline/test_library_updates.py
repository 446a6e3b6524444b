"""What identifies the videos that are added to a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from kinoscope.core.errors import LibraryError
from kinoscope.pipeline.library_updates import content_hash


def test_folders_of_images_are_known_by_all_their_content_and_streams_are_not(tmp_path: Path) -> None:
    for name, content in (("a.png", b"1"), ("b.png", b"2")):
        (tmp_path / name).write_bytes(content)
    first = content_hash(str(tmp_path))
    (tmp_path / "b.png").write_bytes(b"3")
    assert content_hash(str(tmp_path)) != first
    with pytest.raises(LibraryError, match="is no file"):
        content_hash("rtsp://camera/1")
