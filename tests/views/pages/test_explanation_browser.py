"""The page of an explanation in a real browser, opened from disk, of a clip with known heatmaps."""

import numpy as np
import pytest

from kinoscope.core.explanation import Explanation, Faithfulness
from kinoscope.views.pages.explanation import render, write_explanation

HOSTILE = '</script><img src=x onerror="alert(1)">'
COUNT, SIDE = 6, 40


def known(classes=("jump", "run")):
    """Return a clip whose frames are hot in a row each, the last most; by another method nowhere."""
    hot = np.zeros((COUNT, SIDE, SIDE), np.float32)
    for i in range(COUNT):
        hot[i, 6 * i : 6 * i + 6] = (i + 1) / COUNT
    return Explanation(
        model="mine", classes=classes, target=0, probabilities=np.array([0.9, 0.1]), times=5 + np.arange(COUNT) / 4,
        maps={"grad-cam": hot, "occlusion": np.zeros_like(hot)}, curve=np.linspace(-1, 2, COUNT, dtype=np.float32),
        attention=np.full(COUNT, 1 / COUNT, np.float32),
        faithfulness={"grad-cam": Faithfulness(0.1, 0.8), "occlusion": Faithfulness(0.5, 0.5)},
        random=(Faithfulness(0.4, 0.5), Faithfulness(0.4, 0.6)), blank=0.3,
        sanity={"grad-cam": (0.1, 0.2), "occlusion": (0.9, 0.8)},
    )  # fmt: skip


def frames():
    return np.full((COUNT, SIDE, SIDE, 3), 128, np.uint8)


def test_an_explanation_is_short_to_print():
    assert repr(known(("fight", "run"))) == "Explanation('mine', 'fight': 0.9, methods=['grad-cam', 'occlusion'])"


def test_no_name_can_break_out_of_the_page():
    page = render(known((HOSTILE, "run")), frames(), HOSTILE)
    assert page.count("</script>") == 2
    assert "<img" not in page


@pytest.fixture
def see(visit, tmp_path):
    """Open the page of an explanation."""

    def see(found=None, **options):
        write_explanation(found or known(), frames(), "a.mp4", tmp_path / "explanation.html", windows=7)
        return visit(tmp_path / "explanation.html", **options)

    return see


def colour(page, row):
    """RGB on screen in the middle of a row of the clip's image."""
    return page.evaluate(
        """(row) => {
          const screen = document.getElementById("screen");
          const at = [screen.width / 2, (row * screen.height) / 40];
          return [...screen.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3)];
        }""",
        row,
    )


def is_grey(rgb):
    return max(abs(value - 128) for value in rgb) <= 6


def test_the_hottest_frame_is_shown_first_and_its_heatmap_lies_where_it_is(see):
    page = see()
    assert page.evaluate("kinoscope.now.index") == COUNT - 1
    assert is_grey(colour(page, 10))
    assert not is_grey(colour(page, 33))
    page.evaluate("kinoscope.show({ index: 2 })")
    assert not is_grey(colour(page, 15))
    assert is_grey(colour(page, 33))


@pytest.mark.slow
def test_the_method_and_the_slider_change_the_heat(see):
    page = see()
    page.get_by_role("button", name="occlusion").click()
    assert is_grey(colour(page, 33))
    assert "mean heatmap value of occlusion" in page.locator("#legend").inner_text()
    page.get_by_role("button", name="grad-cam").click()
    strong = colour(page, 33)
    page.locator("#opacity").fill("20")
    assert np.abs(np.subtract(strong, 128)).sum() > 2 * np.abs(np.subtract(colour(page, 33), 128)).sum()
    page.locator("#opacity").fill("0")
    assert is_grey(colour(page, 33))


def test_a_click_on_the_curve_goes_there(see):
    page = see()
    place = page.locator("#graph svg").bounding_box()
    page.locator("#graph svg").click(position={"x": place["width"] / 5 * 2, "y": 40})
    assert page.evaluate("kinoscope.now.index") == 2
    assert page.locator("#clock").inner_text() == "5.50 s · 3 of 6"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("kinoscope.now.index") == 3
    page.evaluate("kinoscope.seek(5.3)")
    assert page.evaluate("kinoscope.now.index") == 1


@pytest.mark.slow
def test_it_plays_and_stops(see):
    page = see()
    page.get_by_role("button", name="Play").click()
    # Playwright's own way to wait needs eval, which the page forbids.
    page.evaluate("""() => new Promise((done) => {
      const first = kinoscope.now.index;
      const look = () => (kinoscope.now.index === first ? requestAnimationFrame(look) : done());
      look();
    })""")
    page.get_by_role("button", name="Pause").click()
    assert not page.evaluate("kinoscope.now.playing")


def test_what_to_trust_is_reported(see):
    page = see()
    rows = page.locator("#trust tbody tr").all_inner_texts()
    assert "better than all" in rows[0]
    assert "changes" in rows[0]
    assert "no better" in rows[1]
    assert "hardly changes" in rows[1]
    assert "2 random orders" in rows[2]
    assert "occlusion" in page.locator("#notices").inner_text()
    assert "of 7 windows" in page.locator("#metadata").inner_text()
    assert page.locator(".class.target").inner_text().startswith("jump")


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_sticks_out(see, width):
    page = see(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_names_are_text(see):
    page = see(known((HOSTILE, "run")))
    assert page.locator(".class.target .called").inner_text() == HOSTILE


def test_light_and_dark(see):
    page = see(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.keyboard.press("t")
    assert page.evaluate(ground) != dark
