import json
import os
import tracemalloc

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings

from kinoscope.core.errors import OutputError, TimelineError
from kinoscope.core.results import Event, Track
from kinoscope.views.formats.json import load, read, save, write
from kinoscope.views.formats.schema import timeline_schema
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines

VALIDATOR = jsonschema.Draft202012Validator(dict(timeline_schema()))


def test_everything_comes_back(golden, tmp_path):
    assert save(golden, tmp_path) == tmp_path / "timeline.json"
    for place in (tmp_path, tmp_path / "timeline.json", str(tmp_path)):
        again = load(place)
        assert again.to_dict() == golden.to_dict()
        assert again.images == golden.images
        np.testing.assert_array_equal(again.times, golden.times)
        np.testing.assert_array_equal(again.features["scenes.features"], golden.features["scenes.features"])
        assert list(again.features) == ["scenes.features"]


@pytest.mark.slow
@settings(max_examples=40)
@given(timelines())
def test_any_timeline_comes_back_and_fits_the_published_schema(tmp_path_factory, timeline):
    path = tmp_path_factory.getbasetemp() / "any.json"
    write(timeline, path)
    VALIDATOR.validate(json.loads(path.read_bytes()))
    assert read(path).to_dict() == json.loads(json.dumps(timeline.to_dict()))


def test_an_empty_timeline(tmp_path):
    save(Timeline(), tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".kinoscope.jsonl", "timeline.json"]
    assert load(tmp_path).to_dict() == Timeline().to_dict()


def test_a_long_timeline_needs_no_second_copy_in_memory(tmp_path):
    boxes = np.zeros((100, 6))
    small = Timeline(tracks=[Track(i, "objects", "person", 1.0, boxes) for i in range(2)])
    large = Timeline(tracks=[Track(i, "objects", "person", 1.0, boxes) for i in range(100)])

    def peak(timeline):
        tracemalloc.start()
        write(timeline, tmp_path / "timeline.json")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(small)  # what the first call imports does not count
    assert peak(large) < 1.5 * peak(small)


def test_saving_again_removes_what_is_no_longer_there(golden, tmp_path):
    save(golden, tmp_path)
    (tmp_path / "images" / "holiday.jpg").write_bytes(b"mine")
    golden.images = {"objects-2": b"new"}
    golden.features, golden.times = {}, np.zeros(0)
    save(golden, tmp_path)
    assert sorted(os.listdir(tmp_path / "images")) == [".kinoscope.jsonl", "holiday.jpg", "objects-2.jpg"]
    assert sorted(os.listdir(tmp_path)) == [".kinoscope.jsonl", "images", "timeline.json"]
    assert load(tmp_path).images == {"objects-2": b"new"}


def test_images_of_earlier_versions_are_read_from_their_folder(golden, tmp_path):
    save(golden, tmp_path)
    (tmp_path / "images").rename(tmp_path / "pictures")
    assert golden.images
    assert load(tmp_path).images == golden.images


def test_an_image_cannot_leave_its_folder(golden, tmp_path):
    golden.images = {"../evil": b""}
    with pytest.raises(OutputError, match=r"cannot write image '\.\./evil': its name is no file name"):
        save(golden, tmp_path)
    assert not (tmp_path / "evil.jpg").exists()
    assert not (tmp_path / "timeline.json").exists()


def test_numpy_values_in_extra_are_written_as_numbers(tmp_path):
    event = Event("shots", 0, 1, "shot", extra={"mean": np.float32(0.5), "curve": np.arange(3)})
    write(Timeline(events=[event]), tmp_path / "t.json")
    assert read(tmp_path / "t.json").all_events[0].extra == {"mean": 0.5, "curve": [0, 1, 2]}


def test_a_number_that_is_not_finite_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*t\.json: Out of range float values"):
        write(Timeline(events=[Event("shots", 0, 1, "shot", float("nan"))]), tmp_path / "t.json")
    assert os.listdir(tmp_path) == []


def _set(place, value):
    def change(plain):
        *path, last = place
        for key in path:
            plain = plain[key]
        if value is None:
            del plain[last]
        else:
            plain[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set(["events", 3, "end"], None), "events[3].end is missing"),
        (_set(["tracks"], None), "tracks is missing"),
        (_set(["tracks", 1, "boxes", 2], [1, 2, 3]), "tracks[1].boxes[2] is [1, 2, 3]; it must be a list of 6, not 3"),
        (_set(["tracks", 0, "boxes", 0, 1], "x"), 'tracks[0].boxes[0][1] is "x"; it must be number'),
        (_set(["tracks", 0, "id"], True), "tracks[0].id is true; it must be integer"),
        (_set(["tracks", 0, "identity"], 7), "tracks[0].identity is 7; it must be string or null"),
        (_set(["tasks", "shots", "status"], "fine"), "it must be one of ok, failed, skipped, interrupted, incomplete"),
        (_set(["decode", "frames"], -1), "decode.frames is -1; it must be at least 0"),
        (_set(["events", 0, "end"], 1.0), "event 'shot' of shots ends at 1.0 before its start 10.5"),
        (_set(["schema"], 0), "schema is 0; it must be 1"),
        (_set(["schema"], 2), "timeline schema 2 is newer than 1, which this version reads; update kinoscope"),
        (_set(["schema"], None), "schema is missing"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(golden, tmp_path, change, message):
    write(golden, tmp_path / "t.json")
    plain = json.loads((tmp_path / "t.json").read_bytes())
    change(plain)
    (tmp_path / "t.json").write_text(json.dumps(plain))
    with pytest.raises(TimelineError) as caught:
        read(tmp_path / "t.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"schema": NaN}', "NaN is not a JSON number"),
        (b"[]", "the file is []; it must be object"),
        (b"null", "the file is null; it must be object"),
    ],
)
def test_a_file_that_is_no_timeline(tmp_path, data, message):
    (tmp_path / "t.json").write_bytes(data)
    with pytest.raises(TimelineError) as caught:
        read(tmp_path / "t.json")
    assert message in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(TimelineError) as caught:
        load(tmp_path)
    wanted = "(no such file or directory); give a timeline.json that analyze wrote"
    assert str(caught.value) == f"cannot read {tmp_path / 'timeline.json'} {wanted}"


def test_invalid_features_are_named(golden, tmp_path):
    save(golden, tmp_path)
    (tmp_path / "features.safetensors").write_bytes(b"broken")
    with pytest.raises(TimelineError, match=r"cannot read .*features\.safetensors .*; remove it, or run analyze again"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["timeline.json", "features.safetensors", "images/shots-0.jpg"])
def test_a_stranger_s_results_lead_to_no_pipe_and_no_other_folder(golden, tmp_path, name):
    folder = tmp_path / "results"
    save(golden, folder)
    path = folder / name
    secret = tmp_path / "secret"
    secret.write_bytes(path.read_bytes() if path.exists() else b"\xff\xd8")
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(TimelineError, match="regular file"):
        load(folder)
    path.unlink()
    path.symlink_to(secret)
    if name != "timeline.json":  # which the user names
        with pytest.raises(TimelineError, match="lies outside"):
            load(folder)


def test_a_timeline_nested_a_thousand_deep_is_one_line(kinoscope, tmp_path):
    nested = "[" * 1000 + "]" * 1000
    (tmp_path / "timeline.json").write_text(f'{{"schema": 1, "source": {{"a": {nested}}}}}')
    call = kinoscope("convert", tmp_path, "--to", "csv")
    assert (call.status, call.err.count("\n"), "nested deeper" in call.err) == (2, 1, True)
