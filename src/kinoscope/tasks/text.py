"""Where there is writing: signs, plates, titles; followed through every frame, and what it says.

A network looks for lines a few times a second, and not at a picture that it has seen already; each line's best look is
read when its track has ended. See ``models.text``, ``tracking`` and ``clips.change``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from kinoscope.clips.change import Advice, Watch
from kinoscope.core.media import FrameBatch, Pixels, Sound, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track
from kinoscope.models import text as models
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.best import Best
from kinoscope.tasks.tracking import Tracker, Tracklet, Worth, hard_cuts

RATE = 2.5
"""Pictures looked at each second."""

LONGEST = 960
"""Longer side of the pictures looked at, in pixels."""

LEAST, SURE = 0.5, 0.6
"""Score under which a line is ignored, and from which it may begin a track."""

WORTH = Worth(count=2, seconds=0.3, score=0.7)

STILL = Worth(count=1, seconds=0.0, score=SURE)
"""In a source of a single picture."""

LEGIBLE = 0.6
"""Mean probability of its letters under which what a line seems to say is not told."""


@dataclass(frozen=True, slots=True)
class Look:
    """A line as it was seen once: how well, when, and its pixels (48, W, C)."""

    value: float
    time: float
    line: Pixels


def _one() -> Best[Look]:
    return Best(most=1)


class Text:
    """PP-OCRv4 at a rate, and a tracker: one track a line of text, and an event with its words where they can be read.

    Tracks: label ``text``. Events: label ``text``, ``text`` what it says, ``score`` how sure that is, and
    ``extra["track"]`` which line it is.

    Args:
        device, threads: see ``models.load``. model: not used: there is one.
        rate: pictures looked at each second; None for every frame.
        calm: pictures looked at each second while little changes; None for all that come.
        much: share of the picture that changes from which all pictures are looked at.
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
        rate: float | None = RATE,
        calm: float | None = None,
        much: float | None = None,
        still: float = 8,
        longest: int = LONGEST,
        least: float = LEAST,
        sure: float = SURE,
        glimpses: bool = False,
        words: bool = True,
    ) -> None:
        self.device, self.threads = device, threads
        self.rate, self.longest, self.least, self.glimpses, self.words = rate, longest, least, glimpses, words
        self._watch = Watch(calm, still, much=much)
        self._tracker = Tracker(high=sure, max_gap=max(1.5, 2.5 / (rate or 25)))
        self._looks: dict[int, Best[Look]] = defaultdict(_one)
        self._kept: list[tuple[Tracklet, tuple[str, float]]] = []
        self._count = 0

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures in a size that the network takes."""
        if not info.width or not info.height:
            raise Skip("there is no picture")
        self._finder = models.TextFinder(self.device, self.threads, self.least)
        self._reader = models.TextReader(self.device, self.threads) if self.words else None
        self._shown = info.size
        self._worth = STILL if info.frames == 1 else WORTH
        return Needs(sizes=(self._finder.input_size(info.size, self.longest),), rate=self.rate, batch=4)

    def step(self, *batches: FrameBatch) -> None:
        """Find and track lines in the next pictures."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            advice = self._watch.see(pixels, time)
            if advice == "wait":
                continue
            found = self._look(pixels, advice)
            ids = self._tracker.update(time, found.boxes, found.scores)
            self._remember(pixels, time, found, ids.tolist())
            self._keep(self._tracker.take())

    def listen(self, sound: Sound) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the tracks, numbered from 1 in order of appearance, and what they say."""
        self._keep(self._tracker.finish())
        cuts = hard_cuts(timeline)
        parts = [(part, said) for whole, said in self._kept for part in whole.split(cuts) if self._told(part)]
        parts.sort(key=lambda item: (item[0].start, item[0].id))
        result = TaskResult(report=self._report())
        for number, (part, (words, score)) in enumerate(parts, 1):
            track = self._track(number, part, timeline)
            result.tracks.append(track)
            if words and score >= LEGIBLE and self._worth(part):
                result.events.append(Event(self.name, part.start, part.end, "text", score, words, {"track": number}))
        return result

    def _look(self, pixels: Pixels, advice: Advice) -> models.Lines:
        """Find the lines, unless the picture is the one that was looked at last."""
        if advice == "cut":
            self._tracker.cut()
        if advice != "same":
            self._count += 1
            self._found = self._finder(pixels, self._shown)
        return self._found

    def _remember(self, pixels: Pixels, time: float, found: models.Lines, ids: list[int]) -> None:
        """Keep the best look at each line: a sure and a large one."""
        scale = np.array([pixels.shape[1] / self._shown[0], pixels.shape[0] / self._shown[1]])
        for corners, score, number in zip(found.corners * scale, found.scores.tolist(), ids, strict=True):
            value = score * float(np.sqrt(np.ptp(corners, axis=0).prod()))
            if number >= 0 and self._looks[number].wants(time, value):
                self._looks[number].add(Look(value, time, models.upright(pixels, corners)))

    def _keep(self, ended: list[Tracklet]) -> None:
        """Read the lines that have ended and are worth it, and forget the pixels."""
        for tracklet in ended:
            looks = self._looks.pop(tracklet.id)
            said = ("", 0.0)
            if self._reader and looks.kept and self._worth(tracklet):
                said = self._reader(looks.kept[0].line)
            if self._told(tracklet):
                self._kept.append((tracklet, said))

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
