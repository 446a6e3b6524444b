"""Where one shot ends and the next begins: hard cuts, dissolves and fades.

TransNet V2 (Souček and Lokoč, arXiv 2008.04838) scores each frame, but is run only on the stretches in which a cheap
comparison of frames says that a change may be. Its windows lie where they would if it ran everywhere, so a stretch that
is scored gets the same scores. Two of its errors are corrected by comparing frames: it misses cuts between pictures
that are alike (two people before the same wall), and takes flashes of light for cuts.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import BoolArray, Float32Array, Float64Array
from kinoscope.core.media import Audio, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.core.time import last_frame_end
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.signal.hysteresis import hysteresis_spans

FRAME_SIZE = 48, 27
WINDOW_FRAMES, STRIDE_FRAMES = 100, 50
"""Frames that the network looks at, and those in the middle of them whose scores are kept."""
MARGIN_FRAMES = (WINDOW_FRAMES - STRIDE_FRAMES) // 2
MIN_TRANSITION_SCORE = 0.5
"""Score from which a frame is the last of its shot."""
MIN_GRADUAL_FRAMES = 4
"""Frames of a transition from which it is no hard cut."""

# What may be a change; differences are means over the picture, in grey levels of 0 to 255. All were set so that no
# transition that the dense network finds is lost, on 20 films cut together from real ones; see `worth_a_look`.
MIN_CUT_DIFFERENCE, MIN_CUT_RATIO = 8.0, 2.0
"""Difference of neighbours in a cut, and how often it exceeds that of the frames around it (a moving camera's)."""
CONTEXT_FRAMES = 12
"""Frames on either side of a cut with which it is compared, and longest flash in frames."""
MIN_CERTAIN_CUT_RATIO = 5.0
"""How often a difference of neighbours exceeds every other one around it where it is a cut without any doubt."""
MAX_RELIT_SHARE = 0.5
"""Share of a difference that stays when brightness and contrast are adjusted; under it, only the light changed."""
MAX_FLASH_RETURN_SHARE = 0.4
"""Share of a flash's difference up to which the picture after it is the one before it."""
MIN_FLASH_SHARE, NOISE_LEVELS = 0.9, 4
"""Share of a flash's values that are brighter, but for some grey levels, than those before it."""
MAX_BOUNDARY_FLASH_FRAMES = 2
"""Frames at the beginning or end of a video up to which they are a flash if they are brighter all over."""
DISSOLVE_DIFFERENCES = ((8, 10.0), (16, 12.0))
"""Lag in frames, and the difference over that lag in a dissolve or fade."""
MAX_DISSOLVE_DEVIATION = 0.2
"""How far the middle of a dissolve may be from the average of its ends, as a share of their difference."""


class ShotWindows:
    """Cut a stream of frames into overlapping windows that cover every frame once with their middle.

    The first and the last frame are repeated to fill the ends. No more than a window and a batch are held.
    """

    def __init__(self) -> None:
        self._held: list[Pixels] = []
        self._count = 0
        self._total = 0

    def add(self, pixels: Pixels) -> Iterator[Pixels]:
        """Take frames (T, H, W, C), and yield each window (WINDOW, H, W, C) that is full by now."""
        if not self._total and len(pixels):
            self._hold(pixels[:1].repeat(MARGIN_FRAMES, 0))
        self._total += len(pixels)
        self._hold(pixels)
        yield from self._full()

    def close(self) -> Iterator[Pixels]:
        """Yield the windows that are left."""
        if self._total:
            self._hold(self._held[-1][-1:].repeat(MARGIN_FRAMES - self._total % -STRIDE_FRAMES, 0))
        yield from self._full()

    def _hold(self, pixels: Pixels) -> None:
        self._held.append(pixels)
        self._count += len(pixels)

    def _full(self) -> Iterator[Pixels]:
        while self._count >= WINDOW_FRAMES:
            frames = np.concatenate(self._held)
            self._held, self._count = [frames[STRIDE_FRAMES:]], self._count - STRIDE_FRAMES
            yield frames[:WINDOW_FRAMES]


def may_contain_transition(window: Pixels) -> bool:
    """Whether a change of shot may be in the middle of a window (T, H, W, C).

    A cut is a difference of neighbours that stands out from those around it. A dissolve or fade is a larger difference
    over a lag, in whose middle the picture is the average of both ends, which motion is not (the double chromatic
    difference of Yu, Bozdagi and Harrington, "Feature-based hierarchical video segmentation", ICIP 1997).
    """
    middle = slice(MARGIN_FRAMES - 2, WINDOW_FRAMES - MARGIN_FRAMES + 2)
    frames = window.astype(np.int16)
    return bool((_cuts(frames) | _dissolves(frames))[middle].any())


def _cuts(frames: NDArray[np.int16]) -> BoolArray:
    steps = _difference(frames[1:], frames[:-1])
    around = np.median(np.lib.stride_tricks.sliding_window_view(np.pad(steps, 8, mode="edge"), 17), axis=1)
    found = (steps > MIN_CUT_DIFFERENCE) & (steps > MIN_CUT_RATIO * (around + 1))
    return np.append(found, False)


def certain_cuts(window: Pixels) -> Float32Array:
    """Return the confidence (T,) that a cut follows each frame of a window (T, H, W, C), by differences alone.

    The difference at such a cut is at least ``MIN_CERTAIN_CUT_RATIO`` times any other difference of neighbours around
    it, except the two adjacent ones, in which a blended frame may take part. Differences
    of a moving camera are alike, and a change of light is no cut.
    """
    frames = window.astype(np.int16)
    steps = _difference(frames[1:], frames[:-1])
    padded = np.pad(steps, CONTEXT_FRAMES)
    others = np.lib.stride_tricks.sliding_window_view(padded, 2 * CONTEXT_FRAMES + 1).copy()
    peaks = steps >= others[:, CONTEXT_FRAMES - 1 : CONTEXT_FRAMES + 2].max(axis=1)
    others[:, CONTEXT_FRAMES - 1 : CONTEXT_FRAMES + 2] = 0
    around = others.max(axis=1) + 1
    scores = np.zeros(len(window), np.float32)
    for i in np.flatnonzero(peaks & (steps > MIN_CUT_DIFFERENCE) & (steps > MIN_CERTAIN_CUT_RATIO * around)).tolist():
        if not _is_relit(frames[i], frames[i + 1], steps[i]):
            scores[i] = 1 - around[i] / steps[i]
    return scores


def _is_relit(before: NDArray[np.int16], after: NDArray[np.int16], step: float) -> bool:
    """Whether one frame is the other in another light: brightness and contrast account for most of their difference."""
    slope, offset = np.polyfit(before.ravel(), after.ravel(), 1) if np.ptp(before) else (1.0, 0.0)
    return bool(np.abs(after - slope * before - offset).mean() < MAX_RELIT_SHARE * step)


def is_flash(frames: Pixels, last: int) -> bool:
    """Whether the change after frame ``last`` of some (T, H, W, C) is that of a flash.

    Some frame before it shows the same as some frame after it, and between the two the picture is brighter all over;
    or the frames begin or end with it, so that only one side of it is known.
    """
    if last < MAX_BOUNDARY_FLASH_FRAMES and _is_lit(frames[: last + 1], frames[last + 1]):
        return True
    if len(frames) - MAX_BOUNDARY_FLASH_FRAMES <= last + 1 and _is_lit(frames[last + 1 :], frames[last]):
        return True
    begin = max(0, last - CONTEXT_FRAMES)
    some = frames[begin : last + 2 + CONTEXT_FRAMES].astype(np.int16)
    apart = np.stack([_difference(some, one[None]) for one in some])
    first, past = last - begin, len(some)
    pairs = [(a, b) for a in range(first + 1) for b in range(max(a + 2, first + 1), min(past, a + CONTEXT_FRAMES + 2))]
    return any(_returns(some, apart, a, b) for a, b in pairs)


def _returns(frames: NDArray[np.int16], apart: Float64Array, a: int, b: int) -> bool:
    """Whether frame b shows what frame a shows, but for what moves meanwhile, and what is between them is brighter."""
    middle = a + 1 + int(apart[a, a + 1 : b].argmax())
    moves = (b - a) * (float(np.median(np.diagonal(apart, 1))) - 1)  # a grey level of noise does not add up
    if apart[a, b] >= min(MAX_FLASH_RETURN_SHARE * apart[a, middle], max(MIN_CUT_DIFFERENCE, moves)):
        return False
    return bool((frames[middle] >= np.maximum(frames[a], frames[b]) - NOISE_LEVELS).mean() >= MIN_FLASH_SHARE)


def _is_lit(frames: Pixels, other: Pixels) -> bool:
    """Return whether frames (T, H, W, C) are brighter all over than another (H, W, C), or as bright as can be."""
    least = np.minimum(other.astype(np.int16) + NOISE_LEVELS, 255 - NOISE_LEVELS)
    return bool((frames >= least).mean() >= MIN_FLASH_SHARE)


def _dissolves(frames: NDArray[np.int16]) -> BoolArray:
    found = np.zeros(len(frames), bool)
    for lag, least in DISSOLVE_DIFFERENCES:
        first, middle, last = frames[:-lag], frames[lag // 2 : -lag // 2], frames[lag:]
        change = _difference(first, last)
        bend = _difference(2 * middle, first + last) / 2
        found[lag // 2 : -lag // 2] |= (change > least) & (bend < MAX_DISSOLVE_DEVIATION * (change + 1))
    return found


def _difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> Float64Array:
    return np.asarray(np.abs(a - b).mean((1, 2, 3)))


class Shots:
    """TransNet V2 where the picture changes; one event a shot.

    Events: label ``shot``, without gaps from the first frame's time to the last frame's end. ``score`` is the
    confidence of the change that the shot begins with (1 for the first), and ``extra["transition"]`` says whether that
    was a ``cut`` or ``gradual``. A shot begins with the frame after the network's peak: the first frame after a cut,
    the middle of a dissolve.
    """

    name = "shots"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._windows = ShotWindows()
        self._times = array("d")
        self._scores: list[Float32Array] = []
        self._last: Fraction | None = None
        self._looks = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for every frame, tiny.

        Raises:
            Skip: there is no picture.
        """
        if not info.width:
            raise Skip("no picture")
        self._net = load("shots", self.model, self.device, threads=self.threads)
        self._rate = info.rate
        return Needs(sizes=(FRAME_SIZE,), batch=STRIDE_FRAMES)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Score the next frames."""
        self._times.extend(batches[0].times)
        self._last = batches[0].last
        self._score(self._windows.add(batches[0].pixels))

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the shots."""
        self._score(self._windows.close())
        report = TaskReport(model=self._net.card.name, runtime=self._net.runtime, licence=self._net.card.licence)
        report.extra["inferences"] = self._looks * STRIDE_FRAMES
        if not self._times:
            return TaskResult(report=report)
        changes, many = np.concatenate(self._scores, axis=1)[:, : len(self._times)]
        end = last_frame_end(self._times, self._rate, self._last)
        return TaskResult(events=shot_events(np.array(self._times), end, changes, many), report=report)

    def _score(self, windows: Iterator[Pixels]) -> None:
        for window in windows:
            scores = np.zeros((2, STRIDE_FRAMES), np.float32)
            if may_contain_transition(window):
                self._looks += 1
                scores[:] = [output[0, MARGIN_FRAMES:-MARGIN_FRAMES] for output in self._net(window[None])]
            self._scores.append(correct_scores(scores, window, *self._real()))

    def _real(self) -> tuple[int, int]:
        """Return the first frame of the next window that is of the video, and that after the last such."""
        begin = MARGIN_FRAMES - STRIDE_FRAMES * len(self._scores)
        return max(0, begin), min(WINDOW_FRAMES, begin + len(self._times))


def correct_scores(scores: Float32Array, window: Pixels, first: int, past: int) -> Float32Array:
    """Return the network's scores (2, STEP) of the middle of a window with cuts that it misses, and without flashes.

    Args:
        scores: of the middle.
        window: (WINDOW, H, W, C).
        first, past: the window's frames that are of the video; the others repeat these.
    """
    changes, many = scores
    changes = np.maximum(changes, certain_cuts(window)[MARGIN_FRAMES:-MARGIN_FRAMES])
    for frame in (MARGIN_FRAMES + np.flatnonzero(changes >= MIN_TRANSITION_SCORE)).tolist():
        if frame + 1 < past and is_flash(window[first:past], frame - first):
            changes[frame - MARGIN_FRAMES] = 0
    return np.stack([changes, many])


def shot_events(times: Float64Array, end: float, changes: Float32Array, many: Float32Array) -> list[Event]:
    """Turn scores into shots.

    Args:
        times: (N,) of the frames, in seconds. end: of the last frame.
        changes: (N,) probability that a frame is the last of its shot, or the middle of a slow transition.
        many: (N,) probability that a frame is part of a transition.
    """
    events = [Event("shots", float(times[0]), end, "shot", 1.0)]
    for first, past in hysteresis_spans(changes, MIN_TRANSITION_SCORE, MIN_TRANSITION_SCORE):
        peak = first + int(np.argmax(changes[first:past]))
        if peak + 1 == len(times):
            continue
        start = float(times[peak + 1])
        events[-1].end = start
        kind = "gradual" if _length(many, peak) >= MIN_GRADUAL_FRAMES else "cut"
        events.append(Event("shots", start, end, "shot", float(changes[peak]), extra={"transition": kind}))
    return events


def _length(many: Float32Array, peak: int) -> int:
    """Give the number of frames of the transition around a peak."""
    return next(
        (
            past - first
            for first, past in hysteresis_spans(many, MIN_TRANSITION_SCORE, MIN_TRANSITION_SCORE)
            if first <= peak < past
        ),
        0,
    )
