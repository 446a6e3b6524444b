"""Where there is writing: signs, plates, titles; followed through every frame, and what it says.

A network looks for lines a few times a second, and not at a picture that it has seen already; each line's best look is
read when its track has ended. Where a line's pixels change it is read at once, and where another text then stands
there (the next slide, a clock), its track is split. See ``models.inference.ocr``, ``tracking`` and
``imaging.change_gate``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinoscope.core.media import Audio, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track
from kinoscope.imaging.change_gate import ChangeGate, GateDecision
from kinoscope.models.inference import ocr as models
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.tracking.best_moments import TopMoments
from kinoscope.tasks.tracking.tracker import Tracker, TrackFilter, Tracklet, hard_cuts

FRAME_RATE = 2.5
"""Pictures looked at each second."""

MAX_FRAME_SIDE = 960
"""Longer side of the pictures looked at, in pixels."""

MIN_SCORE, MIN_TRACK_SCORE = 0.5, 0.6
"""Score under which a line is ignored, and from which it may begin a track."""

TRACK_FILTER = TrackFilter(count=2, seconds=0.3, score=0.7)

SINGLE_FRAME_FILTER = TrackFilter(count=1, seconds=0.0, score=MIN_TRACK_SCORE)
"""In a source of a single picture."""

MIN_TEXT_CONFIDENCE = 0.6
"""Mean probability of its letters under which what a line seems to say is not told."""


MAX_WIDTH_RATIO = 1.2
"""Ratio of the lengths of a line in two samples from which its text is another."""

COMPARISON_SCALE, PATCH_SIDE, MAX_PATCH_SHIFT = 0.75, 24, 6
"""Scale at which samples are compared, side of the squares in which they are, and how far off one is sought."""

MIN_PATCH_CONTRAST, MIN_PATCH_CORRELATION = 8.0, 0.9
"""Contrast under which a square is empty, in grey levels, and correlation under which its letters may be others: of a
text drawn 3 % larger, 3 pixels off and with noise, one in ten is under 0.93; with a letter changed it is 0.66 to 0.92.
"""

LineReader = Callable[[Pixels], tuple[str, float]]
"""Returns the text of a line and its confidence."""


@dataclass(frozen=True, slots=True)
class LineSample:
    """A line as it was seen once: how well, when, and its pixels (48, W, C)."""

    value: float
    time: float
    line: Pixels


def _one() -> TopMoments[LineSample]:
    return TopMoments(most=1)


@dataclass(slots=True)
class TextSpan:
    """A time during which a line keeps its text.

    Attributes:
        start: time of its first sample, in seconds.
        line: the pixels of a sample, with which the next are compared.
        best: its best sample.
        said: what it says, and how sure that is; None until it is read.
    """

    start: float
    line: Pixels
    best: TopMoments[LineSample] = field(default_factory=_one)
    said: tuple[str, float] | None = None


@dataclass(slots=True)
class LineHistory:
    """What stood at a tracked line, one stretch after another, and what may begin the next."""

    stretches: list[TextSpan] = field(default_factory=list)
    coming: TextSpan | None = None

    def see(self, look: LineSample, reader: LineReader | None) -> None:
        """Add a sample: of the text that stands there, or, if two samples say so, of another."""
        if not self.stretches:
            self.stretches.append(TextSpan(look.time, look.line))
        now = self.stretches[-1]
        if reader is None or is_same_text(now.line, look.line):
            self.coming = None
        elif (said := reader(look.line))[1] >= MIN_TEXT_CONFIDENCE:
            now = self._judge(look, said, reader)
        else:
            return
        if self.coming is None and now.best.wants(look.time, look.value):
            now.best.add(look)

    def _judge(self, look: LineSample, said: tuple[str, float], reader: LineReader) -> TextSpan:
        """Return the last stretch, after a sample whose pixels are not those of that stretch."""
        now = self.stretches[-1]
        if now.said is None:
            now.said = reader(now.line)
        if _letters(said[0]) == _letters(now.said[0]):
            now.line, self.coming = look.line, None
        elif self.coming and self.coming.said and _letters(self.coming.said[0]) == _letters(said[0]):
            self.stretches.append(self.coming)
            self.coming = None
        else:
            self.coming = TextSpan(look.time, look.line, said=said)
            self.coming.best.add(look)
        return self.stretches[-1]

    @property
    def changes(self) -> list[float]:
        """Times at which another text begins, in seconds."""
        return [stretch.start for stretch in self.stretches[1:]]

    def at(self, time: float) -> TextSpan | None:
        """Return the stretch of a time in seconds; the first before them all."""
        begun = [stretch for stretch in self.stretches if stretch.start <= time] or self.stretches[:1]
        return begun[-1] if begun else None


def _letters(text: str) -> str:
    """Return what is compared of a text: readers take spaces and capitals for one another."""
    return "".join(text.split()).casefold()


def is_same_text(one: Pixels, other: Pixels) -> bool:
    """Whether two samples (H, W, C) of a line show the same letters, as far as their pixels say.

    Each square of the one is sought near its place in the other; where the best correlation of any is low, some letter
    is another. Squares without contrast are left out.
    """
    import cv2

    width = min(one.shape[1], other.shape[1])
    if max(one.shape[1], other.shape[1]) > MAX_WIDTH_RATIO * width:
        return False
    size = max(2 * PATCH_SIDE, round(COMPARISON_SCALE * width)), PATCH_SIDE + 2 * MAX_PATCH_SHIFT
    first, second = (
        cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA) for p in (one, other)
    )
    for left in range(MAX_PATCH_SHIFT, size[0] - PATCH_SIDE - MAX_PATCH_SHIFT + 1, PATCH_SIDE // 2):
        square = first[MAX_PATCH_SHIFT:-MAX_PATCH_SHIFT, left : left + PATCH_SIDE]
        around = second[:, left - MAX_PATCH_SHIFT : left + PATCH_SIDE + MAX_PATCH_SHIFT]
        if (
            square.std() >= MIN_PATCH_CONTRAST
            and cv2.matchTemplate(around, square, cv2.TM_CCOEFF_NORMED).max() < MIN_PATCH_CORRELATION
        ):
            return False
    return True


class Text:
    """PP-OCRv4 at a rate, and a tracker: one track a line of text, and an event with its words where they can be read.

    Tracks: label ``text``. Events: label ``text``, ``text`` what it says, ``score`` how sure that is, and
    ``extra["track"]`` which line it is.

    Args:
        device, threads: see ``models.load``. model: not used: there is one.
        rate: pictures looked at each second; None for every frame.
        calm: frames processed each second while little changes; None for all that come.
        much: share of the frame that changes from which all frames are processed.
        still: largest change in grey levels (0 to 255) of a picture that is not looked at again; -1 looks at all.
        longest: longer side of the pictures looked at.
        least, sure: score under which a line is ignored, and from which it begins a track.
        glimpses: also give what was seen too briefly or too doubtfully to be told: tracks with ``extra["doubtful"]``.
        words: whether to read them.
    """

    name = "text"

    def __init__(
        self,
        *,
        device: str = "auto",
        model: str = "auto",
        threads: int = 1,
        rate: float | None = FRAME_RATE,
        calm: float | None = None,
        much: float | None = None,
        still: float = 8,
        longest: int = MAX_FRAME_SIDE,
        least: float = MIN_SCORE,
        sure: float = MIN_TRACK_SCORE,
        glimpses: bool = False,
        words: bool = True,
    ) -> None:
        self.device, self.threads = device, threads
        self.rate, self.longest, self.least, self.glimpses, self.words = rate, longest, least, glimpses, words
        self._watch = ChangeGate(calm, still, much=much)
        self._tracker = Tracker(high=sure, max_gap=max(1.5, 2.5 / (rate or 25)))
        self._histories: dict[int, LineHistory] = defaultdict(LineHistory)
        self._kept: list[tuple[Tracklet, LineHistory]] = []
        self._count = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures in a size that the network takes."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        self._finder = models.TextDetector(self.device, self.threads, self.least)
        self._reader = models.TextRecognizer(self.device, self.threads) if self.words else None
        self._shown = info.size
        self._worth = SINGLE_FRAME_FILTER if info.frames == 1 else TRACK_FILTER
        return Needs(sizes=(self._finder.input_size(info.size, self.longest),), rate=self.rate, batch=4)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Find and track lines in the next pictures."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            advice = self._watch.update(pixels, time)
            if advice == "skip":
                continue
            found = self._look(pixels, advice)
            ids = self._tracker.update(time, found.boxes, found.scores)
            self._remember(pixels, time, found, ids.tolist())
            self._keep(self._tracker.take())

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the tracks, numbered from 1 in order of appearance, and what they say."""
        self._keep(self._tracker.finish())
        cuts = hard_cuts(timeline)
        wholes = [(whole, history, sorted([*cuts, *history.changes])) for whole, history in self._kept]
        parts = [
            (part, h.at(part.start)) for whole, h, ends in wholes for part in whole.split(ends) if self._told(part)
        ]
        parts.sort(key=lambda item: (item[0].start, item[0].id))
        result = TaskResult(report=self._report())
        for number, (part, stretch) in enumerate(parts, 1):
            words, score = (stretch.said if stretch else None) or ("", 0.0)
            result.tracks.append(self._track(number, part, timeline))
            if words and score >= MIN_TEXT_CONFIDENCE and self._worth(part):
                result.events.append(Event(self.name, part.start, part.end, "text", score, words, {"track": number}))
        return result

    def _look(self, pixels: Pixels, advice: GateDecision) -> models.TextLines:
        """Find the lines, unless the picture is the one that was looked at last."""
        if advice == "cut":
            self._tracker.cut()
        if advice != "unchanged":
            self._count += 1
            self._found = self._finder(pixels, self._shown)
        return self._found

    def _remember(self, pixels: Pixels, time: float, found: models.TextLines, ids: list[int]) -> None:
        """Compare each line with what stood there, and keep its best sample: a confident and a large one."""
        scale = np.array([pixels.shape[1] / self._shown[0], pixels.shape[0] / self._shown[1]])
        for corners, score, number in zip(found.corners * scale, found.scores.tolist(), ids, strict=True):
            value = score * float(np.sqrt(np.ptp(corners, axis=0).prod()))
            if number >= 0:
                self._histories[number].see(LineSample(value, time, models.crop_line(pixels, corners)), self._reader)

    def _keep(self, ended: list[Tracklet]) -> None:
        """Read the lines that have ended and are worth it, and forget the pixels."""
        for tracklet in ended:
            history = self._histories.pop(tracklet.id)
            for stretch in history.stretches:
                if self._reader and stretch.best.kept and self._worth(tracklet):
                    stretch.said = self._reader(stretch.best.kept[0].line)
                stretch.line, stretch.best = stretch.line[:0].copy(), _one()
            if self._told(tracklet):
                self._kept.append((tracklet, history))

    def _told(self, part: Tracklet) -> bool:
        return self.glimpses or self._worth(part)

    def _track(self, number: int, part: Tracklet, timeline: Timeline) -> Track:
        extra: dict[str, Any] = {} if self._worth(part) else {"doubtful": True}
        return Track(number, self.name, "text", part.score, part.through(timeline.times, self._shown), extra=extra)

    def _report(self) -> TaskReport:
        cards = [self._finder.card, *([self._reader.card] if self._reader else [])]
        extra = {"inferences": self._count, "rate": self.rate}
        names = ", ".join(card.name for card in cards)
        return TaskReport(model=names, runtime="openvino-fp32", licence=cards[0].licence, extra=extra)
