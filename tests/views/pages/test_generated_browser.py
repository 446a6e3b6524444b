"""The pages of made clips, in a real browser, opened from disk."""

import numpy as np
import pytest

from kinoscope.source.encode.save_clip import save_clip
from kinoscope.views.pages.generated import ShownClip, generated_page, score_tables, scores_page

HOSTILE = '</script><img src=x onerror="alert(1)">'

FACTS = {
    "model": "shapes", "clips": 3, "frames": 4, "rate": 12.5, "seconds": 0.25, "runtime": "openvino",
    "by": "shapes, seed 0", "labels": ["disc", "square", "disc"], "psnr": None,
}  # fmt: skip

SCORES = {
    "fvd": 2.5, "interval": [2, 3], "endless": 2.25, "motion": 5.0, "motion_interval": [4, 6],
    "floors": {"as they are": 1.0, "frames shuffled": 1.5}, "motion_floors": {"as they are": 0.5},
    "kvd": 0.1, "precision": 0.9, "recall": 0.8, "diversity": 1.0, "diversity_real": 1.2, "content": 0.3,
    "content_real": 0.4, "copies": [], "nearest_pixels": [3.25], "usual": [9.0, 8.0], "judged": 0.9,
    "judged_interval": [0.8, 0.95], "judged_real": 1.0, "chance": 0.5, "by_class": {"disc": 0.9},
    "protocol": {"real": 20, "made": 30, "features": "x"}, "protocol_hash": "abc",
}  # fmt: skip


@pytest.fixture
def video(tmp_path):
    save_clip(tmp_path / "all.mp4", np.full((6, 32, 32, 3), 90, np.uint8), 12.5, "a test")
    return (tmp_path / "all.mp4").read_bytes()


def test_no_name_can_break_out_of_a_page(video):
    for text in (
        generated_page(FACTS | {"model": HOSTILE}, video),
        generated_page(FACTS | {"labels": [HOSTILE]}, video),
    ):
        assert text.count("</script>") == 2
        assert "<img" not in text


def test_made_clips_play_and_say_what_they_are(visit, video, tmp_path):
    (tmp_path / "report.html").write_text(generated_page(FACTS, video))
    shown = visit(tmp_path / "report.html")
    assert shown.inner_text("#name") == "3 clips by shapes"
    assert shown.inner_text("#metadata").split("\n") == ["4 pictures each", "12.5 a second"]
    assert "2 disc, 1 square" in shown.inner_text("#tables")
    assert "Nobody filmed these clips" in shown.inner_text("#tables")
    playing = "() => { const one = document.querySelector('video'); return one.readyState >= 2 && !one.paused; }"
    shown.wait_for_function(playing)
    assert shown.evaluate("document.querySelector('video').loop")


def test_scores_stand_beside_their_floors(visit, video, tmp_path):
    facts = {
        "model": "shapes",
        "generation": SCORES,
        "other": {"model": "mocogan", "generation": SCORES | {"fvd": 9.0}},
    }
    (tmp_path / "report.html").write_text(
        scores_page(facts, [ShownClip("Made clips", video), ShownClip("Pairs", video)])
    )
    shown = visit(tmp_path / "report.html")
    text = shown.inner_text("#tables")
    for part in ("half the real from the other: frames shuffled", "made by mocogan", "9.00", "90.0 %", "abc"):
        assert part in text
    assert shown.locator("video").count() == 2


def test_rows_are_told_in_words():
    tables = dict(score_tables({"model": "m", "generation": SCORES}))
    assert tables["Frechet video distance"][0] == ["made clips", "2.50", "2.00 to 3.00"]
    assert tables["Frechet video distance"][1][:2] == ["made clips, endlessly many", "2.25"]
    assert ["copies of real clips", "0", "nearest 3.2 grey levels, real ones of other recordings 9.0"] in tables[
        "Other measures"
    ]
    assert tables["Protocol"][-1] == ["hash", "abc", ""]
