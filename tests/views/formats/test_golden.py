"""Every format of text, byte for byte. Where a change is meant, run golden/make_golden.py and check the difference."""

from pathlib import Path

import pytest

from tests.views.formats.golden.make_golden import HERE, write

GOLDEN = sorted(str(f.relative_to(HERE)) for f in HERE.rglob("*") if f.is_file() and f.suffix not in (".py", ".pyc"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    pytest.importorskip("opentimelineio", reason="opentimelineio is not installed")
    folder = tmp_path_factory.mktemp("golden")
    write(folder)
    return folder


@pytest.mark.parametrize("name", GOLDEN)
def test_the_file_is_as_before(made, name):
    assert (made / name).read_bytes() == (HERE / name).read_bytes()


def test_no_file_is_missing(made):
    files = [f for f in made.rglob("*") if f.is_file() and f.name != ".kinoscope.jsonl"]
    assert sorted(str(Path(f).relative_to(made)) for f in files) == GOLDEN
