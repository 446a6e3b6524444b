"""Text detection, tracking and recognition: signs, plates, titles, in every frame.

A network detects lines a few times per second, and not on a frame that has not changed; the best sample of each line
is read when its track has ended. If a line's pixels change it is read at once, and if it then shows another text (the
next slide, a clock), its track is split. See ``models.inference.ocr``, ``tasks.tracking`` and
``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.models.inference.ocr import TextDetector, TextLines, TextRecognizer, crop_line
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.options import TextOptions
from kinoscope.tasks.tracking.best_moments import TopMoments
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, gap_seconds, hard_cuts
from kinoscope.views.timeline import Timeline

ASSUMED_FRAME_RATE = 25.0
"""Frames per second of a video of which every frame is processed, for the maximum gap of a track."""

TRACK_FILTER = TrackFilter(count=2, seconds=0.3, score=0.7)
"""Thresholds a track must meet to be reported."""

SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0.0, score=TextOptions().min_track_score)
"""Thresholds a track must meet to be reported in a source of a single frame."""

MIN_TEXT_CONFIDENCE = 0.6
"""Mean probability of the characters below which the text of a line is not reported."""

MAX_WIDTH_RATIO = 1.2
"""Samples whose widths differ by more than this factor show different text."""

COMPARISON_SCALE, PATCH_SIDE, MAX_PATCH_SHIFT = 0.75, 24, 6
"""Scale at which samples are compared, side in pixels of the patches that are compared, and maximum shift in pixels."""

MIN_PATCH_CONTRAST, MIN_PATCH_CORRELATION = 8.0, 0.9
"""Standard deviation in grey levels below which a patch is empty, and correlation below which its characters may
differ. For the same text drawn 3 % larger, 3 pixels off and with noise, 10 % of patches correlate below 0.93; where
a character differs, 0.66 to 0.92."""

LineReader = Callable[[Pixels], tuple[str, float]]
"""Returns the text of a line and its confidence."""


@dataclass(frozen=True, slots=True)
class LineSample:
    """A sample of a line: its quality, time in seconds, and pixels (LINE_HEIGHT, W, C)."""

    quality: float
    time: float
    pixels: Pixels


def _new_best() -> TopMoments[LineSample]:
    return TopMoments(max_moments=1)


@dataclass(slots=True)
class TextSpan:
    """An interval in which the text of a line does not change.

    Attributes:
        start: time of its first sample, in seconds.
        pixels: of a sample, with which the next ones are compared.
        best: its best sample.
        reading: its text and confidence; None until it is read.
    """

    start: float
    pixels: Pixels
    best: TopMoments[LineSample] = field(default_factory=_new_best)
    reading: tuple[str, float] | None = None


@dataclass(slots=True)
class LineHistory:
    """The texts of a tracked line, one span after another, and a candidate for the next."""

    spans: list[TextSpan] = field(default_factory=list)
    candidate: TextSpan | None = None

    def add(self, sample: LineSample, reader: LineReader | None) -> None:
        """Add a sample to the current text or, if two samples confirm it, to another one."""
        if not self.spans:
            self.spans.append(TextSpan(sample.time, sample.pixels))
        current = self.spans[-1]
        if reader is None or is_same_text(current.pixels, sample.pixels):
            self.candidate = None
        elif (reading := reader(sample.pixels))[1] >= MIN_TEXT_CONFIDENCE:
            current = self._add_other_text(sample, reading, reader)
        else:
            return  # illegible, such as in the middle of a fade: neither a sample of the current text nor of another
        if self.candidate is None and current.best.accepts(sample.time, sample.quality):
            current.best.add(sample)

    def _add_other_text(self, sample: LineSample, reading: tuple[str, float], reader: LineReader) -> TextSpan:
        """Return the current span, after a sample whose pixels differ from it."""
        current = self.spans[-1]
        if current.reading is None:
            current.reading = reader(current.pixels)
        if _normalize(reading[0]) == _normalize(current.reading[0]):
            current.pixels, self.candidate = sample.pixels, None
        elif (
            self.candidate
            and self.candidate.reading
            and _normalize(self.candidate.reading[0]) == _normalize(reading[0])
        ):
            self.spans.append(self.candidate)
            self.candidate = None
        else:
            self.candidate = TextSpan(sample.time, sample.pixels, reading=reading)
            self.candidate.best.add(sample)
        return self.spans[-1]

    @property
    def changes(self) -> list[float]:
        """Times at which another text begins, in seconds."""
        return [span.start for span in self.spans[1:]]

    def at(self, time: float) -> TextSpan | None:
        """Return the span at a time in seconds; the first one if the time is before them all."""
        started = [span for span in self.spans if span.start <= time] or self.spans[:1]
        return started[-1] if started else None


def _normalize(text: str) -> str:
    """Return the part of a text that is compared: recognizers confuse spaces and capitals."""
    return "".join(text.split()).casefold()


def is_same_text(first_line: Pixels, second_line: Pixels) -> bool:
    """Return whether two samples (H, W, C) of a line show the same characters, judging by their pixels.

    Each patch of the first sample is searched near its position in the second; if the best correlation of any patch is
    low, some character differs. Patches without contrast are left out.
    """
    import cv2

    width = min(first_line.shape[1], second_line.shape[1])
    if max(first_line.shape[1], second_line.shape[1]) > MAX_WIDTH_RATIO * width:
        return False
    size = max(2 * PATCH_SIDE, round(COMPARISON_SCALE * width)), PATCH_SIDE + 2 * MAX_PATCH_SHIFT
    first, second = (
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        for p in (first_line, second_line)
    )
    for left in range(MAX_PATCH_SHIFT, size[0] - PATCH_SIDE - MAX_PATCH_SHIFT + 1, PATCH_SIDE // 2):
        patch = first[MAX_PATCH_SHIFT:-MAX_PATCH_SHIFT, left : left + PATCH_SIDE]
        search_area = second[:, left - MAX_PATCH_SHIFT : left + PATCH_SIDE + MAX_PATCH_SHIFT]
        if (
            patch.std() >= MIN_PATCH_CONTRAST
            and cv2.matchTemplate(search_area, patch, cv2.TM_CCOEFF_NORMED).max() < MIN_PATCH_CORRELATION
        ):
            return False
    return True


class Text(Task):
    """PP-OCRv4 at a fixed rate and a tracker: one track per line of text, and an event with its text if it is legible.

    Tracks: label ``text``. Events: label ``text``, ``text`` the text, ``score`` its confidence, and ``extra["track"]``
    the track of the line.
    """

    name = "text"
    options_type = TextOptions
    by_default = False

    options: TextOptions

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        options = self.options
        self._change_gate = ChangeGate(options.idle_rate, options.static_levels, min_changed=options.motion_share)
        max_gap = gap_seconds(options.rate or ASSUMED_FRAME_RATE)
        self._tracker = Tracker(high_score=options.min_track_score, max_gap=max_gap)
        self._histories: dict[int, LineHistory] = defaultdict(LineHistory)
        self._finished: list[tuple[Tracklet, LineHistory]] = []
        self._lines = TextLines(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 4, 2)))
        self._inferences = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and request frames in a size that the detector accepts.

        Raises:
            Skip: there is no video.
        """
        if not info.width or not info.height:
            raise Skip("there is no video")
        self._detector = TextDetector(self.device, self.threads, self.options.min_score)
        self._recognizer = TextRecognizer(self.device, self.threads) if self.options.read_text else None
        self._frame_size = info.size
        self._track_filter = SINGLE_FRAME_FILTER if info.frames == 1 else TRACK_FILTER
        return Needs(
            sizes=(self._detector.input_size(info.size, self.options.max_side),), rate=self.options.rate, batch=4
        )

    def process_frames(self, *batches: FrameBatch) -> None:
        """Detect and track lines in the next frames."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            decision = self._change_gate.update(pixels, time)
            if decision == "skip":
                continue
            lines = self._detect(pixels, decision)
            ids = self._tracker.update(time, lines.boxes, lines.scores)
            self._add_samples(pixels, time, lines, ids.tolist())
            self._close_tracks(self._tracker.pop_finished())

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the tracks, numbered from 1 in order of appearance, and their texts."""
        self._close_tracks(self._tracker.finish())
        cuts = hard_cuts(timeline)
        finished = [(tracklet, history, sorted([*cuts, *history.changes])) for tracklet, history in self._finished]
        parts = [
            (part, h.at(part.start))
            for tracklet, h, split_times in finished
            for part in tracklet.split(split_times)
            if self._is_reported(part)
        ]
        parts.sort(key=lambda item: (item[0].start, item[0].id))
        result = TaskResult(report=self._report())
        for number, (part, span) in enumerate(parts, 1):
            text, score = (span.reading if span else None) or ("", 0.0)
            result.tracks.append(self._track(number, part, timeline))
            if text and score >= MIN_TEXT_CONFIDENCE and self._track_filter(part):
                result.events.append(Event(self.name, part.start, part.end, "text", score, text, {"track": number}))
        return result

    def _detect(self, pixels: Pixels, decision: GateDecision) -> TextLines:
        """Return the lines in a frame; those of the previous frame if it has not changed."""
        if decision == "cut":
            self._tracker.end_all()
        if decision != "unchanged":
            self._inferences += 1
            self._lines = self._detector(pixels, self._frame_size)
        return self._lines

    def _add_samples(self, pixels: Pixels, time: float, lines: TextLines, ids: list[int]) -> None:
        """Add a sample of each line to its history, with its quality: high score, large."""
        scale = np.array([pixels.shape[1] / self._frame_size[0], pixels.shape[0] / self._frame_size[1]])
        for corners, score, number in zip(lines.corners * scale, lines.scores.tolist(), ids, strict=True):
            quality = score * float(np.sqrt(np.ptp(corners, axis=0).prod()))
            if number >= 0:
                self._histories[number].add(LineSample(quality, time, crop_line(pixels, corners)), self._recognizer)

    def _close_tracks(self, ended: list[Tracklet]) -> None:
        """Read the finished lines that pass the filter, and drop their pixels."""
        for tracklet in ended:
            history = self._histories.pop(tracklet.id)
            for span in history.spans:
                if self._recognizer and span.best.moments and self._track_filter(tracklet):
                    span.reading = self._recognizer(span.best.moments[0].pixels)
                span.pixels, span.best = span.pixels[:0].copy(), _new_best()
            if self._is_reported(tracklet):
                self._finished.append((tracklet, history))

    def _is_reported(self, part: Tracklet) -> bool:
        return self.options.include_doubtful or self._track_filter(part)

    def _track(self, number: int, part: Tracklet, timeline: Timeline) -> Track:
        extra: dict[str, Any] = {} if self._track_filter(part) else {"doubtful": True}
        return Track(
            number, self.name, "text", part.score, part.interpolate(timeline.times, self._frame_size), extra=extra
        )

    def _report(self) -> TaskReport:
        cards = [self._detector.card, *([self._recognizer.card] if self._recognizer else [])]
        extra = {"inferences": self._inferences, "rate": self.options.rate}
        names = ", ".join(card.name for card in cards)
        return TaskReport(model=names, runtime="openvino-fp32", licence=cards[0].licence, extra=extra)
