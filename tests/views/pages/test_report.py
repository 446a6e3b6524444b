import base64
import hashlib
import json
import re

import numpy as np
import pytest

from kinoscope.core.errors import OutputError
from kinoscope.core.results import Event, Track
from kinoscope.views.pages.report import render, write_report
from kinoscope.views.pages.report_data import report_data
from kinoscope.views.timeline import Timeline
from tests.helpers.timelines import sample

HOSTILE = '</script><img src=x onerror="alert(1)"><!-- {{script}} &amp; \u2028'


def embedded(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_the_page_holds_what_it_is_passed(half_minute):
    assert embedded(render(half_minute, "a.mp4")) == report_data(half_minute, "a.mp4")


def test_the_page_asks_nothing_of_a_network(half_minute):
    page = render(half_minute, None)
    markup = page[: page.index('id="data"')]
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|url\((?!data:)|@import', markup)
    assert "default-src 'none'" in markup


def test_only_our_script_may_run(half_minute):
    page = render(half_minute, None)
    script = re.search(r'<script type="module">(.*)</script>', page, re.S)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page
    assert page.count("<script") == 2


def test_hostile_text_cannot_leave_its_place():
    timeline = Timeline(
        source={"path": HOSTILE},
        events=[Event("speech", 0, 1, HOSTILE, text=HOSTILE), Event(HOSTILE, 0, 1, HOSTILE)],
        tracks=[Track(1, "objects", HOSTILE, 1, np.array([[0, 0, 0, 1, 1, 1]]), HOSTILE)],
    )
    page = render(timeline, HOSTILE)
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img src=x" not in page
    assert embedded(page)["tracks"][0]["label"] == HOSTILE


def test_half_an_hour_is_a_page_of_a_few_megabytes():
    assert len(render(sample(minutes=30), "a.mp4")) < 10_000_000


def test_the_file_is_written_whole(tmp_path, half_minute):
    write_report(half_minute, tmp_path / "report.html", None)
    assert (tmp_path / "report.html").read_text("utf-8") == render(half_minute, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".kinoscope.jsonl", "report.html"]


def test_a_path_that_cannot_be_written_is_reported(tmp_path, half_minute):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html"):
        write_report(half_minute, tmp_path / "report.html", None)


def test_nothing_found_is_a_page_too():
    assert embedded(render(Timeline(), None))["duration"] == 0
