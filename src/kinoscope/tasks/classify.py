"""What a video shows, when, by the classes of a model that was trained on clips: yours, or any card's.

A window as long as the model's clips slides over the video by half its length. It sees the pictures that are on screen
at the model's own rate, as in training, whatever the frame rate of the video. Each moment's probabilities are the mean
of those of the windows over it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Float64Array, Int64Array
from kinoscope.core.errors import ModelError
from kinoscope.core.media import Audio, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.imaging.reflect_time import reflect_times
from kinoscope.models import cards_for_task, choose
from kinoscope.models.card import Card
from kinoscope.models.inference.classifier import find_classifier, get_sampling, probabilities
from kinoscope.models.inference.segment_refiner import read_refiner
from kinoscope.models.runtime.runner import make_runner
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.signal.hysteresis import hysteresis_spans

EVENT_START_PROBABILITY, EVENT_END_PROBABILITY = 0.5, 0.4
"""Probabilities at which an event begins and ends."""
BATCH_WINDOWS = 8
"""Windows that go through the network at once, unless the source is live."""
TOP_CLASSES = 3
"""Classes told of the whole video."""
MAX_FRAME_SECONDS = 60.0
"""Seconds for which a picture may stay; after longer ones, which come of broken time stamps, windows begin anew."""

TIME_TOLERANCE_SECONDS = 1e-6
"""Seconds, as in ``core.sampling.nearest_frames``."""


class Classify:
    """A classifier of clips over sliding windows; an event while a class stays likely.

    Events: ``label`` the class, ``score`` its highest probability; a video no longer than a window has one, of the
    likeliest class. Of a model that `kinoscope train segments` taught where segments begin and end, ``score`` is how
    much each event is expected to overlap a real segment.
    Features: ``classify.times`` (N,) float64, the middles of the windows in seconds, and ``classify.scores`` (N, K)
    float32, calibrated probabilities; ``classify.edges`` (E,) float64, at which windows begin or end, in seconds, and
    ``classify.means`` (E - 1, K) float32, the mean probabilities between them.
    ``report.extra["top"]`` are the likeliest classes of the video as a whole, as ``[name, probability]``.
    """

    name = "classify"

    def __init__(
        self,
        *,
        device: str = "auto",
        model: str = "auto",
        threads: int = 1,
        top: int = TOP_CLASSES,
        learned: bool = True,
    ) -> None:
        self.device, self.model, self.threads, self.top = device, model, threads, top
        self._learned = read_refiner(model) if learned and model != "auto" else None
        self._origin: float | None = None
        self._time = self._step = 0.0
        self._shown: Pixels | None = None
        self._tick = self._held = 0
        self._waiting: list[tuple[int, Pixels]] = []
        self._starts: list[int] = []
        self._logits: list[Float32Array] = []

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for every picture: which of them the model sees, the times decide.

        Raises:
            Skip: there is no picture.
            ModelError: no model is given, or it does not classify clips.
        """
        if not info.width:
            raise Skip("no picture")
        self._net = make_runner(_card(self.model), self.device, threads=self.threads)
        self.sampling = get_sampling(self._net.card)
        self._stride = max(1, self.sampling.frames // 2)
        self._pictures: deque[Pixels] = deque(maxlen=self.sampling.frames)
        self._together = 1 if info.live else BATCH_WINDOWS
        return Needs(sizes=(self.sampling.size,), batch=16)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Take the next frames; windows are judged as soon as there are enough for one inference."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            self._begin(time) if self._origin is None else self._advance(time)
            self._step, self._time, self._shown = time - self._time, time, pixels
        if len(self._waiting) >= self._together:
            self._judge()

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Judge the end of the video, and give the events and the probabilities."""
        end = self._end()
        self._judge()
        card = self._net.card
        report = TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence)
        report.extra["inferences"] = len(self._starts) * self.sampling.frames
        logits = np.concatenate(self._logits) if self._logits else np.zeros((0, len(card.labels)), np.float32)
        likely, starts = probabilities(card, logits), np.array(self._starts, np.int64)
        if len(starts):
            report.extra["top"] = top_classes(card.labels, probabilities(card, logits.mean(0)), self.top)
        edges, means = mean_over_windows(starts, self.sampling.frames, likely)
        features: dict[str, NDArray[Any]] = {
            "classify.times": self._middles(starts, end),
            "classify.scores": likely.astype(np.float32),
            "classify.edges": np.array([min(end, self._seconds(edge)) for edge in edges.tolist()]),
            "classify.means": means.astype(np.float32),
        }
        events = self._whole(likely[0], end) if len(starts) == 1 else self._events(edges, means, end)
        return TaskResult(events=events, features=features, report=report)

    def _begin(self, time: float) -> None:
        self._origin = self._time = time

    def _advance(self, time: float) -> None:
        """Go on to a new picture's time: the last one was on screen until then."""
        if time - self._time > MAX_FRAME_SECONDS:
            self._tick = self._ticks(time)
            self._pictures.clear()
            self._held = 0
        while self._seconds(self._tick) + TIME_TOLERANCE_SECONDS < time:
            self._see()

    def _seconds(self, tick: float) -> float:
        assert self._origin is not None
        return self._origin + tick / self.sampling.rate

    def _ticks(self, time: float) -> int:
        """Give the first moment at which the model looks that is not before a time."""
        assert self._origin is not None
        return math.ceil((time - self._origin) * self.sampling.rate - TIME_TOLERANCE_SECONDS)

    def _see(self) -> None:
        """Take the picture on screen as the next one that the model sees; a window may be full then."""
        assert self._shown is not None
        self._pictures.append(self._shown)
        self._tick, self._held = self._tick + 1, self._held + 1
        beyond = self._held - self.sampling.frames
        if beyond >= 0 and beyond % self._stride == 0:
            self._wait()

    def _wait(self) -> None:
        self._waiting.append((self._tick - self.sampling.frames, np.stack(self._pictures)))

    def _judge(self) -> None:
        """Put the windows that wait through the network."""
        if self._waiting:
            starts, windows = zip(*self._waiting, strict=True)
            self._logits.append(self._net(np.stack(windows))[-1])
            self._starts += starts
            self._waiting.clear()

    def _end(self) -> float:
        """See the last picture out, and have the rest judged that no window has seen; give the end in seconds."""
        if self._origin is None:
            return 0.0
        end = self._time + (self._step or 1 / self.sampling.rate)
        while self._seconds(self._tick) + TIME_TOLERANCE_SECONDS < end:
            self._see()
        beyond = self._held - self.sampling.frames
        if beyond > 0 and beyond % self._stride:
            self._wait()
        elif beyond < 0 and not self._starts and not self._waiting:
            self._waiting.append((0, self._short(end)))
        return end

    def _short(self, end: float) -> Pixels:
        """Make a window of a video that is shorter: it is played to and fro, as in training."""
        wanted = reflect_times(self.sampling.times(0.0), 0.0, end - self._seconds(0))
        ticks = np.minimum(
            (wanted * self.sampling.rate + TIME_TOLERANCE_SECONDS).astype(np.int64), len(self._pictures) - 1
        )
        return np.stack([self._pictures[tick] for tick in ticks])

    def _middles(self, starts: Int64Array, end: float) -> NDArray[Any]:
        times = [(self._seconds(s) + min(end, self._seconds(s + self.sampling.frames))) / 2 for s in starts.tolist()]
        return np.array(times, np.float64)

    def _whole(self, likely: Float64Array, end: float) -> list[Event]:
        best = int(likely.argmax())
        return [Event("classify", self._seconds(0), end, self._net.card.labels[best], float(likely[best]))]

    def _events(self, edges: Int64Array, means: Float64Array, end: float) -> list[Event]:
        """Give where each class stays likely; see ``mean_over_windows``."""
        segments = self._refined if self._learned else self._thresholded
        return [
            Event("classify", self._seconds(first), min(end, self._seconds(last)), label, score)
            for column, label in enumerate(self._net.card.labels)
            for first, last, score in segments(edges, means[:, column])
            if self._seconds(first) < end
        ]

    def _thresholded(self, edges: Int64Array, course: Float64Array) -> list[tuple[float, float, float]]:
        """Give the ticks at which a class is likely from and to, and how likely it is at most."""
        found = hysteresis_spans(course, EVENT_START_PROBABILITY, EVENT_END_PROBABILITY)
        return [(float(edges[a]), float(edges[b]), float(course[a:b].max())) for a, b in found]

    def _refined(self, edges: Int64Array, course: Float64Array) -> list[tuple[float, float, float]]:
        """Give them as they were learned."""
        assert self._learned is not None
        rows = self._learned.refine(edges / self._stride, course)
        return [(start * self._stride, past * self._stride, overlap) for start, past, overlap in rows.tolist()]


def _card(model: str) -> Card:
    if model != "auto":
        return find_classifier(model)
    if cards_for_task("classify"):
        return choose("classify")
    raise ModelError("classify needs a model; give --model classify=FOLDER, a folder that `kinoscope train` wrote")


def top_classes(labels: tuple[str, ...], likely: Float64Array, most: int) -> list[list[str | float]]:
    """Give the likeliest classes of probabilities (K,) as ``[name, probability]``, the likeliest first."""
    best = np.argsort(-likely, kind="stable")[:most]
    return [[labels[i], round(float(likely[i]), 4)] for i in best]


def mean_over_windows(starts: Int64Array, length: int, values: Float64Array) -> tuple[Int64Array, Float64Array]:
    """Give the mean of the values of the windows over each stretch between the edges of windows.

    Args:
        starts: (N,) of windows, not decreasing. length: of each. values: (N, K).

    Returns:
        (E,) edges, and (E - 1, K) means of the stretches between them; 0 where there is no window.
    """
    edges = np.unique(np.concatenate([starts, starts + length]))
    change = np.zeros((len(edges), values.shape[1] + 1))
    rows = np.concatenate([np.ones((len(starts), 1)), values], 1)
    np.add.at(change, np.searchsorted(edges, starts), rows)
    np.add.at(change, np.searchsorted(edges, starts + length), -rows)
    sums = np.cumsum(change, 0)[:-1]
    return edges, np.asarray(sums[:, 1:] / np.maximum(1, sums[:, :1].round()))
