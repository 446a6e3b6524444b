"""``--like`` with the real networks, on images whose similarity is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinoscope.core.errors import SourceError, WeightsMissing
from kinoscope.core.media import Frame
from kinoscope.pipeline.image_query import image_queries
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.video import shapes


def draw(path: Path, seed: int) -> Path:
    """Write an image of large coloured squares."""
    squares = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    pixels = squares.repeat(40, 0).repeat(40, 1)
    with Writer(path.with_name(f"{path.stem}-%d.png"), (240, 160)) as writer:
        writer.write(Frame(pixels, 0))  # type: ignore[arg-type]
    return path.with_name(f"{path.stem}-0.png")


@pytest.mark.models
@pytest.mark.slow
def test_images_are_matched_by_scene_and_object_and_no_face_is_invented(tmp_path: Path) -> None:
    try:
        scene, thing = image_queries(str(draw(tmp_path / "a.png", 1)))
        again, _ = image_queries(str(draw(tmp_path / "b.png", 1)))
        other, _ = image_queries(str(draw(tmp_path / "c.png", 2)))
    except WeightsMissing as missing:
        pytest.skip(str(missing))
    assert [(like.space, like.vector.shape) for like in (scene, thing)] == [
        ("scenes", (1280,)),
        ("appearance", (1544,)),
    ]
    assert scene.model == "efficientnet-lite0"

    def distance(one: np.ndarray, two: np.ndarray) -> float:
        return 1 - float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))

    assert distance(scene.vector, again.vector) < 1e-5 < distance(scene.vector, other.vector)


def test_a_moment_of_a_video_is_taken_by_its_time(tmp_path: Path) -> None:
    from kinoscope.pipeline.image_query import _read_frame

    video = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "shapes.mp4", lossless=True)
    first, later = _read_frame(str(video)), _read_frame(f"{video}@1.5")
    assert np.array_equal(first, _read_frame(f"{video}@0"))
    assert not np.array_equal(first, later)


def test_unreadable_images_are_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        image_queries(str(tmp_path / "nothing.jpg"))
