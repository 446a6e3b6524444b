"""``kinoscope.load_model``: a model as an object."""

from __future__ import annotations

import os
from typing import Any


def load_model(name: str | os.PathLike[str], device: str = "auto", threads: int | None = None) -> Any:
    """Return a model, ready to use; download its weights if they are not cached.

    The class of the object follows from what the model does:

    - ``Detector`` (cards of the tasks objects, faces and text): ``model(frame)`` returns ``Detections``; of frames a
      list.
    - ``Classifier`` (``train classify``, cards of clip classes): ``model(clip)`` returns label -> probability;
      ``predict``, ``evaluate`` and ``explain``.
    - ``Generator`` (``train generate``, people, shapes): ``model(n, seed=0)`` returns clips; ``evaluate``.
    - ``FramePredictor`` (``train predict``): ``model(frames)`` returns the next frames; ``predict``.
    - ``SyncModel`` (``train sync``, the cards lips-...): ``model.predict(video)`` returns the offset of the audio.
    - ``FeatureExtractor`` (all other cards): ``model(inputs)`` returns named arrays.

    Each has ``name``, ``labels`` and ``runtime``, and ``card`` or ``metadata``; ``model.export("onnx", "m.onnx")``
    writes it for another runtime. Frames are uint8 RGB (H, W, 3)::

        detector = kinoscope.load_model("nanodet")
        for frame in kinoscope.Video("street.mp4"):
            people = detector(frame).of("person")

    Args:
        name: a card (see ``kinoscope models list``), ``hf:organisation/name`` on the hub, or the folder of a model that
            ``kinoscope train`` wrote; or a bundled generator, people or shapes.
        device: auto (a GPU if there is one), cpu or cuda.
        threads: number of threads of one inference on the CPU; all cores if None.

    Raises:
        OptionError: there is no such model; the message suggests the nearest name.
        ModelError: the model cannot be used.
        WeightsMissing: its weights are not available.
    """
    from kinoscope.pipeline.model_loading import load

    return load(os.fspath(name), device, threads)
