"""Shot boundary detection: hard cuts, dissolves and fades.

TransNet V2 (Souček and Lokoč, arXiv 2008.04838) scores each frame, but runs only on the windows in which a cheap
comparison of frames finds a possible transition. Its windows are where they would be if it ran everywhere, so a window
that is scored gets the same scores. Two of its errors are corrected by comparing frames: it misses cuts between similar
frames (two people in front of the same wall), and takes flashes of light for cuts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import BoolArray, Float32Array, Float64Array
from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.core.time import last_frame_end
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.signal.hysteresis import hysteresis_spans
from kinoscope.views.timeline import Timeline

FRAME_SIZE = 48, 27
"""Width and height in pixels of the network's input."""
WINDOW_FRAMES, STRIDE_FRAMES = 100, 50
"""Frames per window of the network, and frames in its middle whose scores are used."""
MARGIN_FRAMES = (WINDOW_FRAMES - STRIDE_FRAMES) // 2
MIN_TRANSITION_SCORE = 0.5
"""Score from which a frame is the last of its shot."""
MIN_GRADUAL_FRAMES = 4
"""Frames of a transition from which it is no hard cut."""

# Thresholds of the cheap comparison; differences are means over the frame, in grey levels of 0 to 255. All were set so
# that no transition of the dense network is lost, on 20 films edited from real ones; see `may_contain_transition`.
MIN_CUT_DIFFERENCE, MIN_CUT_RATIO = 8.0, 2.0
"""Difference of adjacent frames at a cut, and its ratio to that of the frames around it (of a moving camera)."""
CONTEXT_FRAMES = 12
"""Frames on either side of a cut with which it is compared, and maximum length of a flash in frames."""
MIN_CERTAIN_CUT_RATIO = 5.0
"""Ratio of a difference of adjacent frames to every other one around it at a certain cut."""
MAX_RELIT_SHARE = 0.5
"""Share of a difference that remains after adjusting brightness and contrast; below it, only the light changed."""
MAX_FLASH_RETURN_SHARE = 0.4
"""Share of a flash's difference up to which the frame after it equals the frame before it."""
MIN_FLASH_SHARE, NOISE_LEVELS = 0.9, 4
"""Share of a flash's values that are brighter, up to some grey levels of noise, than those before it."""
MAX_BOUNDARY_FLASH_FRAMES = 2
"""Frames at the beginning or end of a video up to which they are a flash if they are brighter all over."""
DISSOLVE_DIFFERENCES = ((8, 10.0), (16, 12.0))
"""Lag in frames, and the minimum difference over that lag in a dissolve or fade."""
MAX_DISSOLVE_DEVIATION = 0.2
"""Deviation of the middle of a dissolve from the average of its ends, as a share of their difference."""


class ShotWindows:
    """Splitter of a stream of frames into overlapping windows that cover every frame once with their middle.

    The first and the last frame are repeated at the ends. At most a window and a batch are buffered.
    """

    def __init__(self) -> None:
        self._buffer: list[Pixels] = []
        self._count = 0
        self._total = 0

    def add(self, pixels: Pixels) -> Iterator[Pixels]:
        """Add frames (T, H, W, C), and yield each window (WINDOW_FRAMES, H, W, C) that is full by now."""
        if not self._total and len(pixels):
            self._append(pixels[:1].repeat(MARGIN_FRAMES, 0))
        self._total += len(pixels)
        self._append(pixels)
        yield from self._pop_full_windows()

    def close(self) -> Iterator[Pixels]:
        """Yield the remaining windows."""
        if self._total:
            self._append(self._buffer[-1][-1:].repeat(MARGIN_FRAMES - self._total % -STRIDE_FRAMES, 0))
        yield from self._pop_full_windows()

    def _append(self, pixels: Pixels) -> None:
        self._buffer.append(pixels)
        self._count += len(pixels)

    def _pop_full_windows(self) -> Iterator[Pixels]:
        while self._count >= WINDOW_FRAMES:
            frames = np.concatenate(self._buffer)
            self._buffer, self._count = [frames[STRIDE_FRAMES:]], self._count - STRIDE_FRAMES
            yield frames[:WINDOW_FRAMES]


def may_contain_transition(window: Pixels) -> bool:
    """Return whether there may be a transition in the middle of a window (T, H, W, C).

    A cut is a difference of adjacent frames that exceeds those around it. A dissolve or fade is a larger difference
    over a lag, with a middle that is the average of both ends, unlike motion (the double chromatic difference of Yu,
    Bozdagi and Harrington, "Feature-based hierarchical video segmentation", ICIP 1997).
    """
    middle = slice(MARGIN_FRAMES - 2, WINDOW_FRAMES - MARGIN_FRAMES + 2)
    frames = window.astype(np.int16)
    return bool((_cuts(frames) | _dissolves(frames))[middle].any())


