"""Fight detection: a score for windows of two seconds, and events while the score stays high.

The network was trained on surveillance cameras (Akti et al., "Vision-based Fight Detection from Surveillance
Cameras", IPTA 2019) and assumes a static camera: under a moving camera it may classify any lively scene as a fight.
Windows in which the camera moves, and static windows, are therefore not classified. Any other clip classifier may
replace it, such as one trained on your own clips.

An inference costs a tenth of a second of CPU, or a second with a 3-D CNN. It is therefore run every few seconds while
there is little motion, at once when the motion grows, at the end, and on all windows around a suspicious one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Frame, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.models import choose
from kinoscope.models.inference.classifier import find_classifier, get_sampling, probabilities
from kinoscope.models.runtime.runner import make_runner
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.signal.hysteresis import hysteresis_spans
from kinoscope.views.timeline import Timeline

GRID_CELLS = 14
"""Cells along the shorter side of the frame, in each of which motion is measured."""
MIN_MOTION_LEVELS = 8.0
"""Change of the ten most active cells, in grey levels per frame, below which there is no fight: 98 % of fights have
more."""
MAX_CAMERA_MOTION_LEVELS = 4.0
"""Change that three quarters of the cells exceed if the camera moves, in grey levels per frame."""

MAX_INTERVAL_SECONDS = 6.0
"""Seconds between inferences while there is little motion."""
MIN_MOTION_GROWTH = 1.5
"""Ratio by which the motion must exceed that of the last scored window for an immediate inference."""
SUSPICION_SCORE = 0.3
"""Score from which the windows around are scored too."""
EVENT_START_SCORE, EVENT_END_SCORE = 0.8, 0.5
"""Scores at which an event begins and ends: 60 % of fights reach the first, and 6 % of other clips."""
MIN_EVENT_WINDOWS = 2
"""Consecutive windows that make an event: a wave of the hand can look like a blow, but does not last."""


@dataclass(frozen=True, slots=True)
class ActionWindow:
    """A window of about two seconds: frames (T, H, W, C), first and last time in seconds, and its motion.

    ``foreground`` is the mean change of the ten most active cells of each frame, ``background`` the change that three
    quarters of the cells exceed; both in grey levels from frame to frame.
    """

    pixels: Pixels
    start: float
    end: float
    foreground: float
    background: float

    @classmethod
    def from_frames(cls, frames: list[Frame], length: int) -> ActionWindow:
        """Build a window of ``length`` frames from ``frames``; if there are fewer, some are repeated."""
        indices = np.linspace(0, len(frames) - 1, length).round().astype(int)
        pixels = np.stack([frames[i].pixels for i in indices])
        cells = cell_motion(np.stack([frame.pixels for frame in frames]))
        foreground = float(np.sort(cells.reshape(len(cells), -1), axis=1)[:, -10:].mean()) if len(cells) else 0.0
        background = float(np.percentile(cells.mean(0), 25)) if len(cells) else 0.0
        return cls(pixels, float(frames[0].time), float(frames[-1].time), foreground, background)

    @property
    def has_local_motion(self) -> bool:
        """Whether part of the frame moves, but not all of it."""
        return self.foreground >= MIN_MOTION_LEVELS and self.background <= MAX_CAMERA_MOTION_LEVELS


def cell_motion(pixels: Pixels) -> Float32Array:
    """Return the mean change of each cell from frame to frame, (T - 1, rows, columns), of pixels (T, H, W, C).

    Pixels at the right and the bottom that do not fill a cell are left out.
    """
    side = max(1, min(pixels.shape[1:3]) // GRID_CELLS)
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    grey = pixels[:, : rows * side, : columns * side].mean(3, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0))
    cells: Float32Array = change.reshape(len(change), rows, side, columns, side).mean((2, 4))
    return cells


class Actions(Task):
    """A clip classifier over windows that overlap by half; an event while the score stays high.

    The score is the probability of the class ``fight``, or of the model's first class if none has that name. The whole
    frame is classified, stretched: scores are as good as for a center crop.

    Events: the class as label, from the start of the first to the end of the last window, ``score`` the highest in
    between. Features: ``actions.times`` (N,) float64, the middles of the windows in seconds, and ``actions.scores``
    (N,) float32, 0 where there is no motion or the camera moves. Between two distant windows there was little motion.
    """

    name = "actions"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._postponed: list[ActionWindow] = []
        self._last_scored: tuple[ActionWindow, float] | None = None
        self._scores: list[tuple[float, float, float]] = []
        self._inferences = 0

    @classmethod
    def check_model(cls, model: str) -> None:
        """Check that a model classifies clips."""
        find_classifier(model)

    def needs(self, info: SourceInfo) -> Needs:
        """Request small frames at the model's rate.

        Raises:
            Skip: there is no video.
            ModelError: the model does not classify clips.
        """
        if not info.width:
            raise Skip("no video")
        card = choose("actions") if self.model == "auto" else find_classifier(self.model)
        self._net = make_runner(card, self.device, threads=self.threads)
        self._sampling = sampling = get_sampling(card)
        self._stride = max(1, sampling.frames // 2)
        self._frames: deque[Frame] = deque(maxlen=sampling.frames)
        self._frames_until_window = sampling.frames
        self._class = next((i for i, label in enumerate(card.labels) if label.casefold() == "fight"), 0)
        return Needs(sizes=(sampling.size,), rate=sampling.rate, batch=self._stride)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Process the next frames; each full window is scored, postponed or rejected."""
        for frame in batches[0]:
            self._frames.append(frame)
            self._frames_until_window -= 1
            if not self._frames_until_window:
                self._triage(self._window())
                self._frames_until_window = self._stride

    def finish(self, timeline: Timeline) -> TaskResult:
        """Score the remaining frames and return the events and the scores."""
        # The last window covers most of a short remainder; a video shorter than a window has no window yet.
        if self._frames and (self._frames_until_window <= self._stride // 2 or not self._scores):
            self._triage(self._window())
        if self._postponed:
            self._score_with_neighbors(self._postponed.pop())
        card = self._net.card
        report = TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence)
        report.extra["inferences"] = self._inferences * self._sampling.frames
        rows = np.array(sorted(self._scores), np.float64).reshape(-1, 3)
        features = {"actions.times": rows[:, :2].mean(1), "actions.scores": rows[:, 2].astype(np.float32)}
        return TaskResult(events=fight_events(rows, card.labels[self._class]), features=features, report=report)

    def _window(self) -> ActionWindow:
        return ActionWindow.from_frames(list(self._frames), self._sampling.frames)

    def _triage(self, window: ActionWindow) -> None:
        """Score a window, postpone it, or set its score to 0."""
        if not window.has_local_motion:
            self._scores.append((window.start, window.end, 0.0))
        elif self._is_due(window):
            self._score_with_neighbors(window)
        else:
            self._postponed.append(window)

    def _score_with_neighbors(self, window: ActionWindow) -> None:
        """Score a window and, if it is suspicious, the windows postponed since the last inference."""
        if self._score(window) >= SUSPICION_SCORE:
            for postponed in self._postponed:
                self._score(postponed)
        self._postponed.clear()

    def _is_due(self, window: ActionWindow) -> bool:
        if self._last_scored is None:
            return True
        last, score = self._last_scored
        motion_grew = window.foreground > MIN_MOTION_GROWTH * last.foreground
        return score >= SUSPICION_SCORE or motion_grew or window.start - last.start >= MAX_INTERVAL_SECONDS

    def _score(self, window: ActionWindow) -> float:
        logits = self._net(window.pixels[None])[-1]
        score = float(probabilities(self._net.card, logits)[0, self._class])
        self._inferences += 1
        self._scores.append((window.start, window.end, score))
        if self._last_scored is None or window.start > self._last_scored[0].start:
            self._last_scored = window, score
        return score


def fight_events(rows: Float64Array, label: str) -> list[Event]:
    """Return the events of scored windows: (N, 3) float64 rows of start, end, score in time order.

    A video of a single window needs only that one.
    """
    spans = hysteresis_spans(
        rows[:, 2], EVENT_START_SCORE, EVENT_END_SCORE, min_length=min(MIN_EVENT_WINDOWS, len(rows))
    )
    return [
        Event("actions", rows[first, 0], rows[stop - 1, 1], label, float(rows[first:stop, 2].max()))
        for first, stop in spans
    ]
