"""Scene classification: what each shot shows, by ImageNet's thousand classes, and a feature per second for search.

EfficientNet-Lite0 gets the whole frame, stretched to its square: on real clips its predictions are no worse than for a
center crop, which would lose almost half of a wide frame, for search too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float16Array, Float32Array
from kinoscope.core.media import FrameBatch, Pixels, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.models import load
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.imaging.change_gate import ChangeGate

FRAME_RATE = 1.0
"""Frames classified per second."""
MIN_LABEL_PROBABILITY = 0.15
"""Mean probability over a shot below which its best label is a guess, and no label is reported."""
TOP_LABELS = 3
"""Labels reported for each shot."""
THUMBNAIL_SIDE, JPEG_QUALITY = 320, 80
"""Longer side in pixels, and JPEG quality, of the thumbnails."""
MAX_THUMBNAILS = 2000
"""Thumbnails in memory; if there are more, every second one is dropped."""


class SceneThumbnails:
    """JPEG thumbnails with their times, thinned out evenly if there are too many."""

    def __init__(self, max_count: int = MAX_THUMBNAILS) -> None:
        self._max_count = max_count
        self._images: list[tuple[float, bytes]] = []
        self._stride, self._frame_count = 1, 0

    def add(self, time: float, pixels: Pixels) -> None:
        """Add a thumbnail of a frame (H, W, C), unless thinning skips it."""
        from kinoscope.imaging.thumbnail import thumbnail

        if self._frame_count % self._stride == 0:
            box = (0, 0, pixels.shape[1], pixels.shape[0])
            self._images.append((time, thumbnail(pixels, box, margin=0, max_side=THUMBNAIL_SIDE, quality=JPEG_QUALITY)))
        self._frame_count += 1
        if len(self._images) > self._max_count:
            self._images = self._images[::2]
            self._stride *= 2

    def nearest(self, start: float, end: float) -> bytes | None:
        """Return the thumbnail nearest to the middle of a time range, of those inside it."""
        inside = [(abs(time - (start + end) / 2), data) for time, data in self._images if start <= time < end]
        return min(inside, key=lambda pair: pair[0])[1] if inside else None


class Scenes(Task):
    """EfficientNet-Lite0 once a second, except on frames that have not changed; one event per shot.

    Events: ``label`` the class with the highest mean probability over the shot, ``score`` that probability,
    ``extra["top"]`` the best three as ``[name, probability]``. A shot without a confident label has no event.
    Features: ``scenes.features`` (N, 1280) float16 and ``scenes.times`` (N,) float64 in seconds.
    Images: one per shot, ``scenes-<event>``; ``shots-<shot>`` for a shot without an event.
    """

    name = "scenes"
    card_task = "scenes"
    images_of = frozenset({"shots"})

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._thumbnails = SceneThumbnails()
        self._times: list[float] = []
        self._features: list[Float16Array] = []
        self._probabilities: list[Float16Array] = []
        self._inferences = 0
        self._change_gate: ChangeGate | None = None

    def needs(self, info: SourceInfo) -> Needs:
        """Load the model and request a frame per second, in the network's size and as a thumbnail.

        Raises:
            Skip: there is no video.
        """
        from kinoscope.imaging.change_gate import ChangeGate

        if not info.width:
            raise Skip("no video")
        self._change_gate = ChangeGate()
        self._net = load("scenes", self.model, self.device, threads=self.threads)
        return Needs(sizes=(self._net.card.size or info.size, info.fit(THUMBNAIL_SIDE)), rate=FRAME_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Classify the next frames."""
        for large, small in zip(*batches, strict=True):
            self._classify(large.pixels, float(large.time))
            self._times.append(float(large.time))
            self._thumbnails.add(float(small.time), small.pixels)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the label of each shot; without shots, the whole video is one."""
        result = TaskResult(report=self._report())
        if not self._times:
            return result
        result.features = {"scenes.features": np.stack(self._features), "scenes.times": np.array(self._times)}
        last = max([self._times[-1], *timeline.times[-1:].tolist()])
        # Shots exclude their end; one of a single frame must still contain it.
        full_range = (self._times[0], math.nextafter(last, math.inf))
        shots = [(e.start, e.end) for e in timeline.events("shots")] or [full_range]
        for number, (start, end) in enumerate(shots):
            self._describe(number, start, end, result)
        return result

    def _classify(self, pixels: Pixels, time: float) -> None:
        """Store the feature and the probabilities of a frame; those of the previous one if it has not changed."""
        assert self._change_gate is not None
        if self._change_gate.update(pixels, time) != "unchanged":
            self._inferences += 1
            # One at a time, so that the network is compiled for one shape only.
            features, logits = self._net(pixels[None])
            self._last = features[0].astype(np.float16), _softmax(logits[0]).astype(np.float16)
        self._features.append(self._last[0])
        self._probabilities.append(self._last[1])

    def _describe(self, number: int, start: float, end: float, result: TaskResult) -> None:
        """Add a shot's event, if it has a confident label, and its thumbnail."""
        label = self._label(start, end)
        thumbnail = self._thumbnails.nearest(start, end)
        if thumbnail:
            result.images[f"scenes-{len(result.events)}" if label else f"shots-{number}"] = thumbnail
        if label:
            result.events.append(label)

    def _label(self, start: float, end: float) -> Event | None:
        first, stop = np.searchsorted(self._times, (start, end))
        if first == stop:
            return None
        mean = np.stack(self._probabilities[first:stop]).mean(0, np.float64)
        ranked = np.argsort(mean)[::-1][:TOP_LABELS]
        if mean[ranked[0]] < MIN_LABEL_PROBABILITY:
            return None
        top = [[self._net.card.labels[i], round(float(mean[i]), 4)] for i in ranked]
        return Event("scenes", start, end, str(top[0][0]), float(mean[ranked[0]]), extra={"top": top})

    def _report(self) -> TaskReport:
        card = self._net.card
        return TaskReport(
            model=card.name, runtime=self._net.runtime, licence=card.licence, extra={"inferences": self._inferences}
        )


def _softmax(logits: Float32Array) -> Float32Array:
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum(), np.float32)
