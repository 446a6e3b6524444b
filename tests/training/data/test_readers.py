import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.training.data.readers import read_dataset


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def table(root, *lines, name="clips.csv"):
    (root / name).write_text("\n".join(lines) + "\n", "utf-8")
    return root / name


def found(dataset, root):
    return [(os.path.relpath(example.path, root), *example.labels) for example in dataset.examples]


def test_class_folders_in_natural_order(tmp_path):
    make(tmp_path, "run/10.mp4", "run/9.mkv", "jump/a b é.avi", "run/notes.txt", "run/.hidden.mp4", "README.md")
    dataset = read_dataset(tmp_path)
    assert found(dataset, tmp_path) == [("jump/a b é.avi", "jump"), ("run/9.mkv", "run"), ("run/10.mp4", "run")]
    assert dataset.classes == ("jump", "run")
    assert not dataset.multilabel
    assert dataset.root == str(tmp_path)
    assert {example.split for example in dataset.examples} == {None}


def test_strips_and_folders_of_frames(tmp_path):
    make(tmp_path, "0/1.jpg", "1/clip/000.png", "1/clip/001.png", "1/deep/er/2.mp4")
    assert found(read_dataset(tmp_path), tmp_path) == [("0/1.jpg", "0"), ("1/clip", "1"), ("1/deep/er/2.mp4", "1")]


