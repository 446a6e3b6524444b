"""The page of a search, in a real browser, opened from disk, with a video beside it."""

import cv2
import numpy as np
import pytest

from kinoscope.source.synthetic.video import shapes
from kinoscope.views.pages.search import render, write_search_page

HOSTILE = '</script><img src=x onerror="alert(1)">'


def jpeg():
    return cv2.imencode(".jpg", np.full((90, 160, 3), 128, np.uint8))[1].tobytes()


def known(name="street.mp4"):
    def clip(video, start, end, score):
        why = [{"what": f"person at {start}", "start": start, "end": end, "score": score}]
        return {"video": video, "start": start, "end": end, "score": score, "why": why}

    videos = [{"name": name, "path": f"/films/{name}", "film": "film.mp4"}, {"name": "b", "path": "/b", "film": None}]
    clips = [clip(0, 1.0, 2.0, 0.9), clip(1, 70.0, 3675.5, 0.8), clip(0, 0.5, 0.7, 0.7)]
    return {"title": "person", "library": "films.lance", "count": 5, "videos": videos, "clips": clips}


def test_no_name_can_break_out_of_the_page():
    page = render(known(HOSTILE), {})
    assert page.count("</script>") == 2
    assert "<img" not in page


@pytest.fixture
def page(visit, tmp_path):
    shapes(duration=3, rate=10, width=64, height=48).write(tmp_path / "film.mp4")
    write_search_page(known(), {0: jpeg(), 1: jpeg()}, tmp_path / "search.html")
    return visit(tmp_path / "search.html")


AT_ONE_SECOND = """new Promise((done) => {
  const video = document.getElementById("video");
  const look = () => (video.currentTime >= 1 ? done(video.currentTime) : setTimeout(look, 20));
  look();
})"""


def test_every_moment_has_a_card(page):
    assert page.inner_text("#name") == "person"
    assert page.inner_text("#metadata").split("\n") == ["3 moments in 2 videos", "of 5 in films.lance"]
    assert [badge.inner_text() for badge in page.query_selector_all(".badge")] == [
        "0:01.0 – 0:02.0", "1:10.0 – 1:01:15.5", "0:00.5 – 0:00.7",
    ]  # fmt: skip
    assert page.locator(".still img").count() == 2
    assert page.locator(".clip").nth(0).locator(".why").inner_text().split("\n")[0] == "person at 1.0"


def test_a_moment_plays_from_its_start(page):
    page.locator(".clip").nth(0).click()
    assert page.evaluate(AT_ONE_SECOND) >= 1
    assert page.inner_text("#now") == "street.mp4"
    assert page.locator(".clip").nth(0).get_attribute("aria-current") == "true"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("kinoscope.now.clip") == 1
    assert "cannot play" in page.inner_text("#now-note")
    page.keyboard.press("Escape")
    assert not page.is_visible("#player")


def test_a_chip_shows_one_video(page):
    page.get_by_role("button", name="b 1").click()
    assert page.evaluate("kinoscope.shownClips()") == [1]
    assert page.inner_text("#count") == "1 of 3"


def test_nothing_found_says_so(visit, tmp_path):
    write_search_page({**known(), "clips": [], "videos": []}, {}, tmp_path / "search.html")
    assert visit(tmp_path / "search.html").inner_text(".empty") == "No matches in the library."


def test_small_screens_need_no_sideways_scrolling(visit, tmp_path):
    write_search_page(known("a-very-long-name-of-a-video-file-that-does-not-fit.mp4"), {}, tmp_path / "search.html")
    page = visit(tmp_path / "search.html", viewport={"width": 380, "height": 700})
    page.locator(".clip").nth(1).click()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
