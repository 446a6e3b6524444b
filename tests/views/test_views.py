"""The contract of every view: a new row of the table is tested without a word here."""

import resource
import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinoscope.core import optional
from kinoscope.core.errors import MissingExtra, OutputError, PluginError
from kinoscope.views import registry
from kinoscope.views.registry import VIEWS
from kinoscope.views.timeline import Timeline
from tests.helpers.strategies import timelines

OPTIONAL = {"parquet": "pyarrow", "otio": "opentimelineio"}
each = pytest.mark.parametrize("name", VIEWS)


@pytest.fixture
def view(name):
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], reason=f"{OPTIONAL[name]} is not installed")
    return VIEWS[name]


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_plugin_that_is_no_format_is_refused(monkeypatch):
    entries = {"chapters": EntryPoint("chapters", "builtins:dict", registry.PLUGINS)}
    monkeypatch.setattr(registry, "plugins", lambda group: entries)
    monkeypatch.setattr("kinoscope.core.plugins.plugins", lambda group: entries)
    with pytest.raises(PluginError, match=r"plugin chapters of kinoscope\.views is no View; update its package"):
        registry.find_view("chapters")


@each
def test_the_same_timeline_yields_the_same_bytes(view, half_minute, tmp_path):
    for folder in ("a", "b"):
        view.write(half_minute, tmp_path / folder / view.filename)
    first, second = _files(tmp_path / "a"), _files(tmp_path / "b")
    assert first
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


@each
def test_writing_changes_nothing_in_the_timeline(view, golden, tmp_path):
    before = golden.to_dict()
    view.write(golden, tmp_path / view.filename)
    assert golden.to_dict() == before


@each
def test_an_empty_timeline_is_written(view, tmp_path):
    view.write(Timeline(), tmp_path / view.filename)
    assert _files(tmp_path)


@pytest.mark.parametrize("name", sorted(VIEWS))
@settings(max_examples=10)
@given(data=st.data())
def test_any_timeline_is_written_as_utf8(tmp_path_factory, name, data):
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], reason=f"{OPTIONAL[name]} is not installed")
    path = tmp_path_factory.getbasetemp() / f"any-{name}"
    VIEWS[name].write(data.draw(timelines()), path)
    for file in _files(path) or [path]:
        if file.suffix != ".parquet":
            file.read_text("utf-8")


@each
def test_a_write_that_fails_half_way_leaves_nothing(view, half_minute, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
        with pytest.raises(OutputError) as caught:
            view.write(half_minute, tmp_path / view.filename)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value).startswith(f"cannot write {tmp_path / view.filename}")
    assert "\n" not in str(caught.value)
    assert _files(tmp_path) == []


@each
def test_a_file_in_the_way_of_the_folder_is_one_line(view, golden, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        view.write(golden, tmp_path / "file" / view.filename)


@pytest.mark.parametrize(("name", "package"), OPTIONAL.items())
def test_a_missing_package_is_named_with_its_extra(name, package, golden, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra) as caught:
        VIEWS[name].write(golden, tmp_path / "x")
    assert str(caught.value) == f"{package} is not installed; run: pip install 'kinoscope[export]'"
    assert _files(tmp_path) == []


def test_need_returns_the_module():
    assert optional.require_extra("json", "export").loads("1") == 1


def test_importing_the_views_is_light():
    heavy = ("pyarrow", "opentimelineio", "cv2", "av", "torch", "rich", "safetensors", "jsonschema")
    code = f"import sys, kinoscope.views.registry as v; print([m for m in {heavy} if m in sys.modules], len(v.VIEWS))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == f"[] {len(VIEWS)}\n"


def test_the_names_of_the_files_are_apart():
    assert len({view.filename for view in VIEWS.values()}) == len(VIEWS)
    assert np.all([view.about for view in VIEWS.values()])
