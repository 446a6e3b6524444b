import hashlib
import json
from fractions import Fraction

import numpy as np
import pytest

from kinoscope.core.media import Frame
from kinoscope.core.results import TaskReport, Track
from kinoscope.views.timeline import Timeline
from kinoscope.views.video.redact import GREY, Redactor, apply_blur, apply_pixels, audit_log
from kinoscope.views.video.redaction_plan import METHODS, Mask, RedactionPlan, plan


def image(seed=0, height=120, width=160):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def hidden(method, seed=0, box=(40, 30, 100, 90)):
    track = Track(1, "faces", "face", 0.9, np.array([[0, *box, 0.9]]))
    redactor = Redactor(RedactionPlan([Mask("faces", track, np.array([[0.0, *box], [1.0, *box]]))]), method)
    return redactor, redactor.draw(Frame(image(seed), Fraction(1, 2))).pixels


@pytest.mark.parametrize("method", METHODS)
def test_only_the_box_is_changed_and_all_of_it(method):
    _, pixels = hidden(method)
    changed = np.any(pixels != image(), axis=2)
    assert changed[30:90, 40:100].mean() > 0.99
    changed[30:90, 40:100] = False
    assert not changed.any()


def test_solid_does_not_depend_on_the_image():
    for seed in (0, 1):
        assert (hidden("solid", seed)[1][30:90, 40:100] == GREY).all()


def test_a_mosaic_has_few_cells_and_a_blur_no_detail():
    _, mosaic = hidden("pixels")
    assert len(np.unique(mosaic[30:90, 40:100].reshape(-1, 3), axis=0)) <= 36
    _, stain = hidden("blur")
    assert stain[30:90, 40:100].std(axis=(0, 1)).max() < 8
    assert image().std() > 70


@pytest.mark.parametrize("hide", [apply_blur, apply_pixels])
@pytest.mark.parametrize("rect", [(0, 0, 1, 1), (0, 0, 160, 1), (5, 7, 6, 100), (0, 0, 160, 120), (3, 3, 5, 5)])
def test_any_size_can_be_hidden(hide, rect):
    whole, (x1, y1, x2, y2) = image(), rect
    hide(whole, rect)
    elsewhere = np.ones(whole.shape[:2], bool)
    elsewhere[y1:y2, x1:x2] = False
    assert np.array_equal(whole[elsewhere], image()[elsewhere])


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((-50, -50, 20, 20), (0, 0, 20, 20)),
        ((150, 110, 300, 300), (150, 110, 160, 120)),
        ((40.6, 30.4, 99.2, 89.9), (40, 30, 100, 90)),
    ],
)
def test_boxes_are_cut_at_the_edges_and_cover_every_pixel_they_touch(box, inside):
    _, pixels = hidden("solid", box=box)
    x1, y1, x2, y2 = inside
    mask = np.zeros((120, 160), bool)
    mask[y1:y2, x1:x2] = True
    np.testing.assert_array_equal((pixels == GREY).all(axis=2), mask)


def test_a_box_beside_the_image_hides_nothing():
    redactor, pixels = hidden("solid", box=(200, 0, 300, 50))
    np.testing.assert_array_equal(pixels, image())
    assert (redactor.frames, redactor.redacted_frames, redactor.share) == (1, 0, 0.0)


def test_the_frame_itself_is_left_alone_and_keeps_its_time():
    redactor, _ = hidden("blur")
    frame = Frame(image(), Fraction(1, 3), 7, Fraction(1, 25))
    frame.pixels.flags.writeable = False
    drawn = redactor.draw(frame)
    assert (drawn.time, drawn.index, drawn.duration) == (frame.time, frame.index, frame.duration)


def test_the_log_lists_what_was_hidden_and_who_was_exempt(tmp_path):
    boxes = np.array([[1, 50, 40, 70, 60, 0.9], [2, 50, 40, 70, 60, 0.9]])
    stranger = Track(1, "faces", "face", 0.93, boxes, "person 1")
    known = {"known_by": "face", "distance": 0.31, "margin": 0.4}
    ada = Track(2, "faces", "face", 0.99, np.array([[1, 0, 0, 20, 20, 0.9]]), "Ada", known)
    tasks = {"faces": TaskReport(), "recognize": TaskReport()}
    redactor = Redactor(plan(Timeline(tracks=[stranger, ada], tasks=tasks), ["faces"], ["Ada"]), "solid")
    for time in (Fraction(0), Fraction(3, 2)):
        redactor.draw(Frame(image(), time))
    (tmp_path / "blurred.mp4").write_bytes(b"video")
    source = {"path": "a.mp4", "width": 160, "height": 120}
    log = json.loads(json.dumps(audit_log(redactor, tmp_path / "blurred.mp4", source, True)))
    assert log["sha256"] == hashlib.sha256(b"video").hexdigest()
    assert (log["method"], log["irreversible"], log["frames"]) == ("solid", True, 2)
    assert log["frames_with_something_hidden"] == 1
    assert log["share_of_frame_hidden"] == pytest.approx(28 * 28 / 160 / 120 / 2, abs=1e-4)
    assert log["audio"].startswith("unchanged")
    row = {"kind": "faces", "task": "faces", "track": 1, "label": "face", "identity": "person 1", "start": 0.5}
    assert log["hidden"] == [row | {"end": 1.5, "extent": [36, 26, 84, 74], "score": 0.93}]
    assert log["exempt"] == [
        {"kind": "faces", "task": "faces", "track": 2, "name": "Ada", "start": 1.0, "end": 1.0} | known
    ]
