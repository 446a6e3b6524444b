import pytest
from hypothesis import given, settings

from kinoscope.views.formats import parquet
from kinoscope.views.formats.tables import BOX_COLUMNS, EVENT_COLUMNS, box_rows, event_rows
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines

reader = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


@pytest.mark.slow
@settings(max_examples=30)
@given(timelines())
def test_every_row_comes_back_typed(tmp_path_factory, timeline):
    folder = tmp_path_factory.getbasetemp() / "any-parquet"
    parquet.write(timeline, folder)
    events = reader.read_table(folder / "events.parquet").to_pylist()
    boxes = reader.read_table(folder / "tracks.parquet").to_pylist()
    assert events == [dict(zip(EVENT_COLUMNS, row, strict=True)) for row in event_rows(timeline)]
    assert boxes == [dict(zip(BOX_COLUMNS, row, strict=True)) for row in box_rows(timeline)]


def test_the_types_are_there_without_rows_too(tmp_path):
    parquet.write(Timeline(), tmp_path)
    schema = reader.read_schema(tmp_path / "tracks.parquet")
    assert {name: str(schema.field(name).type) for name in schema.names} == {
        **dict.fromkeys(("task", "label", "identity", "extra"), "string"),
        **dict.fromkeys(("time", "x1", "y1", "x2", "y2", "score"), "double"),
        "id": "int64",
    }


def test_rows_are_written_in_groups(half_minute, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_SIZE", 100)
    parquet.write(half_minute, tmp_path)
    file = reader.ParquetFile(tmp_path / "tracks.parquet")
    rows = sum(len(track.boxes) for track in half_minute.all_tracks)
    assert file.metadata.num_rows == rows
    assert file.num_row_groups == -(-rows // 100)
    file.close()
