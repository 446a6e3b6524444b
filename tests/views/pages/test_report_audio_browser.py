"""Audio-visual synchronization in the report: verdicts, plots on the player's clock, and the lanes of speakers."""

import pytest

from kinoscope.core.results import Event
from kinoscope.views.pages.report import write_report
from kinoscope.views.timeline import Timeline
from tests.helpers.sync_timelines import offset, synced, unmeasured

PLOT, PLOT_HEIGHT, HEAT, HEAT_HEIGHT = 28, 104, 144, 124
"""Where the two plots begin in their canvas, in pixels, and how high they are."""


@pytest.fixture
def shown(visit, tmp_path):
    """Open the report of a Timeline, without its video."""

    def shown(timeline, **options):
        write_report(timeline, tmp_path / "report.html", None)
        return visit(tmp_path / "report.html", **options)

    return shown


def colour(page, time, y):
    """The colour of the plots (red, green, blue) at a time and a height."""
    return page.evaluate(
        """([time, y]) => {
          const canvas = document.getElementById("audio-lanes");
          const scale = canvas.width / canvas.clientWidth;
          const [x, row] = [kinoscope.timeToX(time) * scale, y * scale].map(Math.round);
          return [...canvas.getContext("2d").getImageData(x, row, 1, 1).data].slice(0, 3);
        }""",
        [time, y],
    )


def test_the_verdict_is_reported(shown):
    page = shown(synced())
    assert page.locator("#verdicts b").all_inner_texts() == ["audio is 120 ms late"]
    assert page.locator("#verdicts .dim").all_inner_texts() == [
        "+120 ms, 95 % interval +80 to +160 ms; confidence 98 %, from 8.0 s of speech",
        "Speaking – face 1: 3.5 s, Anna: 2.0 s",
    ]


def test_similarity_is_high_at_the_offset(shown):
    page = shown(synced(late=0.5), color_scheme="light")
    at = {lag: colour(page, 5.2, HEAT + HEAT_HEIGHT / 2 * (1 - lag)) for lag in (-0.5, 0.5)}
    assert at[-0.5] == pytest.approx([240, 240, 237], abs=4)
    assert at[0.5] == pytest.approx([79, 79, 201], abs=4)


def test_points_are_the_fainter_the_lower_the_confidence(shown):
    # The plot reaches 1.2 times as far as the interval; the line of the verdict lies apart from the points.
    timeline = synced(offset(0, 13, -0.3, evidence=1.0))
    page = shown(timeline, color_scheme="light")
    y = PLOT + PLOT_HEIGHT / 2 * (1 - 0.12 / (0.34 * 1.2))
    low, half, high = (sum(colour(page, 1 + 0.6 * i, y)) for i in (0, 10, 19))
    assert low > half + 100 > high + 200


def test_a_click_goes_there_and_the_playhead_follows(shown):
    page = shown(synced(start=20.0))
    x = page.evaluate("kinoscope.timeToX(6)")
    page.locator("#audio-lanes").click(position={"x": x, "y": HEAT + 9})
    assert page.evaluate("kinoscope.player.clock.time") == pytest.approx(6, abs=0.02)
    place = page.locator("#audio-head").bounding_box()
    assert place["x"] + 1 == pytest.approx(page.locator("#audio-lanes").bounding_box()["x"] + x, abs=1)


@pytest.mark.slow
def test_hovering_shows_the_offset(shown):
    page = shown(synced())
    page.locator("#audio-lanes").hover(position={"x": page.evaluate("kinoscope.timeToX(12.4)"), "y": PLOT + 9})
    assert page.locator("#tip").inner_text().startswith("+120 ms, confidence 100 %")
    page.locator("#audio-lanes").hover(position={"x": page.evaluate("kinoscope.timeToX(13.2)"), "y": PLOT + 9})
    assert page.locator("#tip").inner_text().startswith("No speaking face here")


def test_each_of_several_offsets_can_be_gone_to(shown):
    page = shown(synced(offset(0, 5, 0.12), offset(5, 10, -0.2)))
    page.locator("#verdicts button").nth(1).click()
    assert page.evaluate("kinoscope.player.clock.time") == pytest.approx(5.002)


def test_lanes_have_the_offset_and_a_row_for_each_speaker(shown):
    page = shown(synced())
    assert page.evaluate("kinoscope.rows.map((row) => [row.name, row.items.length])") == [
        ["Audio offset", 1],
        ["face 1 speaking", 2],
        ["Anna speaking", 1],
    ]
    assert page.get_by_role("tab", name="Events").locator("small").inner_text() == "4"
    assert page.get_by_role("tab", name="Objects").locator("small").inner_text() == "0"
    assert page.evaluate("kinoscope.boxesAt(5).map(({ item, box }) => [item.label, item.note, ...box])") == [
        ["Anna", "speaks", 10, 10, 50, 50]
    ]


def test_why_it_cannot_be_measured_is_reported_in_place_of_the_plots(shown):
    page = shown(unmeasured())
    assert page.locator("#verdicts").inner_text().split("\n") == ["Not measurable", "the audio is silent"]
    assert page.locator("#audio-body").is_hidden()
    page.get_by_role("tab", name="Events").click()
    assert "%" not in page.locator(".event").inner_text()


def test_where_it_did_not_run_there_is_no_panel(shown):
    page = shown(Timeline(events=[Event("shots", 0, 4, "shot")]))
    assert page.locator("#audio").is_hidden()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 768])
def test_it_fits_a_small_screen(shown, width):
    page = shown(synced(offset(0, 5, 0.12), offset(5, 10, -0.2)), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.slow
def test_hostile_names_are_only_text(shown):
    timeline = synced(offset(0, 9, 0.12))
    hostile = '<img src=x onerror="alert(1)">'
    for event in timeline.all_events:
        event.text = hostile
    page = shown(timeline)
    assert page.locator("#verdicts b").inner_text() == hostile
    assert page.locator("img[src=x]").count() == 0
