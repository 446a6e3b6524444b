"""A library on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from kinoscope.views.console.library import print_videos


def test_the_folder_of_a_video_is_never_cut_off() -> None:
    folder = "/home/user/videos/of/last/summer/by/the/sea/and/in/the/mountains"
    row = {"path": f"{folder}/a.mp4", "duration": 2.0, "added": "2026-01-01T12:00", "id": "abcdef0123"}
    console = Console(file=io.StringIO(), width=80)
    print_videos([row], console)
    lines = console.file.getvalue().splitlines()[2:]  # type: ignore[attr-defined]
    assert "".join(line.split()[-1] for line in lines if line.strip()).endswith(folder)
