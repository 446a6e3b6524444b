from pathlib import Path

import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.training.data.dataset import Example
from kinoscope.training.data.grouping import group_by

ROOT = Path("/data")


def groups(rule, *names):
    examples = [Example(f"/data/{name}", (name.split("/")[0],)) for name in names]
    return [example.group for example in group_by(examples, rule, ROOT)]


def test_blocks_of_neighbours_in_each_class():
    names = [f"{label}/c{number}.mp4" for label in "ab" for number in range(5)]
    assert groups("place//2", *names) == ["0", "0", "1", "1", "2"] * 2


def test_the_number_in_the_name():
    assert groups("number//8", "0/00000007.jpg", "1/00000008.jpg", "1/x2_70.mp4") == ["0", "1", "8"]
    assert groups("number", "0/007.jpg", "1/7.jpg") == ["7", "7"]


def test_a_pattern():
    assert groups(r"(person\d+)", "run/person2_a.avi", "jump/person13.avi") == ["person2", "person13"]
    assert groups(r"([^/]+)/[^/]+$", "run/anna/1.mp4", "run/ben/2.mp4") == ["anna", "ben"]
    assert groups(r"p(\d+)//10", "run/p9.mp4", "run/p12.mp4") == ["0", "1"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [("24", r"group=24 is not valid; give index//24 \(blocks"),
     ("place//0", r"group=place//0 is not valid"),
     ("person", r"group=person has 0 parentheses, and one is needed; give"),
     ("(a", r"group=\(a is no regular expression \(.*\); give"),
     (r"(\d+)_", r"a/b.mp4 does not match group=\(\\d\+\)_; give"),
     ("number", r"a/b.mp4 has no number to group by; give"),
     ("(b)//2", r"group=\(b\)//2 divides a number, but the key of a/b.mp4 is 'b'; give")],
)  # fmt: skip
def test_rules_that_cannot_be(rule, message):
    with pytest.raises(DatasetError, match=message):
        groups(rule, "a/b.mp4")
