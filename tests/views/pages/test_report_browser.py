"""The report in a real browser, opened from disk beside a small video whose every box is known."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.views.pages.report import write_report
from kinoscope.views.timeline import Timeline
from tests.helpers.timelines import sample

pytestmark = pytest.mark.slow

WIDTH, HEIGHT, RATE, COUNT, SIDE = 320, 240, 10, 40, 48
HOSTILE = '<script>alert(1)<!--<img src=x onerror="alert(1)">'


def box(frame):
    """The square's place in a frame: it moves 5 px a frame, and jumps down at the cut after two seconds."""
    x, y = 20 + 5 * frame, 40 if frame < 20 else 150
    return x, y, x + SIDE, y + SIDE


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the video and a report of it."""
    folder = tmp_path_factory.mktemp("report")
    with av.open(folder / "a #1.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "bf": "0", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(COUNT):
            pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            x1, y1, x2, y2 = box(i)
            pixels[y1:y2, x1:x2] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    write_report(known(), folder / "report.html", "a #1.mp4")
    return folder


def known(start=0.0):
    """What is in the video, on a clock that begins at ``start``."""
    square = np.array([[start + i / RATE, *box(i), 1.0] for i in range(COUNT)])
    words = [[start + 0.2, start + 0.6, "a", 1], [start + 0.6, start + 1.4, "square", 1]]
    timeline = Timeline(
        source={"path": "a #1.mp4", "width": WIDTH, "height": HEIGHT, "rate": "10", "duration": 4.0, "start": start},
        events=[
            Event("shots", start, start + 2, "shot"),
            Event("shots", start + 2, start + 4, "shot"),
            Event("scenes", start, start + 2, "street", extra={"top": [["street", 0.6], ["kitchen", 0.2]]}),
            Event("scenes", start + 2, start + 4, "library", extra={"top": [["library", 0.6]]}),
            Event("speech", start + 0.2, start + 1.4, "speech", text="a square", extra={"words": words}),
            Event("actions", start + 2.5, start + 3.5, "fight", 0.9),
        ],
        tracks=[Track(7, "objects", "square", 0.9, square), Track(1, "faces", "face", 0.9, square[:10], "person 1")],
        version="0.1.0",
    )
    timeline.tasks = {
        "objects": TaskReport(model="nanodet-416", licence="Apache-2.0", frames=COUNT),
        "sync": TaskReport(status="skipped", reason="the source has no sound"),
        "faces": TaskReport(status="failed", reason="ValueError: no <weights>"),
    }
    return timeline


@pytest.fixture
def page(visit, folder):
    """The report of the known video, with its first frame on screen."""
    page = visit(folder / "report.html", viewport={"width": 1280, "height": 1400})
    until(page, "document.getElementById('video').readyState >= 3")
    return page


def until(page, condition):
    """Wait until a condition holds in the page; Playwright's own way needs eval, which the page forbids."""
    page.evaluate(
        """() => new Promise((done, fail) => {
          const latest = performance.now() + 20000;
          const look = () => {
            if (CONDITION) done();
            else if (performance.now() > latest) fail(new Error("it never came true"));
            else requestAnimationFrame(look);
          };
          look();
        })""".replace("CONDITION", condition)
    )


def go(page, time):
    """Seek, and wait until that frame is on screen and drawn over."""
    page.evaluate("time => kinoscope.seek(time)", time)
    until(page, f"!kinoscope.player.clock.video.seeking && Math.abs(kinoscope.overlayTime() - {time}) < 0.1")


def now(page):
    return page.evaluate("kinoscope.player.clock.time")


def picture(page, selector):
    """(H, W, 3) BGR pixels of a part of the page."""
    return cv2.imdecode(np.frombuffer(page.locator(selector).screenshot(), np.uint8), cv2.IMREAD_COLOR)


def overlay_pixel(page, x, y):
    """The colour drawn over a place given in pixels of the video, as the clearest one within 1 px of the screen."""
    return page.evaluate(
        """([x, y]) => {
          const canvas = document.getElementById("overlay");
          const [left, top] = [x * canvas.width / 320, y * canvas.height / 240].map(Math.round);
          const { data } = canvas.getContext("2d").getImageData(left - 1, top, 3, 1);
          return [0, 4, 8].map((i) => [...data.slice(i, i + 4)]).sort((a, b) => b[3] - a[3])[0];
        }""",
        [x, y],
    )