def test_strips_in_folders_below_a_class_are_clips_of_their_own(tmp_path):
    for name in ("walk/ann/1.png", "walk/ann/2.png", "walk/bob/1.png", "run/frames/1.png", "run/frames/2.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((16, 20 if "frames" in name else 64, 3), np.uint8))
    (tmp_path / "run" / "mixed").mkdir()
    cv2.imwrite(str(tmp_path / "run" / "mixed" / "poster.png"), np.zeros((16, 64, 3), np.uint8))
    (tmp_path / "run" / "mixed" / "a.mp4").write_bytes(b"x")
    names = {str(Path(one.path).relative_to(tmp_path)) for one in read_dataset(tmp_path).examples}
    assert names == {
        "walk/ann/1.png", "walk/ann/2.png", "walk/bob/1.png", "run/frames", "run/mixed/a.mp4", "run/mixed/poster.png",
    }  # fmt: skip


def test_split_folders(tmp_path):
    make(tmp_path, "train/a/1.mp4", "train/b/2.mp4", "Validation/a/3.mp4", "test/b/4.mp4")
    dataset = read_dataset(tmp_path)
    assert [(Path(one.path).name, one.split) for one in dataset.examples] == [
        ("4.mp4", "test"), ("1.mp4", "train"), ("2.mp4", "train"), ("3.mp4", "val"),
    ]  # fmt: skip
    assert dataset.classes == ("a", "b")


def test_a_class_may_be_called_train(tmp_path):
    make(tmp_path, "train/1.mp4", "bus/2.mp4")
    assert read_dataset(tmp_path).classes == ("bus", "train")


def test_links_that_lead_back_are_not_followed(tmp_path):
    make(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "self").symlink_to("self")
    (tmp_path / "b" / "up").symlink_to("..")
    # From `b` the whole tree is seen once more through `up`, but without end it is not.
    names = [name for name, _ in found(read_dataset(tmp_path), tmp_path)]
    assert names[0] == "a/1.mp4"
    assert "b/2.mp4" in names
    assert len(names) < 10


def test_a_table(tmp_path):
    make(tmp_path, "clips/one.mp4", "clips/two, three.mp4")
    path = table(
        tmp_path, "path,label,start,end,group,split", "clips/one.mp4,run,0.5,0:01.5,anna,train",
        '"clips/two, three.mp4",jump,,,,valid', f"{tmp_path}/clips/one.mp4, run ,2,,anna,",
    )  # fmt: skip
    one, two, three = read_dataset(path).examples
    assert (one.path, one.labels, one.start, one.end, one.group, one.split) == (
        f"{tmp_path}/clips/one.mp4", ("run",), 0.5, 1.5, "anna", "train",
    )  # fmt: skip
    assert (two.labels, two.start, two.end, two.group, two.split) == (("jump",), None, None, "", "val")
    assert (three.path, three.labels, three.start, three.split) == (one.path, ("run",), 2.0, None)


def test_tables_of_other_programs(tmp_path):
    make(tmp_path, "a.mp4")
    (tmp_path / "x.csv").write_bytes("﻿path,label\r\na.mp4,é\r\n".encode())
    assert read_dataset(tmp_path / "x.csv").classes == ("é",)
    assert read_dataset(table(tmp_path, "path\tlabel", "a.mp4\tb", name="x.tsv")).classes == ("b",)


def test_several_labels(tmp_path):
    make(tmp_path, "a.mp4", "b.mp4", "c.mp4")
    dataset = read_dataset(table(tmp_path, "path,label", "a.mp4,run|jump", "b.mp4,run", "c.mp4,"))
    assert [example.labels for example in dataset.examples] == [("run", "jump"), ("run",), ()]
    assert dataset.classes == ("jump", "run")
    assert dataset.multilabel


def test_groups_by_a_rule(tmp_path):
    make(tmp_path, *(f"{label}/c{number}.mp4" for label in "ab" for number in range(4)))
    dataset = read_dataset(tmp_path, group="place//2")
    assert [example.group for example in dataset.examples] == ["0", "0", "1", "1"] * 2


def test_kinetics(tmp_path, caplog):
    make(tmp_path, "train/riding/-abc_000010_000020.mp4", "full/xyz.webm")
    path = table(
        tmp_path, "label,youtube_id,time_start,time_end,split", "riding,-abc,10,20,train", "riding,gone,1,2,train",
        '"yoga, slow",xyz,3,13,validate',
    )  # fmt: skip
    one, two = read_dataset(path).examples
    assert (Path(one.path).name, one.start, one.end, one.group, one.split) == (
        "-abc_000010_000020.mp4", None, None, "-abc", "train",
    )  # fmt: skip
    assert (Path(two.path).name, two.labels, two.start, two.end, two.split) == (
        "xyz.webm", ("yoga, slow",), 3, 13, "val",
    )  # fmt: skip
    assert "1 of the 3 clips in" in caplog.text


def refused(path, message, **options):
    with pytest.raises(DatasetError) as caught:
        read_dataset(path, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).replace(f"{path.parent}/", "") == message


def test_nothing_there(tmp_path):
    make(tmp_path, "clips/a/1.mp4", "text.txt")
    refused(tmp_path / "clipz", "clipz does not exist; did you mean clips?")
    refused(tmp_path / "else" / "where", "where does not exist; check the path")
    refused(
        tmp_path / "text.txt",
        "text.txt is neither a folder nor a .csv; give a folder with one folder for each class, or a table",
    )


def test_no_clips(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    refused(root, "data holds no clips; make a folder for each class and put its clips there, or give a .csv")
    make(root, "1.mp4", "2.mp4")
    refused(root, "data holds 2 clips but no class folders; put the clips of each class in a folder of its own")
    make(root, "a/readme.txt")
    refused(root, "data holds no clips: its class folders have no video, strip or folder of frames in them")


def test_empty_classes(tmp_path):
    root = make(tmp_path / "data", "a/1.mp4", "b/x.txt")
    refused(root, "class b is empty in data; put clips there, or remove the folder")
    (root / "c").mkdir()
    refused(root, "classes b, c are empty in data; put clips there, or remove the folder")


def test_empty_classes_in_split_folders(tmp_path):
    root = make(tmp_path / "data", "train/a/1.mp4", "val/a/2.mp4", "train/b/x.txt")
    refused(root, "class b is empty in data; put clips there, or remove the folder")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,labl", "a.mp4,x"],
         "x.csv has no column label and has an unknown column labl (did you mean label?); "
         "the columns are path, label, start, end, group, split"),
        (["path,label,colour", "a.mp4,x,red"],
         "x.csv has an unknown column colour; the columns are path, label, start, end, group, split"),
        (["path,label", "a.mp4,x", "b.mp4,x"],
         "1 of the 2 clips in x.csv do not exist, the first in line 3: b.mp4; "
         "paths are relative to the table's folder"),
        (["path,label"], "x.csv names no clips; give a row for each, below the columns path,label"),
        (["path,label", "a.mp4,"], "line 2 of x.csv has no label; name the class of a.mp4"),
        (["path,label", ",x"], "line 2 of x.csv has no path; name the clip"),
        (["path,label,start", "a.mp4,x,soon"],
         "line 2 of x.csv: time 'soon' is not understood; give seconds (12.5, 0.6s) or a clock (00:01:02.500)"),
        (["path,label,start,end", "a.mp4,x,2,1"], "line 2 of x.csv: end 1 s is not after start 2 s"),
        (["path,label,split", "a.mp4,x,mine"],
         "line 2 of x.csv: split mine is unknown; choose train, val or test, or leave it empty"),
        (["path,label", "a.mp4,x,y"],
         "x.csv has other than 2 fields in line 2; put a field with commas in double quotes"),
        (["label,youtube_id,time_start,time_end,split", "x,abc,1,2,train"],
         "none of the 1 clips in x.csv is below .; they are searched for as abc_000010_000020.mp4 or abc.mp4"),
        (["label,youtube_id,time_start", "x,abc,1"],
         "x.csv has no column time_end; the columns are label, youtube_id, time_start, time_end, split"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_read(tmp_path, monkeypatch, lines, message):
    make(tmp_path, "a.mp4")
    monkeypatch.chdir(tmp_path)
    table(tmp_path, *lines, name="x.csv")
    with pytest.raises(DatasetError) as caught:
        read_dataset("x.csv")
    assert str(caught.value) == message


def test_a_table_in_another_encoding(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"path,label\na.mp4,\xe9\n")
    with pytest.raises(DatasetError, match=r"x.csv cannot be read as a table \(.*\); save it as CSV in UTF-8"):
        read_dataset(tmp_path / "x.csv")


def test_a_folder_that_may_not_be_read(tmp_path):
    folder = make(tmp_path, "a/1.mp4") / "a"
    folder.chmod(0)
    try:
        if os.access(folder, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(DatasetError, match="Permission denied; check its permissions"):
            read_dataset(tmp_path)
    finally:
        folder.chmod(0o700)
