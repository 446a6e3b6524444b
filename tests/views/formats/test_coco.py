import contextlib
import io

import numpy as np
import pytest

from kinoscope.views.formats.coco import coco, write
from kinoscope.views.timeline import Timeline


def _read(path):
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    with contextlib.redirect_stdout(io.StringIO()):
        return tools.COCO(str(path))


def test_pycocotools_reads_every_box(half_minute, tmp_path):
    write(half_minute, tmp_path / "coco.json")
    read = _read(tmp_path / "coco.json")
    assert len(read.imgs) == len(half_minute.times)
    assert len(read.anns) == sum(len(track.boxes) for track in half_minute.all_tracks)
    for number, track in enumerate(half_minute.all_tracks, 1):
        mine = [one for one in read.loadAnns(read.getAnnIds()) if one["track_id"] == number]
        times = [read.imgs[one["image_id"]]["time"] for one in mine]
        np.testing.assert_allclose(times, track.boxes[:, 0], atol=1e-6)
        boxes = np.array([one["bbox"] for one in mine])
        np.testing.assert_allclose(boxes[:, :2] + boxes[:, 2:], track.boxes[:, 3:5], atol=0.011)
        kind = read.loadCats(mine[0]["category_id"])[0]
        assert (kind["supercategory"], kind["name"]) == (track.task, track.label)


def test_the_golden_plain_form(golden):
    plain = coco(golden)
    assert plain["images"][2] == {
        "id": 3,
        "file_name": "straße/000003.jpg",
        "width": 128,
        "height": 112,
        "video_id": 1,
        "frame_index": 2,
        "time": 11.0,
    }
    assert plain["annotations"][0] == {
        "id": 1,
        "image_id": 3,
        "category_id": 1,
        "track_id": 1,
        "video_id": 1,
        "bbox": [18.0, 20.0, 40.0, 80.0],
        "area": 3200.0,
        "iscrowd": 0,
        "score": 0.9,
    }
    assert [(track["id"], track["of_task"], track["identity"]) for track in plain["tracks"]] == [
        (1, 1, "Zoë 你好"),
        (2, 1, None),
        (3, 2, None),
    ]


def test_without_frame_times_the_images_are_those_with_boxes(golden):
    golden.times = np.zeros(0)
    assert [image["id"] for image in coco(golden)["images"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    golden.all_tracks = golden.all_tracks[:1]
    assert [image["id"] for image in coco(golden)["images"]] == [3, 4, 5]


def test_an_empty_timeline(tmp_path):
    write(Timeline(), tmp_path / "coco.json")
    assert _read(tmp_path / "coco.json").anns == {}
