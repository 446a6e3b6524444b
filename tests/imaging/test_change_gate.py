import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinoscope.imaging.change_gate import ChangeGate, FrameSignature


def scene(seed=0, height=180, width=320):
    """A still frame of large patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), dtype=np.uint8)
    return np.kron(patches, np.ones((height // 9, width // 16, 1), np.uint8))


def noisy(picture, seed):
    return (picture + np.random.default_rng(seed).normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)


def with_square(x, side=8):
    picture = np.full((180, 320, 3), 100, np.uint8)
    picture[90 : 90 + side, x : x + side] = 220
    return picture


def test_a_glance_has_square_cells_and_shares_that_sum_to_one():
    signature = FrameSignature.of(scene())
    assert signature.cells.shape == (29, 52, 3)
    assert signature.palette.sum() == pytest.approx(1)


def test_a_frame_smaller_than_the_grid_keeps_its_pixels():
    tiny = np.zeros((3, 5, 3), np.uint8)
    assert FrameSignature.of(tiny).cells.shape == (3, 5, 3)
    assert ChangeGate().update(tiny, 0.0) == "infer"


def test_the_first_frame_is_inferred_and_noise_is_no_change():
    gate = ChangeGate()
    assert gate.update(scene(), 0.0) == "infer"
    assert [gate.update(noisy(scene(), n), n / 5) for n in range(1, 6)] == ["unchanged"] * 5


def test_a_small_motion_of_a_small_object_is_a_change():
    gate = ChangeGate()
    assert [gate.update(with_square(x), n / 5) for n, x in enumerate((40, 43, 46))] == ["infer"] * 3


def test_a_slow_drift_adds_up_to_a_change():
    gate = ChangeGate()
    decisions = [gate.update(np.full((90, 160, 3), 100 + n, np.uint8), n / 5) for n in range(20)]
    assert decisions == (["infer"] + ["unchanged"] * 8 + ["infer"] + ["unchanged"] * 8 + ["infer", "unchanged"])


def test_another_scene_is_a_cut_whenever_it_comes():
    gate = ChangeGate(rate=5)
    gate.update(scene(1), 0.0)
    assert gate.update(255 - scene(1) // 4, 0.04) == "cut"


def test_a_moving_camera_is_no_cut():
    gate = ChangeGate()
    wide = np.tile(scene(1), (1, 2, 1))
    assert [gate.update(wide[:, x : x + 320], n / 5) for n, x in enumerate(range(0, 120, 20))] == ["infer"] * 6


def test_little_change_waits_for_its_turn_and_much_does_not():
    gate = ChangeGate(rate=5)
    gate.update(with_square(40), 0.0)
    assert gate.update(with_square(60), 0.1) == "skip"
    assert gate.update(with_square(60, side=80), 0.12) == "infer"
    assert gate.update(with_square(64, side=80), 0.2) == "skip"
    assert gate.update(with_square(64, side=80), 0.31) == "infer"


def test_frames_a_little_early_are_not_put_off_to_the_next():
    gate = ChangeGate(rate=5)
    gate.update(with_square(40), 0.0)
    assert gate.update(with_square(60), 0.19) == "infer"


def test_a_skipped_frame_is_not_the_new_reference():
    gate = ChangeGate(rate=5)
    gate.update(with_square(40), 0.0)
    assert gate.update(with_square(60), 0.1) == "skip"
    assert gate.update(with_square(60), 0.2) == "infer"
    assert gate.update(with_square(60), 0.4) == "unchanged"


def test_no_frame_is_unchanged_with_a_negative_limit():
    gate = ChangeGate(max_noise=-1)
    assert [gate.update(scene(), n / 5) for n in range(3)] == ["infer"] * 3


def test_a_change_of_size_is_inferred():
    gate = ChangeGate()
    gate.update(scene(), 0.0)
    assert gate.update(scene(height=360), 0.2) == "infer"


@pytest.mark.slow
@given(st.integers(0, 50), st.integers(0, 50))
def test_differences_are_symmetric_and_bounded(a, b):
    first, second = FrameSignature.of(scene(a)), FrameSignature.of(scene(b))
    assert first.palette_change(second) == second.palette_change(first) <= 1
    assert np.array_equal(first.cell_changes(second), second.cell_changes(first))
    assert (first.cell_changes(second).max() == 0) == (a == b)


def test_a_small_fast_object_is_inferred_without_a_pause_with_a_low_min_changed():
    squares = [with_square(x, 24) for x in (40, 60, 80)]
    calm, secret = ChangeGate(5), ChangeGate(5, min_changed=0.005)
    assert [calm.update(square, n / 25) for n, square in enumerate(squares)] == ["infer", "skip", "skip"]
    assert not calm.fast
    assert [secret.update(square, n / 25) for n, square in enumerate(squares)] == ["infer", "infer", "infer"]
    assert secret.fast
    assert (secret.update(squares[-1], 1.0), secret.fast) == ("unchanged", False)
