"""When there is a fight: a score for two seconds at a time, and events where it stays high.

The network learned it from surveillance cameras (Akti et al., "Vision-based Fight Detection from Surveillance
Cameras", IPTA 2019). It takes for granted what it saw there, a camera that stands still: under one that moves it may
call anything lively a fight. So such pictures are not shown to it, nor are still ones. Any other model that classifies
clips may take its place, such as one trained on clips of your own.

A look costs a tenth of a second of CPU, or with a 3-D CNN a second, hence it is not taken everywhere: every few seconds
while all is calm, at once when the motion grows, at the end, and everywhere around a look that raised a suspicion.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.media import Audio, Frame, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.models import choose
from kinoscope.models.inference.classifier import find_classifier, get_sampling, probabilities
from kinoscope.models.runtime.runner import make_runner
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.signal.hysteresis import hysteresis_spans

GRID_CELLS = 14
"""Cells along the shorter side of the picture, in each of which motion is measured."""
MIN_MOTION_LEVELS = 8.0
"""Change of the ten liveliest cells, in grey levels a frame, under which nobody fights: 98 % of fights have more."""
MAX_CAMERA_MOTION_LEVELS = 4.0
"""Change that three quarters of the cells exceed when the camera moves."""

MAX_INTERVAL_SECONDS = 6.0
"""Seconds from one look to the next while all is calm."""
MIN_MOTION_GROWTH = 1.5
"""How much the motion must have grown since the last look for the next to come at once."""
SUSPICION_SCORE = 0.3
"""Score from which the windows around are looked at too."""
EVENT_START_SCORE, EVENT_END_SCORE = 0.8, 0.5
"""Scores at which an event begins and ends: 60 % of fights reach the first, and 6 % of other clips."""
MIN_EVENT_WINDOWS = 2
"""Windows in a row that make an event: a wave of the hand can look like a blow, but does not go on."""


@dataclass(frozen=True, slots=True)
class ActionWindow:
    """Some two seconds: frames (T, H, W, C), their first and last time in seconds, and how much moves in them.

    ``liveliest`` is the mean change of the ten liveliest cells of each frame, ``quarter`` the change that three
    quarters of the cells exceed; both in grey levels from frame to frame.
    """

    pixels: Pixels
    start: float
    end: float
    liveliest: float
    quarter: float

    @classmethod
    def of(cls, frames: list[Frame], length: int) -> ActionWindow:
        """Make a window of that many frames; of fewer, some stand twice."""
        picks = np.linspace(0, len(frames) - 1, length).round().astype(int)
        pixels = np.stack([frames[i].pixels for i in picks])
        cells = cell_motion(np.stack([frame.pixels for frame in frames]))
        lively = float(np.sort(cells.reshape(len(cells), -1), axis=1)[:, -10:].mean()) if len(cells) else 0.0
        quarter = float(np.percentile(cells.mean(0), 25)) if len(cells) else 0.0
        return cls(pixels, float(frames[0].time), float(frames[-1].time), lively, quarter)

    @property
    def suits(self) -> bool:
        """Whether something moves, but not everything."""
        return self.liveliest >= MIN_MOTION_LEVELS and self.quarter <= MAX_CAMERA_MOTION_LEVELS


def cell_motion(pixels: Pixels) -> Float32Array:
    """Give the mean change of each cell from frame to frame, (T - 1, rows, columns), of pixels (T, H, W, C).

    Pixels at the right and the bottom that fill no cell are left out.
    """
    side = max(1, min(pixels.shape[1:3]) // GRID_CELLS)
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    grey = pixels[:, : rows * side, : columns * side].mean(3, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0))
    cells: Float32Array = change.reshape(len(change), rows, side, columns, side).mean((2, 4))
    return cells


class Actions:
    """A classifier of clips over windows that slide by half; an event while its score stays high.

    The score is the probability of the class ``fight``, or of the model's first class if none is called that. The whole
    picture is looked at, stretched: scores are as good as for the middle alone.

    Events: label that class, from the start of the first to the end of the last window in question, ``score`` the
    highest in it. Features: ``actions.times`` (N,) float64, the middles of the windows in seconds, and
    ``actions.scores`` (N,) float32, 0 where nothing or everything moves. Between two looks far apart all was calm.
    """

    name = "actions"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._passed: list[ActionWindow] = []
        self._last: tuple[ActionWindow, float] | None = None
        self._scores: list[tuple[float, float, float]] = []
        self._looks = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for a few small pictures a second.

        Raises:
            Skip: there is no picture.
            ModelError: the model does not classify clips.
        """
        if not info.width:
            raise Skip("no picture")
        card = choose("actions") if self.model == "auto" else find_classifier(self.model)
        self._net = make_runner(card, self.device, threads=self.threads)
        self._sampling = sampling = get_sampling(card)
        self._stride = max(1, sampling.frames // 2)
        self._frames: deque[Frame] = deque(maxlen=sampling.frames)
        self._waiting = sampling.frames
        self._class = next((i for i, label in enumerate(card.labels) if label.casefold() == "fight"), 0)
        return Needs(sizes=(sampling.size,), rate=sampling.rate, batch=self._stride)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Take the next frames; each window is judged as soon as it is full."""
        for frame in batches[0]:
            self._frames.append(frame)
            self._waiting -= 1
            if not self._waiting:
                self._judge(self._window())
                self._waiting = self._stride

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Judge what is left of the video, and give the events and the scores."""
        # A rest of a few frames has been seen all but whole; a video shorter than a window has not.
        if self._frames and (self._waiting <= self._stride // 2 or not self._scores):
            self._judge(self._window())
        if self._passed:
            self._examine(self._passed.pop())
        card = self._net.card
        report = TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence)
        report.extra["inferences"] = self._looks * self._sampling.frames
        rows = np.array(sorted(self._scores), np.float64).reshape(-1, 3)
        features = {"actions.times": rows[:, :2].mean(1), "actions.scores": rows[:, 2].astype(np.float32)}
        return TaskResult(events=fight_events(rows, card.labels[self._class]), features=features, report=report)

    def _window(self) -> ActionWindow:
        return ActionWindow.of(list(self._frames), self._sampling.frames)

    def _judge(self, window: ActionWindow) -> None:
        """Score a window, or pass it over for now."""
        if not window.suits:
            self._scores.append((window.start, window.end, 0.0))
        elif self._due(window):
            self._examine(window)
        else:
            self._passed.append(window)

    def _examine(self, window: ActionWindow) -> None:
        """Look at a window and, if it is suspicious, at those passed over since the last look."""
        if self._look(window) >= SUSPICION_SCORE:
            for passed in self._passed:
                self._look(passed)
        self._passed.clear()

    def _due(self, window: ActionWindow) -> bool:
        if self._last is None:
            return True
        last, score = self._last
        grown = window.liveliest > MIN_MOTION_GROWTH * last.liveliest
        return score >= SUSPICION_SCORE or grown or window.start - last.start >= MAX_INTERVAL_SECONDS

    def _look(self, window: ActionWindow) -> float:
        logits = self._net(window.pixels[None])[-1]
        score = float(probabilities(self._net.card, logits)[0, self._class])
        self._looks += 1
        self._scores.append((window.start, window.end, score))
        if self._last is None or window.start > self._last[0].start:
            self._last = window, score
        return score


def fight_events(rows: Float64Array, label: str) -> list[Event]:
    """Give the events of windows with scores: (N, 3) float64 rows of start, end, score in time order.

    Of a video that is but one window, that one is enough.
    """
    found = hysteresis_spans(rows[:, 2], EVENT_START_SCORE, EVENT_END_SCORE, shortest=min(MIN_EVENT_WINDOWS, len(rows)))
    return [Event("actions", rows[a, 0], rows[b - 1, 1], label, float(rows[a:b, 2].max())) for a, b in found]