def _cuts(frames: NDArray[np.int16]) -> BoolArray:
    differences = _difference(frames[1:], frames[:-1])
    surrounding = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(differences, 8, mode="edge"), 17), axis=1)
    detected = (differences > MIN_CUT_DIFFERENCE) & (differences > MIN_CUT_RATIO * (surrounding + 1))
    return np.append(detected, False)


def certain_cuts(window: Pixels) -> Float32Array:
    """Return the confidence (T,) that a cut follows each frame of a window (T, H, W, C), by differences alone.

    The difference at such a cut is at least ``MIN_CERTAIN_CUT_RATIO`` times any other difference around it, except the
    two adjacent ones, in which a blended frame may take part. Differences of a moving camera are similar, and a change
    of light is no cut.
    """
    frames = window.astype(np.int16)
    differences = _difference(frames[1:], frames[:-1])
    padded = np.pad(differences, CONTEXT_FRAMES)
    others = np.lib.stride_tricks.sliding_window_view(padded, 2 * CONTEXT_FRAMES + 1).copy()
    peaks = differences >= others[:, CONTEXT_FRAMES - 1 : CONTEXT_FRAMES + 2].max(axis=1)
    others[:, CONTEXT_FRAMES - 1 : CONTEXT_FRAMES + 2] = 0
    surrounding = others.max(axis=1) + 1
    scores = np.zeros(len(window), np.float32)
    for i in np.flatnonzero(
        peaks & (differences > MIN_CUT_DIFFERENCE) & (differences > MIN_CERTAIN_CUT_RATIO * surrounding)
    ).tolist():
        if not _is_relit(frames[i], frames[i + 1], differences[i]):
            scores[i] = 1 - surrounding[i] / differences[i]
    return scores


def _is_relit(before: NDArray[np.int16], after: NDArray[np.int16], difference: float) -> bool:
    """Return whether brightness and contrast explain most of the difference of two frames."""
    slope, offset = np.polyfit(before.ravel(), after.ravel(), 1) if np.ptp(before) else (1.0, 0.0)
    return bool(np.abs(after - slope * before - offset).mean() < MAX_RELIT_SHARE * difference)


def is_flash(frames: Pixels, last: int) -> bool:
    """Return whether the change after frame ``last`` of ``frames`` (T, H, W, C) is that of a flash.

    Some frame before it equals some frame after it, and between the two the frame is brighter all over; or the frames
    begin or end with it, so that only one side of it is known.
    """
    if last < MAX_BOUNDARY_FLASH_FRAMES and _is_lit(frames[: last + 1], frames[last + 1]):
        return True
    if len(frames) - MAX_BOUNDARY_FLASH_FRAMES <= last + 1 and _is_lit(frames[last + 1 :], frames[last]):
        return True
    begin = max(0, last - CONTEXT_FRAMES)
    context = frames[begin : last + 2 + CONTEXT_FRAMES].astype(np.int16)
    distances = np.stack([_difference(context, one[None]) for one in context])
    first, stop = last - begin, len(context)
    pairs = [(a, b) for a in range(first + 1) for b in range(max(a + 2, first + 1), min(stop, a + CONTEXT_FRAMES + 2))]
    return any(_is_flash_between(context, distances, a, b) for a, b in pairs)


def _is_flash_between(frames: NDArray[np.int16], distances: Float64Array, before: int, after: int) -> bool:
    """Return whether two frames are equal, except for motion, and the frames between them are brighter."""
    middle = before + 1 + int(distances[before, before + 1 : after].argmax())
    moves = (after - before) * (
        float(np.median(np.diagonal(distances, 1))) - 1
    )  # a grey level of noise does not add up
    if distances[before, after] >= min(
        MAX_FLASH_RETURN_SHARE * distances[before, middle], max(MIN_CUT_DIFFERENCE, moves)
    ):
        return False
    return bool((frames[middle] >= np.maximum(frames[before], frames[after]) - NOISE_LEVELS).mean() >= MIN_FLASH_SHARE)


def _is_lit(frames: Pixels, other: Pixels) -> bool:
    """Return whether frames (T, H, W, C) are brighter all over than another (H, W, C), or of maximum brightness."""
    threshold = np.minimum(other.astype(np.int16) + NOISE_LEVELS, 255 - NOISE_LEVELS)
    return bool((frames >= threshold).mean() >= MIN_FLASH_SHARE)


