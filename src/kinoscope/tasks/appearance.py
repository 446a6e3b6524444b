"""What followed objects look like: an embedding of the best picture of each track, for finding the same again.

See ``models.inference.reid``; the pictures are those that ``tasks.objects`` leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import TaskReport, TaskResult, Timeline
from kinoscope.models.inference import reid as models
from kinoscope.tasks.base import Needs, Skip


class Appearance:
    """Embeds the picture of each track of ``objects``; is not fed.

    Features: ``appearance.embeddings`` (N, D) float32, each of length 1, and ``appearance.tracks`` (N,), their ids.

    Args:
        device, model, threads: see ``models.load``; ``model`` is a card of the task ``scenes``.
    """

    name = "appearance"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        self.device, self.model, self.threads = device, model, threads

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for nothing, and load the network.

        Raises:
            Skip: there is no picture.
        """
        if not info.width:
            raise Skip("there is no picture")
        self._embedder = models.AppearanceEmbedder(self.model, self.device, self.threads)
        return Needs()

    def process_frames(self, *batches: FrameBatch) -> None:
        """Not called: no picture is asked for."""

    def process_audio(self, sound: Audio) -> None:
        """Not called: no sound is asked for."""

    def finish(self, timeline: Timeline) -> TaskResult:
        """Embed the pictures of the tracks.

        Raises:
            Skip: no objects were looked for.
        """
        if "objects" not in timeline.tasks:
            raise Skip("no objects were looked for; run objects too")
        names = [(track.id, f"objects-{track.id}") for track in timeline.tracks_of("objects")]
        shown = [(number, timeline.images[name]) for number, name in names if name in timeline.images]
        embeddings = self._embedder([models.decode_jpeg(picture) for _, picture in shown])
        ids = np.array([number for number, _ in shown], np.int64)
        features: dict[str, NDArray[Any]] = {"appearance.embeddings": embeddings, "appearance.tracks": ids}
        return TaskResult(features=features, report=self._report(len(shown)))

    def _report(self, looks: int) -> TaskReport:
        card, made = self._embedder.card, self._embedder
        extra = {"inferences": looks, "digest": made.digest}
        return TaskReport(model=made.name, runtime=made.runner.runtime, licence=card.licence, extra=extra)
