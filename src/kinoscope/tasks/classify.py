"""Classification of a video over time, by the classes of a model that was trained on clips: yours, or any card's.

A window as long as the model's clips slides over the video by half its length. Its frames are sampled at the model's
own rate, as in training, whatever the frame rate of the video. The probabilities at each moment are the mean over the
windows that cover it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.errors import ModelError
from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.imaging.reflect_time import reflect_times
from kinoscope.models import cards_for_task, choose
from kinoscope.models.card import Card
from kinoscope.models.inference.classifier import find_classifier, get_sampling, probabilities
from kinoscope.models.inference.segment_refiner import read_refiner
from kinoscope.models.runtime.runner import make_runner
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.options import ClassifyOptions
from kinoscope.tasks.signal.hysteresis import hysteresis_spans
from kinoscope.views.timeline import Timeline

EVENT_START_PROBABILITY, EVENT_END_PROBABILITY = 0.5, 0.4
"""Probabilities at which an event begins and ends."""
BATCH_WINDOWS = 8
"""Windows per inference, unless the source is live."""
TOP_CLASSES = 3
"""Classes reported for the whole video."""
MAX_FRAME_SECONDS = 60.0
"""Seconds for which a frame may stay on screen; after longer gaps, which come from corrupt timestamps, windows
restart."""

TIME_TOLERANCE_SECONDS = 1e-6
"""Seconds, as in ``core.sampling.nearest_frames``."""


class Classify(Task):
    """A clip classifier over sliding windows; an event while the probability of a class stays high.

    Events: ``label`` the class, ``score`` its highest probability; a video no longer than a window has one event, of
    the most probable class. If the model has a segment refiner (`kinoscope train segments`), ``score`` is the expected
    IoU of each event with a true segment.
    Features: ``classify.times`` (N,) float64, the middles of the windows in seconds, and ``classify.scores`` (N, K)
    float32, calibrated probabilities; ``classify.edges`` (E,) float64, at which windows begin or end, in seconds, and
    ``classify.means`` (E - 1, K) float32, the mean probabilities between them.
    ``report.extra["top"]`` are the most probable classes of the whole video, as ``[name, probability]``.
    """

    name = "classify"
    options_type = ClassifyOptions
    required_input = "a model; give --model classify=FOLDER, as `kinoscope train` wrote it"

    options: ClassifyOptions

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._refiner = read_refiner(self.model) if self.options.refine and self.model != "auto" else None
        self._origin: float | None = None
        self._frame_time = self._frame_seconds = 0.0
        self._frame: Pixels | None = None
        self._tick = self._sampled_count = 0
        self._pending: list[tuple[int, Pixels]] = []
        self._starts: list[int] = []
        self._logits: list[Float32Array] = []

    @classmethod
    def check_model(cls, model: str) -> None:
        """Check that a model classifies clips."""
        find_classifier(model)

    def needs(self, info: SourceInfo) -> Needs:
        """Load the model and request every frame: the task samples them itself, by their timestamps.

        Raises:
            Skip: there is no video.
            ModelError: no model is given, or it does not classify clips.
        """
        if not info.width:
            raise Skip("no video")
        self._net = make_runner(_card(self.model), self.device, threads=self.threads)
        self.sampling = get_sampling(self._net.card)
        self._stride = max(1, self.sampling.frames // 2)
        self._sampled: deque[Pixels] = deque(maxlen=self.sampling.frames)
        self._batch_windows = 1 if info.live else BATCH_WINDOWS
        return Needs(sizes=(self.sampling.size,), batch=16)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Sample the next frames; run inference once enough windows are pending."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            self._begin(time) if self._origin is None else self._advance(time)
            self._frame_seconds, self._frame_time, self._frame = time - self._frame_time, time, pixels
        if len(self._pending) >= self._batch_windows:
            self._infer()

    def finish(self, timeline: Timeline) -> TaskResult:
        """Classify the remaining windows and return the events and the probabilities."""
        end = self._close_windows()
        self._infer()
        card = self._net.card
        report = TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence)
        report.extra["inferences"] = len(self._starts) * self.sampling.frames
        logits = np.concatenate(self._logits) if self._logits else np.zeros((0, len(card.labels)), np.float32)
        class_probabilities, starts = probabilities(card, logits), np.array(self._starts, np.int64)
        if len(starts):
            report.extra["top"] = top_classes(card.labels, probabilities(card, logits.mean(0)), self.options.top)
        boundaries, means = mean_over_windows(starts, self.sampling.frames, class_probabilities)
        features: dict[str, NDArray[Any]] = {
            "classify.times": self._middles(starts, end),
            "classify.scores": class_probabilities.astype(np.float32),
            "classify.edges": np.array([min(end, self._seconds(edge)) for edge in boundaries.tolist()]),
            "classify.means": means.astype(np.float32),
        }
        events = (
            self._single_event(class_probabilities[0], end)
            if len(starts) == 1
            else self._events(boundaries, means, end)
        )
        return TaskResult(events=events, features=features, report=report)

    def _begin(self, time: float) -> None:
        self._origin = self._frame_time = time

    def _advance(self, time: float) -> None:
        """Advance to the time of a new frame; the previous one was on screen until then."""
        if time - self._frame_time > MAX_FRAME_SECONDS:
            self._tick = self._ticks(time)
            self._sampled.clear()
            self._sampled_count = 0
        while self._seconds(self._tick) + TIME_TOLERANCE_SECONDS < time:
            self._sample_frame()

    def _seconds(self, tick: float) -> float:
        assert self._origin is not None
        return self._origin + tick / self.sampling.rate

    def _ticks(self, time: float) -> int:
        """Return the first sampling moment of the model that is not before a time."""
        assert self._origin is not None
        return math.ceil((time - self._origin) * self.sampling.rate - TIME_TOLERANCE_SECONDS)

    def _sample_frame(self) -> None:
        """Sample the frame on screen, and add a window if one is complete."""
        assert self._frame is not None
        self._sampled.append(self._frame)
        self._tick, self._sampled_count = self._tick + 1, self._sampled_count + 1
        surplus = self._sampled_count - self.sampling.frames
        if surplus >= 0 and surplus % self._stride == 0:
            self._add_window()

    def _add_window(self) -> None:
        self._pending.append((self._tick - self.sampling.frames, np.stack(self._sampled)))

    def _infer(self) -> None:
        """Run the network on the pending windows."""
        if self._pending:
            starts, windows = zip(*self._pending, strict=True)
            self._logits.append(self._net(np.stack(windows))[-1])
            self._starts += starts
            self._pending.clear()

    def _close_windows(self) -> float:
        """Sample the last frame until it ends, add a window for the remainder, and return the end in seconds."""
        if self._origin is None:
            return 0.0
        end = self._frame_time + (self._frame_seconds or 1 / self.sampling.rate)
        while self._seconds(self._tick) + TIME_TOLERANCE_SECONDS < end:
            self._sample_frame()
        surplus = self._sampled_count - self.sampling.frames
        if surplus > 0 and surplus % self._stride:
            self._add_window()
        elif surplus < 0 and not self._starts and not self._pending:
            self._pending.append((0, self._short_window(end)))
        return end

    def _short_window(self, end: float) -> Pixels:
        """Build a window of a video that is shorter than one: it is played forward and backward, as in training."""
        wanted = reflect_times(self.sampling.times(0.0), 0.0, end - self._seconds(0))
        ticks = np.minimum(
            (wanted * self.sampling.rate + TIME_TOLERANCE_SECONDS).astype(np.int64), len(self._sampled) - 1
        )
        return np.stack([self._sampled[tick] for tick in ticks])

    def _middles(self, starts: Int64Array, end: float) -> NDArray[Any]:
        times = [(self._seconds(s) + min(end, self._seconds(s + self.sampling.frames))) / 2 for s in starts.tolist()]
        return np.array(times, np.float64)

    def _single_event(self, class_probabilities: Float64Array, end: float) -> list[Event]:
        best = int(class_probabilities.argmax())
        return [Event("classify", self._seconds(0), end, self._net.card.labels[best], float(class_probabilities[best]))]

    def _events(self, boundaries: Int64Array, means: Float64Array, end: float) -> list[Event]:
        """Return the events of each class; see ``mean_over_windows``."""
        segments = self._refined if self._refiner else self._thresholded
        return [
            Event("classify", self._seconds(first), min(end, self._seconds(last)), label, score)
            for column, label in enumerate(self._net.card.labels)
            for first, last, score in segments(boundaries, means[:, column])
            if self._seconds(first) < end
        ]

    def _thresholded(self, boundaries: Int64Array, curve: Float64Array) -> list[tuple[float, float, float]]:
        """Return first and last tick and maximum probability of each segment by hysteresis thresholds."""
        ranges = hysteresis_spans(curve, EVENT_START_PROBABILITY, EVENT_END_PROBABILITY)
        return [
            (float(boundaries[first]), float(boundaries[stop]), float(curve[first:stop].max()))
            for first, stop in ranges
        ]

    def _refined(self, boundaries: Int64Array, curve: Float64Array) -> list[tuple[float, float, float]]:
        """Return first and last tick and expected IoU of each segment by the segment refiner."""
        assert self._refiner is not None
        rows = self._refiner.refine(boundaries / self._stride, curve)
        return [(start * self._stride, stop * self._stride, overlap) for start, stop, overlap in rows.tolist()]


def _card(model: str) -> Card:
    if model != "auto":
        return find_classifier(model)
    if cards_for_task("classify"):
        return choose("classify")
    raise ModelError("classify needs a model; give --model classify=FOLDER, a folder that `kinoscope train` wrote")


def top_classes(labels: tuple[str, ...], class_probabilities: Float64Array, count: int) -> list[list[str | float]]:
    """Return the ``count`` most probable classes of probabilities (K,) as ``[name, probability]``, best first."""
    ranked = np.argsort(-class_probabilities, kind="stable")[:count]
    return [[labels[i], round(float(class_probabilities[i]), 4)] for i in ranked]


def mean_over_windows(starts: Int64Array, length: int, values: Float64Array) -> tuple[Int64Array, Float64Array]:
    """Return the mean of the values of the windows that cover each interval between window boundaries.

    Args:
        starts: (N,) of windows, not decreasing.
        length: of each window.
        values: (N, K), by window.

    Returns:
        (E,) boundaries, and (E - 1, K) means of the intervals between them; 0 where there is no window.
    """
    boundaries = np.unique(np.concatenate([starts, starts + length]))
    change = np.zeros((len(boundaries), values.shape[1] + 1))
    rows = np.concatenate([np.ones((len(starts), 1)), values], 1)
    np.add.at(change, np.searchsorted(boundaries, starts), rows)
    np.add.at(change, np.searchsorted(boundaries, starts + length), -rows)
    sums = np.cumsum(change, 0)[:-1]
    return boundaries, np.asarray(sums[:, 1:] / np.maximum(1, sums[:, :1].round()))