def _dissolves(frames: NDArray[np.int16]) -> BoolArray:
    detected = np.zeros(len(frames), bool)
    for lag, min_difference in DISSOLVE_DIFFERENCES:
        first, middle, last = frames[:-lag], frames[lag // 2 : -lag // 2], frames[lag:]
        change = _difference(first, last)
        bend = _difference(2 * middle, first + last) / 2
        detected[lag // 2 : -lag // 2] |= (change > min_difference) & (bend < MAX_DISSOLVE_DEVIATION * (change + 1))
    return detected


def _difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> Float64Array:
    return np.asarray(np.abs(a - b).mean((1, 2, 3)))


class Shots(Task):
    """TransNet V2 where the frames change; one event per shot.

    Events: label ``shot``, without gaps from the first frame's time to the last frame's end. ``score`` is the
    confidence of the transition that the shot begins with (1 for the first), and ``extra["transition"]`` whether that
    was a ``cut`` or ``gradual``. A shot begins with the frame after the network's peak: the first frame after a cut,
    the middle of a dissolve.
    """

    name = "shots"
    card_task = "shots"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._windows = ShotWindows()
        self._times = array("d")
        self._scores: list[Float32Array] = []
        self._last: Fraction | None = None
        self._inferences = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Load the model and request every frame, at the network's small size.

        Raises:
            Skip: there is no video.
        """
        if not info.width:
            raise Skip("no video")
        self._net = load("shots", self.model, self.device, threads=self.threads)
        self._rate = info.rate
        return Needs(sizes=(FRAME_SIZE,), batch=STRIDE_FRAMES)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Score the next frames."""
        self._times.extend(batches[0].times)
        self._last = batches[0].last
        self._score(self._windows.add(batches[0].pixels))

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the shots."""
        self._score(self._windows.close())
        report = TaskReport(model=self._net.card.name, runtime=self._net.runtime, licence=self._net.card.licence)
        report.extra["inferences"] = self._inferences * STRIDE_FRAMES
        if not self._times:
            return TaskResult(report=report)
        changes, transition_scores = np.concatenate(self._scores, axis=1)[:, : len(self._times)]
        end = last_frame_end(self._times, self._rate, self._last)
        return TaskResult(events=shot_events(np.array(self._times), end, changes, transition_scores), report=report)

    def _score(self, windows: Iterator[Pixels]) -> None:
        for window in windows:
            scores = np.zeros((2, STRIDE_FRAMES), np.float32)
            if may_contain_transition(window):
                self._inferences += 1
                scores[:] = [output[0, MARGIN_FRAMES:-MARGIN_FRAMES] for output in self._net(window[None])]
            self._scores.append(correct_scores(scores, window, *self._valid_range()))

    def _valid_range(self) -> tuple[int, int]:
        """Return the first frame of the next window that is in the video, and the one after the last such frame."""
        begin = MARGIN_FRAMES - STRIDE_FRAMES * len(self._scores)
        return max(0, begin), min(WINDOW_FRAMES, begin + len(self._times))


def correct_scores(scores: Float32Array, window: Pixels, first: int, stop: int) -> Float32Array:
    """Return the network's scores (2, STRIDE_FRAMES) with the cuts that it misses, and without flashes.

    Args:
        scores: of the middle of the window.
        window: (WINDOW_FRAMES, H, W, C).
        first, stop: range of the window's frames that are in the video; the others repeat these.
    """
    changes, transition_scores = scores
    changes = np.maximum(changes, certain_cuts(window)[MARGIN_FRAMES:-MARGIN_FRAMES])
    for frame in (MARGIN_FRAMES + np.flatnonzero(changes >= MIN_TRANSITION_SCORE)).tolist():
        if frame + 1 < stop and is_flash(window[first:stop], frame - first):
            changes[frame - MARGIN_FRAMES] = 0
    return np.stack([changes, transition_scores])


def shot_events(times: Float64Array, end: float, changes: Float32Array, transition_scores: Float32Array) -> list[Event]:
    """Convert scores to shots.

    Args:
        times: (N,) of the frames, in seconds.
        end: of the last frame, in seconds.
        changes: (N,) probability that a frame is the last of its shot, or the middle of a gradual transition.
        transition_scores: (N,) probability that a frame is part of a transition.
    """
    events = [Event("shots", float(times[0]), end, "shot", 1.0)]
    for first, stop in hysteresis_spans(changes, MIN_TRANSITION_SCORE, MIN_TRANSITION_SCORE):
        peak = first + int(np.argmax(changes[first:stop]))
        if peak + 1 == len(times):
            continue
        start = float(times[peak + 1])
        events[-1].end = start
        kind = "gradual" if _length(transition_scores, peak) >= MIN_GRADUAL_FRAMES else "cut"
        events.append(Event("shots", start, end, "shot", float(changes[peak]), extra={"transition": kind}))
    return events


def _length(transition_scores: Float32Array, peak: int) -> int:
    """Return the number of frames of the transition around a peak."""
    return next(
        (
            stop - first
            for first, stop in hysteresis_spans(transition_scores, MIN_TRANSITION_SCORE, MIN_TRANSITION_SCORE)
            if first <= peak < stop
        ),
        0,
    )
