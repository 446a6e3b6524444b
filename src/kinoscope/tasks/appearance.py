"""Appearance embeddings of tracked objects, from the best image of each track, for re-identification.

See ``models.inference.reid``; the images are those that ``tasks.objects`` stores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.media import SourceInfo
from kinoscope.core.results import TaskReport, TaskResult
from kinoscope.models.inference import reid as models
from kinoscope.tasks.base import Needs, PostTask, Skip
from kinoscope.views.timeline import Timeline


class Appearance(PostTask):
    """Embeddings of the image of each track of ``objects``; requests neither frames nor audio.

    Features: ``appearance.embeddings`` (N, D) float32, each of length 1, and ``appearance.tracks`` (N,), their track
    ids.
    """

    name = "appearance"
    depends_on = frozenset({"objects"})
    biometric = True
    card_task = "scenes"

    def needs(self, info: SourceInfo) -> Needs:
        """Load the network and request nothing.

        Raises:
            Skip: there is no video.
        """
        if not info.width:
            raise Skip("there is no video")
        self._embedder = models.AppearanceEmbedder(self.model, self.device, self.threads)
        return Needs()

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the embeddings of the images of the tracks.

        Raises:
            Skip: the task ``objects`` did not run.
        """
        if "objects" not in timeline.tasks:
            raise Skip("the task objects did not run; run it too")
        names = [(track.id, f"objects-{track.id}") for track in timeline.tracks("objects")]
        thumbnails = [(number, timeline.images[name]) for number, name in names if name in timeline.images]
        embeddings = self._embedder([models.decode_jpeg(image) for _, image in thumbnails])
        ids = np.array([number for number, _ in thumbnails], np.int64)
        features: dict[str, NDArray[Any]] = {"appearance.embeddings": embeddings, "appearance.tracks": ids}
        return TaskResult(features=features, report=self._report(len(thumbnails)))

    def _report(self, inferences: int) -> TaskReport:
        card, embedder = self._embedder.card, self._embedder
        extra = {"inferences": inferences, "digest": embedder.digest}
        return TaskReport(model=embedder.name, runtime=embedder.runner.runtime, licence=card.licence, extra=extra)