def colour_of(page, hue):
    return page.evaluate(
        """(hue) => {
          const pen = new OffscreenCanvas(1, 1).getContext("2d");
          pen.fillStyle = kinoscope.hueColour(hue);
          pen.fillRect(0, 0, 1, 1);
          return [...pen.getImageData(0, 0, 1, 1).data];
        }""",
        hue,
    )


def test_it_plays_and_stops(page):
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "kinoscope.player.clock.time > 0.3")
    page.get_by_role("button", name="Pause", exact=True).click()
    assert page.evaluate("kinoscope.player.clock.paused")


@pytest.mark.parametrize("frame", [3, 12, 25])
def test_the_box_is_drawn_where_the_square_is(page, frame):
    go(page, (frame + 0.5) / RATE)
    x1, y1, x2, y2 = box(frame)
    hue = page.evaluate("kinoscope.items.find((item) => item.track?.id === 7).hue")
    assert np.abs(np.subtract(overlay_pixel(page, x1, (y1 + y2) / 2), colour_of(page, hue))).max() <= 40
    assert overlay_pixel(page, (x1 + x2) / 2, (y1 + y2) / 2)[3] == 0
    seen = picture(page, "#viewport")
    scale = seen.shape[1] / WIDTH
    inside = seen[int((y1 + 10) * scale) : int((y2 - 10) * scale), int((x1 + 10) * scale) : int((x2 - 10) * scale)]
    assert inside.min() > 200


@pytest.mark.parametrize("frame", [0, 19, 20, 39])
def test_boxes_at_a_time_are_the_known_ones(page, frame):
    boxes = page.evaluate("time => kinoscope.boxesAt(time).map(({ item, box }) => [item.task, box])", frame / RATE)
    objects = [found for task, found in boxes if task == "objects"]
    assert np.abs(np.subtract(objects, [box(frame)])).max() <= 1
    assert ("faces" in [task for task, _ in boxes]) == (frame < 10)


def test_a_source_that_begins_later_is_shown_on_the_players_clock(visit, folder):
    write_report(known(start=20.0), folder / "later.html", "a #1.mp4")
    page = visit(folder / "later.html")
    assert page.evaluate("kinoscope.boxesAt(1.5)[0].box") == pytest.approx(box(15), abs=1)


def test_a_click_on_a_lane_goes_there(page):
    row = page.evaluate("kinoscope.rows.find((row) => row.task === 'objects')")
    page.locator("#lanes").click(position={"x": page.evaluate("kinoscope.timeToX(3)"), "y": row["top"] + 8})
    assert now(page) == pytest.approx(3, abs=0.02)
    until(page, "Math.abs(kinoscope.overlayTime() - 3) < 0.11")
    assert page.locator(".object.selected").count() == 1


def test_hovering_a_lane_shows_what_is_there(page):
    row = page.evaluate("kinoscope.rows.find((row) => row.task === 'speech')")
    page.locator("#lanes").hover(position={"x": page.evaluate("kinoscope.timeToX(1)"), "y": row["top"] + 12})
    assert "a square" in page.locator("#tip").inner_text()


def test_lanes_zoom_and_move_and_show_all_again(page):
    place = page.locator("#lanes").bounding_box()
    page.locator("#lanes").hover(position={"x": place["width"] / 2, "y": 60})
    place = page.locator("#lanes").bounding_box()
    page.mouse.wheel(0, -400)
    until(page, "kinoscope.view.end - kinoscope.view.start < 3")
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 2 + 100, place["y"] + 60, steps=3)
    page.mouse.up()
    assert page.evaluate("(kinoscope.view.start + kinoscope.view.end) / 2") < 1.9
    assert now(page) == 0
    page.get_by_role("button", name="Show all").click()
    assert page.evaluate("[kinoscope.view.start, kinoscope.view.end]") == [0, 4]


def test_the_search_filters_lists_and_counts(page):
    page.get_by_label("Search all results").fill("LIBRARY")
    assert page.locator("#hits").inner_text() == "2 matches"
    assert page.locator(".panel-body .shot").count() == 1
    assert page.locator(".panel-body mark").inner_text() == "library"
    page.keyboard.press("Enter")
    assert now(page) == pytest.approx(2, abs=0.01)
    page.keyboard.press("Escape")
    assert page.locator("#hits").inner_text() == ""
    assert page.locator(".panel-body .shot").count() == 2


