"""Motion model of a box: a Kalman filter in seconds, its smoother, and interpolation between detections.

The model is SORT's (Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016) with time in seconds, so
detections may have any spacing. The smoother is that of Rauch, Tung and Striebel, "Maximum likelihood estimates of
linear dynamic systems", AIAA Journal 1965. Between two smoothed states the mean of a constant-velocity model with white
acceleration is the cubic that meets both positions and velocities, so the interpolation is exact for the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float64Array

# Noise is relative to the object's size, so distant objects are tracked like near ones, and the filter's gain depends
# on times alone. Order: centre x, centre y, width, height. Chosen on the TUD sequences of MOTChallenge at 4-25
# detections per second; half or twice any value changes HOTA by about a point.
MEASUREMENT_VARIANCE = np.array([0.07, 0.07, 0.1, 0.1]) ** 2  # variance of a detection, in sizes squared
VELOCITY_NOISE = np.array([0.5, 0.5, 0.1, 0.1]) ** 2  # how the velocity of it changes, in (sizes / s)^2 per second
INITIAL_VELOCITY_VARIANCE = (
    np.array([1.0, 1.0, 0.1, 0.1]) ** 2
)  # variance of the velocity of a new object, in (sizes / s)^2

AGILITY_FACTORS = (1.0, 4.0)
"""Factors on the velocity noise: 1 for pedestrians, more for objects that bounce or speed."""


def to_centre(boxes: Float64Array) -> Float64Array:
    """Convert (..., x1 y1 x2 y2) to (..., center x, center y, width, height)."""
    low, high = boxes[..., :2], boxes[..., 2:4]
    return np.concatenate([(low + high) / 2, high - low], axis=-1).astype(np.float64)


def to_corners(centred: Float64Array) -> Float64Array:
    """Convert (..., center x, center y, width, height) to (..., x1 y1 x2 y2); no side is under one pixel."""
    half = np.maximum(centred[..., 2:], 1) / 2
    return np.concatenate([centred[..., :2] - half, centred[..., :2] + half], axis=-1)


def warp_boxes(centred: Float64Array, affine: Float64Array) -> Float64Array:
    """Transform boxes (N, 4: center x, center y, width, height) by an affine map (2, 3); they stay axis-aligned."""
    scale = np.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    return np.concatenate([centred[:, :2] @ affine[:, :2].T + affine[:, 2], centred[:, 2:] * scale], axis=1)


@dataclass(slots=True)
class BoxKalmanFilter:
    """A constant-velocity Kalman filter over each of a box's four coordinates.

    Attributes:
        time: of the state, in seconds.
        state: (4, 2) value and velocity, in pixels and pixels per second.
        covariance: (4, 2, 2), in units of the object's size.
        agility: factor on the velocity and its noise.
    """

    time: float
    state: Float64Array
    covariance: Float64Array
    agility: float = 1.0

    @classmethod
    def begin(cls, time: float, box: Float64Array, agility: float = 1.0) -> BoxKalmanFilter:
        """Return the state at rest at a first box (4,)."""
        covariance = np.zeros((4, 2, 2))
        covariance[:, 0, 0], covariance[:, 1, 1] = MEASUREMENT_VARIANCE, INITIAL_VELOCITY_VARIANCE * agility**2
        return cls(time, np.stack([to_centre(box), np.zeros(4)], axis=1), covariance, agility)

    def predict(self, time: float) -> BoxKalmanFilter:
        """Return the state predicted at a later time in seconds."""
        dt = time - self.time
        transition = np.array([[1, dt], [0, 1]])
        process_noise = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        covariance = (
            transition @ self.covariance @ transition.T
            + self.agility**2 * VELOCITY_NOISE[:, None, None] * process_noise
        )
        return BoxKalmanFilter(time, self.state @ transition.T, covariance, self.agility)

    def correct(self, box: Float64Array) -> BoxKalmanFilter:
        """Return the state updated by a box (4,) detected at the state's own time."""
        gain = self.covariance[:, :, 0] / (self.covariance[:, 0, 0] + MEASUREMENT_VARIANCE)[:, None]
        state = self.state + gain * (to_centre(box) - self.state[:, 0])[:, None]
        covariance = self.covariance - gain[:, :, None] * self.covariance[:, None, 0, :]
        return BoxKalmanFilter(self.time, state, covariance, self.agility)

    def warp(self, affine: Float64Array) -> BoxKalmanFilter:
        """Return the state in the coordinates of a frame to which ``affine`` (2, 3) maps from its own."""
        linear = np.column_stack([affine[:, :2], np.zeros(2)])
        value = warp_boxes(self.state[None, :, 0], affine)[0]
        speed = warp_boxes(self.state[None, :, 1], linear)[0]
        return BoxKalmanFilter(self.time, np.stack([value, speed], axis=1), self.covariance, self.agility)

    def negative_log_likelihood(self, box: Float64Array) -> float:
        """Return the negative log-likelihood of a box (4,) at the state's own time, up to a constant.

        Deviations are in sizes of the object.
        """
        variance = self.covariance[:, 0, 0] + MEASUREMENT_VARIANCE
        innovation = to_centre(box) - self.state[:, 0]
        size = np.tile(np.maximum(self.state[2:, 0], 1), 2)
        return 0.5 * float(np.sum(np.log(variance) + (innovation / size) ** 2 / variance))


def smooth(times: Float64Array, boxes: Float64Array) -> Float64Array:
    """Estimate position and velocity at each detection from all detections, earlier and later.

    Of the ``AGILITY_FACTORS`` the one with the highest likelihood of the detections is used.

    Args:
        times: (T,) seconds, increasing.
        boxes: (T, 4).

    Returns:
        (T, 4, 2): center x, center y, width, height; value and velocity per second.
    """
    runs = [_forward(times, boxes, agility) for agility in AGILITY_FACTORS]
    filtered, predictions, _ = min(runs, key=lambda run: run[2])
    states = [filtered[-1].state]
    for earlier, predicted in zip(filtered[-2::-1], predictions[::-1], strict=True):
        transition = np.array([[1, predicted.time - earlier.time], [0, 1]])
        gain = earlier.covariance @ transition.T @ np.linalg.inv(predicted.covariance)
        states.append(earlier.state + (gain @ (states[-1] - predicted.state)[:, :, None])[:, :, 0])
    return np.stack(states[::-1])


def _forward(
    times: Float64Array, boxes: Float64Array, agility: float
) -> tuple[list[BoxKalmanFilter], list[BoxKalmanFilter], float]:
    """Return the filtered states, the predictions from the second detection on, and their negative log-likelihood."""
    filtered, predictions, total = [BoxKalmanFilter.begin(float(times[0]), boxes[0], agility)], [], 0.0
    for time, box in zip(times[1:].tolist(), boxes[1:], strict=True):
        predictions.append(filtered[-1].predict(time))
        total += predictions[-1].negative_log_likelihood(box)
        filtered.append(predictions[-1].correct(box))
    return filtered, predictions, total


def interpolate_boxes(times: Float64Array, boxes: Float64Array, at: Float64Array) -> Float64Array:
    """Interpolate the smoothed motion between detections.

    Args:
        times: (T,) seconds, increasing.
        boxes: (T, 4), the detection at each time.
        at: (N,) times from the first to the last detection.

    Returns:
        (N, 4) boxes.
    """
    from scipy.interpolate import CubicHermiteSpline

    states = smooth(times, boxes)
    if len(times) == 1:
        return to_corners(np.repeat(states[:, :, 0], len(at), axis=0))
    return to_corners(CubicHermiteSpline(times, states[..., 0], states[..., 1])(at))
