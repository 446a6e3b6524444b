"""What each shot shows, by ImageNet's thousand names, and a feature of every second for later search.

EfficientNet-Lite0 sees the whole picture, stretched to its square: on real clips its answers are no worse than for the
square in the middle, and of a wide picture that would lose almost half, for the search too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.arrays import Float16Array, Float32Array
from kinoscope.core.media import Audio, FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip

if TYPE_CHECKING:
    from kinoscope.imaging.change_gate import ChangeGate

FRAME_RATE = 1.0
"""Looks per second."""
MIN_LABEL_PROBABILITY = 0.15
"""Mean probability over a shot under which its best label is a guess, and no label is given."""
TOP_LABELS = 3
"""Labels told of each shot."""
THUMBNAIL_SIDE, JPEG_QUALITY = 320, 80
"""Longer side in pixels, and JPEG quality, of the pictures kept."""
MAX_THUMBNAILS = 2000
"""Pictures held at once; of more, every second one is let go."""


class SceneThumbnails:
    """JPEG pictures with their times, thinned out evenly when there are too many."""

    def __init__(self, most: int = MAX_THUMBNAILS) -> None:
        self._most = most
        self._pictures: list[tuple[float, bytes]] = []
        self._every, self._seen = 1, 0

    def add(self, time: float, pixels: Pixels) -> None:
        """Keep a picture, if it is its turn."""
        from kinoscope.imaging.thumbnail import thumbnail

        if self._seen % self._every == 0:
            whole = (0, 0, pixels.shape[1], pixels.shape[0])
            self._pictures.append(
                (time, thumbnail(pixels, whole, margin=0, max_side=THUMBNAIL_SIDE, quality=JPEG_QUALITY))
            )
        self._seen += 1
        if len(self._pictures) > self._most:
            self._pictures = self._pictures[::2]
            self._every *= 2

    def nearest(self, start: float, end: float) -> bytes | None:
        """Give the picture nearest to the middle of a stretch of time, of those in it."""
        inside = [(abs(time - (start + end) / 2), data) for time, data in self._pictures if start <= time < end]
        return min(inside, key=lambda pair: pair[0])[1] if inside else None


class Scenes:
    """EfficientNet-Lite0 once a second, except on a picture that has not changed; one event a shot.

    Events: ``label`` the name with the highest mean probability over the shot, ``score`` that probability,
    ``extra["top"]`` the best three as ``[name, probability]``. A shot with no sure name has no event.
    Features: ``scenes.features`` (N, 1280) float16 and ``scenes.times`` (N,) float64 in seconds.
    Pictures: one a shot, ``scenes-<event>``; of a shot without an event ``shots-<shot>``.
    """

    name = "scenes"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._album = SceneThumbnails()
        self._times: list[float] = []
        self._features: list[Float16Array] = []
        self._probabilities: list[Float16Array] = []
        self._looks = 0
        self._watch: ChangeGate | None = None

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for a picture a second, in the network's size and as a thumbnail.

        Raises:
            Skip: there is no picture.
        """
        from kinoscope.imaging.change_gate import ChangeGate

        if not info.width:
            raise Skip("no picture")
        self._watch = ChangeGate()
        self._net = load("scenes", self.model, self.device, threads=self.threads)
        return Needs(sizes=(self._net.card.size or info.size, info.fit(THUMBNAIL_SIDE)), rate=FRAME_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Look at the next pictures."""
        for large, small in zip(*batches, strict=True):
            self._look(large.pixels, float(large.time))
            self._times.append(float(large.time))
            self._album.add(float(small.time), small.pixels)

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Name the shots that were found; without shots, the whole is one."""
        result = TaskResult(report=self._report())
        if not self._times:
            return result
        result.features = {"scenes.features": np.stack(self._features), "scenes.times": np.array(self._times)}
        last = max([self._times[-1], *timeline.times[-1:].tolist()])
        # Shots are open at their end; one of a single frame must still hold it.
        whole = (self._times[0], math.nextafter(last, math.inf))
        shots = [(e.start, e.end) for e in timeline.events_of("shots")] or [whole]
        for number, (start, end) in enumerate(shots):
            self._describe(number, start, end, result)
        return result

    def _look(self, pixels: Pixels, time: float) -> None:
        """Keep the feature and the probabilities of a picture; those of the last one if it is the same."""
        assert self._watch is not None
        if self._watch.update(pixels, time) != "unchanged":
            self._looks += 1
            # One at a time, so that the network is made ready for one shape only.
            features, logits = self._net(pixels[None])
            self._last = features[0].astype(np.float16), _softmax(logits[0]).astype(np.float16)
        self._features.append(self._last[0])
        self._probabilities.append(self._last[1])

    def _describe(self, number: int, start: float, end: float, result: TaskResult) -> None:
        """Add a shot's event, if it has a sure label, and its picture."""
        label = self._label(start, end)
        picture = self._album.nearest(start, end)
        if picture:
            result.images[f"scenes-{len(result.events)}" if label else f"shots-{number}"] = picture
        if label:
            result.events.append(label)

    def _label(self, start: float, end: float) -> Event | None:
        first, past = np.searchsorted(self._times, (start, end))
        if first == past:
            return None
        mean = np.stack(self._probabilities[first:past]).mean(0, np.float64)
        best = np.argsort(mean)[::-1][:TOP_LABELS]
        if mean[best[0]] < MIN_LABEL_PROBABILITY:
            return None
        top = [[self._net.card.labels[i], round(float(mean[i]), 4)] for i in best]
        return Event("scenes", start, end, str(top[0][0]), float(mean[best[0]]), extra={"top": top})

    def _report(self) -> TaskReport:
        card = self._net.card
        return TaskReport(
            model=card.name, runtime=self._net.runtime, licence=card.licence, extra={"inferences": self._looks}
        )


def _softmax(logits: Float32Array) -> Float32Array:
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)