def test_lists_have_all_kinds_and_go_there(page):
    counts = page.locator(".tab small").all_inner_texts()
    assert counts == ["2", "1", "1", "1", "1"]
    page.get_by_role("tab", name="Events").click()
    page.locator(".event").click()
    assert now(page) == pytest.approx(2.5, abs=0.01)
    page.keyboard.press(" ")
    until(page, "!kinoscope.player.clock.paused && kinoscope.player.clock.time > 2.55")
    page.keyboard.press(" ")
    until(page, "document.querySelector('.banner')?.textContent === 'fight 90 %'")


@pytest.mark.parametrize("width", [1000, 1280, 1440, 1600, 1920])
def test_every_tab_is_seen_whole_however_much_was_found(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('.tab small').forEach((count) => { count.textContent = '12345'; })")
    tabs = page.locator("#tabs").bounding_box()
    for name in ("Shots", "Objects", "People", "Transcript", "Events"):
        tab = page.get_by_role("tab", name=name).bounding_box()
        assert tabs["x"] <= tab["x"]
        assert tab["x"] + tab["width"] <= tabs["x"] + tabs["width"] + 0.5


def test_events_are_listed_beside_the_video_and_hide_none_of_it(page):
    go(page, 3)
    until(page, "document.querySelector('.banner')?.textContent === 'fight 90 %'")
    banner, picture = (page.locator(name).bounding_box() for name in (".banner", "#viewport"))
    assert banner["y"] + banner["height"] <= picture["y"]


def test_the_transcript_follows_the_words(page):
    page.get_by_role("tab", name="Transcript").click()
    go(page, 0.45)
    assert page.locator(".word.said").all_inner_texts() == ["a"]
    assert page.locator("#subtitle").inner_text() == "a square"
    go(page, 1.05)
    assert page.locator(".word.said").all_inner_texts() == ["a", "square"]
    go(page, 1.75)
    assert page.locator(".word").count() == 0
    assert page.locator("#subtitle").is_hidden()


def test_a_layer_can_be_hidden(page):
    go(page, 1.55)
    x1, y1, _, y2 = box(15)
    assert overlay_pixel(page, x1, (y1 + y2) / 2)[3] > 200
    button = page.get_by_role("button", name="Objects")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert overlay_pixel(page, x1, (y1 + y2) / 2)[3] == 0


def test_the_keyboard_controls_it(page):
    go(page, 1.05)
    page.keyboard.press(".")
    until(page, "Math.abs(kinoscope.overlayTime() - 1.1) < 0.001")
    page.keyboard.press(",")
    until(page, "Math.abs(kinoscope.overlayTime() - 1.0) < 0.001")
    page.keyboard.press(",")
    until(page, "Math.abs(kinoscope.overlayTime() - 0.9) < 0.001")
    page.keyboard.press("Shift+ArrowRight")
    assert now(page) == pytest.approx(1.91, abs=0.02)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    assert now(page) == pytest.approx(2, abs=0.01)
    page.keyboard.press(" ")
    until(page, "!kinoscope.player.clock.paused")
    page.keyboard.press("k")
    until(page, "kinoscope.player.clock.paused")
    page.keyboard.press("/")
    page.keyboard.type("k")
    assert page.get_by_label("Search all results").input_value() == "k"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keyboard").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog", name="Keyboard").is_hidden()


