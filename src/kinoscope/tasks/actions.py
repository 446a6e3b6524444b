"""When there is a fight: a score for two seconds at a time, and events where it stays high.

MC3-18 (Tran et al., CVPR 2018) learned it from surveillance cameras (Akti et al., "Vision-based Fight Detection from
Surveillance Cameras", IPTA 2019). It takes for granted what it saw there, a camera that stands still: under one that
moves it calls anything lively a fight. So such pictures are not shown to it, nor are still ones.

A look costs about a second of CPU, hence it is not taken everywhere: every few seconds while all is calm, at once when
the motion grows, at the end, and everywhere around a look that raised a suspicion.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.media import Frame, FrameBatch, Pixels, Sound, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.spans import spans

SIZE = 112, 112
"""The whole picture, stretched: scores are as good as for the middle that the network was trained on."""
RATE = 8.0
"""Frames per second; the network was trained on 16 frames of clips of about two seconds."""
WINDOW, STRIDE = 16, 8
"""Frames of a window, and from one window to the next."""

CELL = 8
"""Side in pixels of the cells in which motion is measured."""
STILL = 8.0
"""Change of the ten liveliest cells, in grey levels a frame, under which nobody fights: 98 % of fights have more."""
MOVING = 4.0
"""Change that three quarters of the cells exceed when the camera moves."""

PACE = 6.0
"""Seconds from one look to the next while all is calm."""
GROWN = 1.5
"""How much the motion must have grown since the last look for the next to come at once."""
SUSPICION = 0.3
"""Score from which the windows around are looked at too."""
ON, OFF = 0.9, 0.5
"""Scores at which an event begins and ends."""
SHORTEST = 2
"""Windows in a row that make an event: a wave of the hand can look like a blow, but does not go on."""

Cells = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """Some two seconds: frames (WINDOW, H, W, C), their first and last time in seconds, and how much moves in them.

    ``liveliest`` is the mean change of the ten liveliest cells of each frame, ``quarter`` the change that three
    quarters of the cells exceed; both in grey levels from frame to frame.
    """

    pixels: Pixels
    start: float
    end: float
    liveliest: float
    quarter: float

    @classmethod
    def of(cls, frames: list[Frame]) -> Window:
        """Make a window of WINDOW frames; of fewer, some stand twice."""
        picks = np.linspace(0, len(frames) - 1, WINDOW).round().astype(int)
        pixels = np.stack([frames[i].pixels for i in picks])
        cells = motion(np.stack([frame.pixels for frame in frames]))
        lively = float(np.sort(cells.reshape(len(cells), -1), axis=1)[:, -10:].mean()) if len(cells) else 0.0
        quarter = float(np.percentile(cells.mean(0), 25)) if len(cells) else 0.0
        return cls(pixels, float(frames[0].time), float(frames[-1].time), lively, quarter)

    @property
    def suits(self) -> bool:
        """Whether something moves, but not everything."""
        return self.liveliest >= STILL and self.quarter <= MOVING


def motion(pixels: Pixels) -> Cells:
    """Give the mean change of each cell from frame to frame: (T, H, W, C) to (T - 1, H / CELL, W / CELL)."""
    grey = pixels.mean(3, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0))
    frames, height, width = change.shape
    cells: Cells = change.reshape(frames, height // CELL, CELL, width // CELL, CELL).mean((2, 4))
    return cells


class Actions:
    """MC3-18 over sliding windows; an event while its score stays high.

    Events: label ``fight``, from the start of the first to the end of the last window in question, ``score`` the
    highest in it. Features: ``actions.times`` (N,) float64, the middles of the windows in seconds, and
    ``actions.scores`` (N,) float32, 0 where nothing or everything moves. Between two looks far apart all was calm.
    """

    name = "actions"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._frames: deque[Frame] = deque(maxlen=WINDOW)
        self._waiting = WINDOW
        self._passed: list[Window] = []
        self._last: tuple[Window, float] | None = None
        self._scores: list[tuple[float, float, float]] = []
        self._looks = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for a few small pictures a second.

        Raises:
            Skip: there is no picture.
        """
        if not info.width:
            raise Skip("no picture")
        self._net = load("actions", self.model, self.device, threads=self.threads)
        return Needs(sizes=(SIZE,), rate=RATE, batch=STRIDE)

    def step(self, *batches: FrameBatch) -> None:
        """Take the next frames; each window is judged as soon as it is full."""
        for frame in batches[0]:
            self._frames.append(frame)
            self._waiting -= 1
            if not self._waiting:
                self._judge(Window.of(list(self._frames)))
                self._waiting = STRIDE

    def listen(self, sound: Sound) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Judge what is left of the video, and give the events and the scores."""
        # A rest of a few frames has been seen all but whole; a video shorter than a window has not.
        if self._frames and (self._waiting <= STRIDE // 2 or not self._scores):
            self._judge(Window.of(list(self._frames)))
        if self._passed:
            self._examine(self._passed.pop())
        card = self._net.card
        report = TaskReport(model=card.name, runtime=self._net.runtime, licence=card.licence)
        report.extra["inferences"] = self._looks * WINDOW
        rows = np.array(sorted(self._scores), np.float64).reshape(-1, 3)
        features = {"actions.times": rows[:, :2].mean(1), "actions.scores": rows[:, 2].astype(np.float32)}
        return TaskResult(events=events(rows, card.labels[0]), features=features, report=report)

    def _judge(self, window: Window) -> None:
        """Score a window, or pass it over for now."""
        if not window.suits:
            self._scores.append((window.start, window.end, 0.0))
        elif self._due(window):
            self._examine(window)
        else:
            self._passed.append(window)

    def _examine(self, window: Window) -> None:
        """Look at a window and, if it is suspicious, at those passed over since the last look."""
        if self._look(window) >= SUSPICION:
            for passed in self._passed:
                self._look(passed)
        self._passed.clear()

    def _due(self, window: Window) -> bool:
        if self._last is None:
            return True
        last, score = self._last
        grown = window.liveliest > GROWN * last.liveliest
        return score >= SUSPICION or grown or window.start - last.start >= PACE

    def _look(self, window: Window) -> float:
        score = float(self._net(window.pixels[None])[0][0, 0])
        self._looks += 1
        self._scores.append((window.start, window.end, score))
        if self._last is None or window.start > self._last[0].start:
            self._last = window, score
        return score


def events(rows: NDArray[np.float64], label: str) -> list[Event]:
    """Give the events of windows with scores: (N, 3) float64 rows of start, end, score in time order.

    Of a video that is but one window, that one is enough.
    """
    found = spans(rows[:, 2], ON, OFF, shortest=min(SHORTEST, len(rows)))
    return [Event("actions", rows[a, 0], rows[b - 1, 1], label, float(rows[a:b, 2].max())) for a, b in found]
