import numpy as np
import pytest

from kinoscope.tasks.tracking.kalman import (
    INITIAL_VELOCITY_VARIANCE,
    MEASUREMENT_VARIANCE,
    VELOCITY_NOISE,
    BoxKalmanFilter,
    interpolate_boxes,
    smooth,
    to_centre,
    to_corners,
)


def box(x, y, w=40, h=80):
    """A box around a centre."""
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def test_centres_and_corners_are_inverse():
    boxes = np.array([[0.0, 10, 40, 90], [5, 5, 6, 6]])
    assert np.array_equal(to_corners(to_centre(boxes)), boxes)


def test_a_collapsed_box_keeps_a_pixel():
    assert to_corners(np.array([5.0, 5, -3, 0])).tolist() == [4.5, 4.5, 5.5, 5.5]


def test_an_object_at_rest_is_smoothed_to_rest():
    states = smooth(np.array([0.0, 0.2, 0.4]), np.array([box(100, 100)] * 3))
    assert np.allclose(states[..., 0], [100, 100, 40, 80])
    assert np.allclose(states[..., 1], 0)


def test_prediction_moves_with_the_velocity_and_grows_unsure():
    begin = BoxKalmanFilter.begin(1.0, np.array(box(100, 100)))
    begin.state[0, 1] = 50
    later = begin.predict(1.5)
    assert later.time == 1.5
    assert later.state[:, 0].tolist() == [125, 100, 40, 80]
    assert np.all(later.covariance[:, 0, 0] > begin.covariance[:, 0, 0])


def test_two_equal_measurements_halve_the_variance():
    motion = BoxKalmanFilter.begin(0.0, np.array(box(100, 100))).correct(np.array(box(110, 100)))
    assert motion.state[0, 0] == pytest.approx(105)
    assert np.allclose(motion.covariance[:, 0, 0], MEASUREMENT_VARIANCE / 2)


def test_the_smoother_agrees_with_least_squares_over_all_detections(monkeypatch):
    """Its estimate is the mean of the positions given all measurements, here from the joint Gaussian itself."""
    monkeypatch.setattr("kinoscope.tasks.tracking.kalman.AGILITY_FACTORS", (1.0,))
    times = np.array([0.0, 0.2, 0.5, 1.1])
    x = np.array([100.0, 118, 130, 190])
    # Relative to the first measurement: covariance of positions under the model, white acceleration integrated twice.
    low = np.minimum.outer(times, times)
    high = np.maximum.outer(times, times)
    model = (
        MEASUREMENT_VARIANCE[0]
        + INITIAL_VELOCITY_VARIANCE[0] * np.outer(times, times)
        + VELOCITY_NOISE[0] * low**2 * (3 * high - low) / 6
    )
    # The first measurement sets the prior's mean; the others correct it.
    noise = np.diag([1e12, *[MEASUREMENT_VARIANCE[0]] * 3])
    wanted = x[0] + model @ np.linalg.solve(model + noise, x - x[0])
    found = smooth(times, np.array([box(v, 50) for v in x]))[:, 0, 0]
    assert np.allclose(found, wanted, atol=1e-6)


def test_the_curve_is_the_mean_of_the_model_between_detections():
    """A detection without weight changes nothing, so the curve must pass where the smoother puts it."""
    times, boxes = np.array([0.0, 0.4, 1.0]), np.array([box(100, 50), box(140, 60), box(150, 90)])
    states = smooth(times, boxes)
    first, last, span = BoxKalmanFilter(0.4, states[1], np.zeros((4, 2, 2))), states[2], 0.6
    bridge = first.predict(0.7)
    end = first.predict(1.0)
    to_end = np.array([[1, span / 2], [0, 1]])
    gain = bridge.covariance @ to_end.T @ np.linalg.inv(end.covariance)
    middle = bridge.state + (gain @ (last - end.state)[:, :, None])[:, :, 0]
    assert np.allclose(to_centre(interpolate_boxes(times, boxes, np.array([0.7])))[0], middle[:, 0])


def test_what_turns_at_once_is_followed_more_freely_than_what_trembles():
    times = np.arange(0, 3, 0.2)
    bouncing = np.array([box(100 + 200 * abs(t % 2 - 1), 100) for t in times])
    trembling = np.array([box(100 + 2 * (-1) ** n, 100) for n in range(len(times))])
    assert np.abs(smooth(times, bouncing)[:, 0, 0] - bouncing[:, [0, 2]].mean(axis=1)).max() < 16
    assert np.abs(smooth(times, trembling)[1:-1, 0, 0] - 100).max() < 1


def test_an_unlikely_box_is_a_surprise_in_sizes_of_the_object():
    near, far = (
        BoxKalmanFilter.begin(0.0, np.array(box(100, 100))),
        BoxKalmanFilter.begin(0.0, np.array(box(50, 50, 20, 40))),
    )
    assert near.negative_log_likelihood(np.array(box(100, 100))) < near.negative_log_likelihood(np.array(box(120, 100)))
    assert near.negative_log_likelihood(np.array(box(120, 100))) == pytest.approx(
        far.negative_log_likelihood(np.array(box(60, 50, 20, 40)))
    )