def test_all_that_can_be_pressed_has_a_name(page):
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, input, select, canvas, [role]")]
          .filter((e) => e.id !== "overlay" && !e.ariaLabel && !e.textContent.trim() && !e.labels?.length
            && !e.getAttribute("aria-labelledby")).map((e) => e.outerHTML)"""
    )
    assert [html for html in unnamed if 'id="tip"' not in html] == []


def test_what_ran_and_what_did_not_is_reported(page):
    notices = page.locator(".notice").all_inner_texts()
    assert [" ".join(text.split()) for text in notices] == [
        "sync skipped the source has no sound",
        "faces failed ValueError: no <weights>",
    ]
    assert "Apache-2.0" in page.locator("#task-table").inner_text()
    assert "kinoscope 0.1.0" in page.locator("#generator").inner_text()


def test_light_and_dark(visit, folder):
    page = visit(folder / "report.html", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(16, 17, 20)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) == "rgb(245, 245, 243)"


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_sticks_out_sideways(visit, folder, width, half_minute):
    write_report(half_minute, folder / "wide.html", None)
    page = visit(folder / "wide.html", viewport={"width": width, "height": 800})
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_text_is_only_text(visit, folder):
    timeline = known()
    timeline.source["path"] = HOSTILE
    timeline.all_events += [Event("speech", 2, 3, HOSTILE, text=HOSTILE), Event(HOSTILE, 0, 4, HOSTILE)]
    boxes = np.array([[0, 0, 0, 9, 9, 1], [4, 0, 0, 9, 9, 1]])
    timeline.all_tracks += [Track(9, "faces", HOSTILE, 1, boxes, HOSTILE)]
    timeline.tasks[HOSTILE] = TaskReport(status=HOSTILE, model=HOSTILE, reason=HOSTILE)
    write_report(timeline, folder / "hostile.html", "a #1.mp4")
    page = visit(folder / "hostile.html")
    go(page, 2.55)
    for tab in page.get_by_role("tab").all():
        tab.click()
    assert HOSTILE in page.title()
    assert page.locator("#name").inner_text() == HOSTILE
    assert page.locator("#subtitle").inner_text() == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 2


def test_without_a_video_all_else_works(visit, folder, half_minute):
    write_report(half_minute, folder / "still.html", None)
    page = visit(folder / "still.html")
    assert page.locator("#missing").is_visible()
    assert page.locator("#poster").is_visible()
    page.evaluate("kinoscope.seek(5)")
    assert page.evaluate("kinoscope.overlayTime()") == 5
    page.keyboard.press(".")
    assert page.evaluate("kinoscope.overlayTime()") == pytest.approx(5 + 1001 / 24000)
    page.keyboard.press(" ")
    until(page, "kinoscope.overlayTime() > 5.3")
    page.keyboard.press(" ")


def test_a_video_that_is_gone_can_be_chosen(visit, folder, browser):
    write_report(known(), folder / "gone.html", "gone.mp4")
    context = browser.new_context()
    page = context.new_page()
    page.goto((folder / "gone.html").as_uri())
    page.wait_for_selector("#missing:not([hidden])")
    page.set_input_files("#pick", folder / "a #1.mp4")
    until(page, "document.getElementById('video').readyState >= 3")
    go(page, 1.55)
    assert page.locator("#missing").is_hidden()
    context.close()


def test_nothing_found_is_shown_decently(visit, folder):
    write_report(Timeline(source={"path": "empty.mp4"}), folder / "empty.html", None)
    page = visit(folder / "empty.html")
    assert page.locator(".empty").inner_text() == "shots did not run, so there is nothing to list here."
    page.keyboard.press("+")
    page.keyboard.press(" ")


def test_times_out_of_all_measure_are_shown(visit, folder):
    track = Track(1, "objects", "car", 1, np.array([[-5, 0, 0, 9, 9, 1], [1e9, 0, 0, 9, 9, 1]]))
    timeline = Timeline(source={"width": 16, "height": 9}, events=[Event("shots", -1e3, 1e9, "shot")], tracks=[track])
    write_report(timeline, folder / "huge.html", None)
    page = visit(folder / "huge.html")
    page.evaluate("kinoscope.seek(9e8)")
    assert page.evaluate("kinoscope.boxesAt(9e8).length") == 1
    assert page.evaluate("kinoscope.boxesAt(0).length") == 1


def test_half_an_hour_opens_with_few_elements(visit, folder):
    write_report(sample(minutes=30), folder / "long.html", None)
    page = visit(folder / "long.html")
    assert page.evaluate("kinoscope.data.tracks.length") > 500
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.querySelectorAll('*').length") < 3000
    page.evaluate("kinoscope.seek(1500)")
    page.get_by_role("tab", name="Objects").click()
    page.locator("#panel-body").evaluate("list => list.scrollTo(0, list.scrollHeight)")
    until(page, "document.querySelectorAll('.object').length > 60")
    page.get_by_label("Search all results").fill("dog")
    assert page.locator(".object b").first.inner_text() == "dog"


def test_paper_is_light_and_has_the_whole_list(visit, folder):
    page = visit(folder / "report.html", color_scheme="dark")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("#stage").is_hidden()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.documentElement.dataset.theme") is None
