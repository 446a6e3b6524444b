import cv2
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.core.sampling import Sampling
from kinoscope.imaging.augment import Augment
from kinoscope.training.data.dataset import Dataset
from kinoscope.training.data.preview import preview
from tests.helpers.clips import example, write_clip

SAMPLING = Sampling(4, 5, (16, 12))


def test_each_clip_stands_above_what_becomes_of_it(tmp_path):
    clips = tuple(example(write_clip(tmp_path / f"{n}.mkv", 10, shade=50 * n), "ab"[n % 2]) for n in range(4))
    path = preview(Dataset("/d", clips, ("a", "b")), tmp_path / "out" / "preview.png", SAMPLING, Augment(), clips=3)
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 4 * 130 + 2
    assert picture.shape[0] == pytest.approx(9 * (96 + 2 + 22), abs=9)


def test_unreadable_clips_are_left_out(tmp_path):
    (tmp_path / "text.mp4").write_text("text")
    broken, whole = example(tmp_path / "text.mp4"), example(write_clip(tmp_path / "a.mkv", 10))
    assert preview(Dataset("/d", (broken, whole), ("a",)), tmp_path / "a.png", SAMPLING, Augment()).exists()
    with pytest.raises(DatasetError, match="none of the 1 clips can be read"):
        preview(Dataset("/d", (broken,), ("a",)), tmp_path / "b.png", SAMPLING, Augment())
