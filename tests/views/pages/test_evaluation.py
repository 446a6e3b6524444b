import base64
import hashlib
import json
import re

import cv2
import numpy as np
import pytest

from kinoscope.views.console.evaluation import headline, print_comparison, print_scores, remarks, verdict
from kinoscope.views.pages.evaluation import render, write_evaluation

HOSTILE = '</script><img src=x onerror="alert(1)"><!-- {{script}} &amp; \u2028'


def scores(classes=("cat", HOSTILE), **facts):
    """Plain scores: three clips of each class, of which one of the second is taken for the first."""
    bins = [[2.0, 0.75, 0.5], [4.0, 0.95, 1.0]] + [[0.0, None, None]] * 8
    top = [[classes[0], 0.7], [classes[1], 0.3]]
    clips = [
        {
            "path": f"{'a' if number < 3 else 'b'}/{number}.mp4",
            "group": "",
            "actual": [classes[number // 3]],
            "predicted": [classes[0 if number == 5 else number // 3]],
            "right": number != 5,
            "loss": 1.5 if number == 5 else 0.1,
            "top": top,
        }
        for number in (5, 0, 1, 2, 3, 4)
    ]
    row = {"precision": 0.9, "average_precision": 0.95, "low": 0.5, "high": 1.0}
    plain = {
        "schema": 1,
        "classes": list(classes),
        "multilabel": False,
        "groups": 6,
        "measures": {"top1": {"value": 5 / 6, "low": 0.5, "high": 1.0, "uniform": 0.5, "majority": 0.5}},
        "by_class": [{"name": name, "clips": 3, "recall": 1 - i / 3, **row} for i, name in enumerate(classes)],
        "confusion": [[3, 0], [1, 2]],
        "calibration": {"temperature": 2.0, "before": 0.2, "after": 0.1, "bins_before": bins, "bins_after": bins},
        "clips": clips,
        "unreadable": {HOSTILE: HOSTILE},
        "model": HOSTILE,
        "data": "clips",
        "split": "test",
        "views": 3,
        "notes": [HOSTILE],
    }
    return plain | facts


COMPARISON = {
    "first": "old",
    "second": HOSTILE,
    "clips": 6,
    "measures": {"top1": {"first": 0.5, "second": 5 / 6, "difference": 1 / 3, "low": 0.1, "high": 0.6}},
    "only_first": [],
    "only_second": ["a/0.mp4", "a/1.mp4"],
    "p": 0.5,
}


def film():
    """Six frames side by side, each of a shade of its own."""
    pixels = np.repeat(np.arange(0, 240, 40, dtype=np.uint8), 40)[None].repeat(30, 0)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def embedded(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_the_page_holds_what_it_is_given():
    data = embedded(render(scores(), {"a/0.mp4": b"jpeg"}, COMPARISON))
    assert data["scores"] == scores()
    assert data["images"] == {"a/0.mp4": base64.b64encode(b"jpeg").decode()}
    assert data["comparison"] == COMPARISON | {"verdict": verdict(COMPARISON)}
    assert embedded(render(scores()))["comparison"] is None


def test_the_page_asks_nothing_of_a_network_and_runs_only_our_script():
    page = render(scores(), {}, COMPARISON)
    markup = page[: page.index('id="data"')]
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|url\((?!data:)|@import', markup)
    assert "default-src 'none'" in markup
    script = re.search(r'<script type="module">(.*)</script>', page, re.S)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img src=x" not in page


def test_it_is_given_in_words(capsys):
    assert (
        headline(scores(model="m", groups=2)) == "m on clips, 6 clips of 2 classes, split test, 2 groups, 3 views each"
    )
    assert remarks(scores(notes=["a note"], unreadable={"x": "why"})) == [
        "calibration error 20.0 %, 10.0 % with temperature 2",
        "1 clip could not be read (not counted), such as x: why",
        "a note",
    ]
    print_scores(scores(classes=("[red]", "b"), model="m"))
    print_comparison(COMPARISON | {"second": "new"})
    printed = capsys.readouterr().out
    for words in ("83.3 %", "50.0 – 100.0", "[red]", "+33.3 points (95 %: +10.0 to +60.0)", "not significant"):
        assert words in printed


def test_what_has_no_value_is_a_dash(capsys):
    none = {"value": None, "low": None, "high": None, "uniform": None, "majority": None}
    print_scores(scores(measures={"map": none}, model="m"))
    assert capsys.readouterr().out.count("–") >= 4
    nothing = {"first": None, "second": None, "difference": None, "low": None, "high": None}
    print_comparison(COMPARISON | {"measures": {"map": nothing}, "p": None})
    assert "difference undefined" in capsys.readouterr().out


@pytest.fixture
def see(visit, tmp_path):
    """Open a page of scores."""

    def see(plain, comparison=None, **options):
        write_evaluation(plain, tmp_path / "report.html", {"b/5.mp4": film()}, comparison)
        return visit(tmp_path / "report.html", **options)

    return see


@pytest.mark.slow
def test_the_browser_shows_scores_beside_chance(see):
    page = see(scores(), COMPARISON)
    measures = page.inner_text("#measures")
    for words in ("83.3 %", "95 %: 50.0 – 100.0 %", "chance 50.0 %", "most frequent 50.0 %", "of 6 clips, 1 more"):
        assert words in measures.replace("\n", "")
    assert page.text_content("#name") == f"{HOSTILE} on clips"
    assert "+33.3 points (+10.0 to +60.0)" in page.inner_text("#comparison")
    assert "0.1" not in page.inner_text("#calibration-text")
    assert "20.0 %, and 10.0 %" in page.inner_text("#calibration-text")
    assert page.locator("#diagram .point").count() == 2


@pytest.mark.slow
def test_a_click_on_the_confusion_shows_its_clips(see):
    page = see(scores())
    assert page.locator(".clip").count() == 1  # misclassified
    page.click('.cell[aria-label*="predicted as cat: 1 of 3"]')
    assert page.inner_text(".clip .path") == "b/5.mp4"
    page.click('.cell[aria-label*="cat predicted as cat: 3 of 3"]')
    assert page.locator(".clip").count() == 3
    assert page.locator('.cell[aria-pressed="true"]').count() == 1
    page.click("#filters button:first-child")
    assert page.locator('.cell[aria-pressed="true"]').count() == 0
    page.click("#filters >> text=all")
    assert page.locator(".clip .path").all_inner_texts()[0] == "b/5.mp4"
    assert page.locator(".clip").count() == 6


def test_the_clips_that_one_model_classifies_correctly_alone_are_shown(see):
    page = see(scores(), COMPARISON)
    page.click("#only button:first-child")
    assert page.locator(".clip .path").all_inner_texts() == ["a/0.mp4", "a/1.mp4"]
    assert page.locator("#only button").nth(1).is_disabled()


@pytest.mark.slow
def test_classes_are_sorted_by_a_click(see):
    page = see(scores(classes=("b", "a")))
    names = lambda: page.locator("#classes tbody td:first-child").all_inner_texts()  # noqa: E731
    assert names() == ["b", "a"]
    page.click("#classes >> text=class")
    assert names() == ["a", "b"]
    page.click("#classes >> text=class")
    assert names() == ["b", "a"]
    page.click("#classes >> text=recall >> nth=0")
    assert names() == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_moving_sideways(see, scheme):
    classes = tuple(f"a class with a rather long name {i}" for i in range(20))
    counts = (np.eye(20, dtype=int) * 5).tolist()
    rows = [{**scores()["by_class"][0], "name": name} for name in classes]
    plain = scores(classes=classes, confusion=counts, by_class=rows)
    page = see(plain, COMPARISON, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(16, 17, 20)") == (scheme == "dark")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground


def test_many_labels_have_no_confusion(see):
    page = see(scores(confusion=[], multilabel=True))
    assert not page.is_visible("#confusion")
    assert page.is_visible("#calibration")
