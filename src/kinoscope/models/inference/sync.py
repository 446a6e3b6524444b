"""Audio-visual synchronization models: embeddings of mouths and of audio that are similar if the two match.

A model is a folder with ``model.json`` and ``model.safetensors``: its pairs of streams (``nets.syncnet``), and the
calibration of their similarity. One is bundled; ``kinoscope train sync`` writes others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.arrays import Float32Array, UInt8Array
from kinoscope.core.errors import ModelError
from kinoscope.core.hashing import sha256_file
from kinoscope.core.signal.mel import NUM_BANDS
from kinoscope.core.signal.sync_offset import FRAME_SECONDS, LAG_STEP_SECONDS, LAGS, OffsetCalibration
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.formats.metadata import read_metadata, write_metadata
from kinoscope.models.formats.trained_model import METADATA_FILE as METADATA_FILE
from kinoscope.models.formats.trained_model import WEIGHTS_FILE as WEIGHTS_FILE
from kinoscope.models.runtime.runner import make_runner
from kinoscope.models.store import fetch

if TYPE_CHECKING:
    from torch import nn

    from kinoscope.nets.syncnet import SyncNet

MOUTH_KINDS = ("points", "pixels")
"""Inputs of a mouth stream."""

BUNDLED = Path(__file__).parents[1] / "weights" / "sync"
"""Folder of the bundled model."""

TASK = "sync"

LAGS_PER_FRAME = round(FRAME_SECONDS / LAG_STEP_SECONDS)
"""Lags per frame; the audio is embedded at each of them."""

CONTEXT_FRAMES = 10
"""Frames on each side in an embedding's receptive field."""

PADDING_FRAMES = len(LAGS) // 2 // LAGS_PER_FRAME + CONTEXT_FRAMES
"""Frames of audio needed before and after the video frames."""

MAX_PAIRS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncModelMetadata:
    """The content of ``model.json`` of a synchronization model.

    Attributes:
        pairs: mouth input of each pair of streams: ``points`` or ``pixels``.
        calibration: of their similarity.
        data: name of the training data.
        score: measured values.
    """

    pairs: tuple[str, ...]
    calibration: OffsetCalibration = field(default_factory=OffsetCalibration)
    data: str = ""
    score: dict[str, Any] = field(default_factory=dict)


def read_sync_metadata(path: Path) -> SyncModelMetadata:
    """Read a ``model.json``.

    Raises:
        ModelError: it is damaged, of another task, or newer than this version.
    """
    return read_metadata(path.parent, _parse, TASK, "audio-visual sync model")


def _parse(pairs: Sequence[str], calibration: Mapping[str, Any], data: str, score: dict[str, Any]) -> SyncModelMetadata:
    """Return the metadata from plain values; ValueError if these are invalid."""
    if not 0 < len(pairs) <= MAX_PAIRS or set(pairs) - set(MOUTH_KINDS):
        raise ValueError(
            f"it has the pairs {list(pairs)[:10]}; 1 to {MAX_PAIRS} of {', '.join(MOUTH_KINDS)} are possible"
        )
    constant, alone, rooted, length = map(float, calibration["weights"])
    if not all(map(math.isfinite, (constant, alone, rooted, length, float(calibration["spread"])))):
        raise ValueError("its calibration is not finite")
    offset_calibration = OffsetCalibration((constant, alone, rooted, length), float(calibration["spread"]))
    return SyncModelMetadata(pairs=tuple(pairs), calibration=offset_calibration, data=data, score=score)


def bundled_calibration() -> OffsetCalibration:
    """Return the similarity calibration of the bundled model."""
    return read_sync_metadata(BUNDLED / METADATA_FILE).calibration


def save_sync_model(folder: Path, pairs: Sequence[SyncNet], metadata: SyncModelMetadata, half: bool = True) -> None:
    """Write pairs, in the order of ``metadata.pairs``, into a folder."""
    from torch import nn

    from kinoscope.models.formats.trained_model import write_weights

    write_weights(folder / WEIGHTS_FILE, nn.ModuleList(pairs), half)
    write_metadata(folder, metadata, TASK)


def new_pair(kind: str) -> SyncNet:
    """Return an untrained pair of streams."""
    from kinoscope.nets.syncnet import MOUTH_STREAMS, SyncNet

    return SyncNet(MOUTH_STREAMS[kind]())


def load_pairs(files: Mapping[str, Path]) -> list[SyncNet]:
    """Build all pairs of streams with their weights, in torch and in evaluation mode.

    Raises:
        ModelError: a file is invalid.
    """
    from torch import nn

    from kinoscope.models.formats.trained_model import load_weights

    pairs = [new_pair(kind).eval() for kind in read_sync_metadata(files[METADATA_FILE]).pairs]
    load_weights(nn.ModuleList(pairs), files[WEIGHTS_FILE])
    return pairs


def load_streams(kind: str, files: Mapping[str, Path]) -> nn.Module:
    """Return the ``points``, ``pixels`` or ``audio`` streams of all pairs, side by side."""
    from kinoscope.nets.syncnet import Ensemble

    pairs, kinds = load_pairs(files), read_sync_metadata(files[METADATA_FILE]).pairs
    if kind == "audio":
        return Ensemble([pairs[i].sound for i in _embedding_order(kinds)])
    return Ensemble([pair.mouth for pair, stream_kind in zip(pairs, kinds, strict=True) if stream_kind == kind])


def _embedding_order(kinds: Sequence[str]) -> list[int]:
    """Return the indices of the pairs in the order of their embeddings: points before pixels."""
    return sorted(range(len(kinds)), key=lambda i: kinds[i] != "points")


INPUTS: dict[str, tuple[tuple[int | None, ...], Any]] = {
    "points": ((None, 183), "float32"),
    "pixels": ((None, 48, 48), "uint8"),
    "audio": ((None, NUM_BANDS), "float32"),
}
"""Axes and dtype of the input of each kind of stream; the first axis is time."""


def stream_card(kind: str, files: tuple[WeightFile, ...], source: str, name: str = "lips", **fields: Any) -> Card:
    """Return the card of the streams of one kind."""
    axes, dtype = INPUTS[kind]
    return Card(
        name=f"{name}-{kind}",
        task=f"sync-{kind}",
        about=f"streams of audio-visual synchronization: {kind}",
        files=files,
        sources=(source,),
        net=partial(load_streams, kind),
        input=axes,
        dtype=dtype,
        outputs=((None, None),),
        output_names=("embeddings",),
        tolerance=2e-3,
        **({"licence": "your own"} | fields),
    )


def folder_cards(folder: Path) -> list[Card]:
    """Return the cards of a model in a folder.

    Raises:
        ModelError: there is none.
    """
    for name in (METADATA_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is no trained model: it has no {name}; give one that `kinoscope train sync` wrote"
            )
    files = tuple(WeightFile(name, sha256_file(folder / name)) for name in (METADATA_FILE, WEIGHTS_FILE))
    kinds = [*dict.fromkeys(read_sync_metadata(folder / METADATA_FILE).pairs), "audio"]
    return [stream_card(kind, files, f"folder:{folder.resolve()}", folder.resolve().name) for kind in kinds]


class SyncEmbedder:
    """A synchronization model that compares mouths with audio.

    Args:
        model: ``auto`` for the bundled model, or the folder of another.
        device, threads: see ``models.load``.
    """

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        from kinoscope.models.registry import CARDS

        bundled = [card for card in CARDS if card.task.startswith("sync-")]
        self.cards = bundled if model == "auto" else folder_cards(Path(model))
        self._runners = {
            card.task.removeprefix("sync-"): make_runner(card, device, threads=threads) for card in self.cards
        }
        self.metadata = read_sync_metadata(fetch(self.cards[0])[METADATA_FILE])
        self.runtime = self._runners["audio"].runtime

    def embed_mouth(self, points: Float32Array, pixels: UInt8Array) -> Float32Array:
        """Embed a mouth at 25 Hz: points (T, 61, 3), see ``stabilized_mouth_points``, grey crops (T, 48, 48)."""
        inputs: dict[str, Any] = {"points": points.reshape(1, len(points), -1), "pixels": pixels[None]}
        embeddings = [self._runners[kind](inputs[kind])[0][0] for kind in ("points", "pixels") if kind in self._runners]
        return np.concatenate(embeddings, axis=1)

    def embed_audio(self, mel: Float32Array) -> Float32Array:
        """Embed log-mel (4 * T + 3, 40) at every 10 ms: (4 * T, E)."""
        count = (len(mel) - LAGS_PER_FRAME + 1) // LAGS_PER_FRAME
        shifted = np.stack([mel[phase : phase + count * LAGS_PER_FRAME] for phase in range(LAGS_PER_FRAME)])
        embeddings = [self._runners["audio"](window[None])[0] for window in shifted]
        return np.concatenate(embeddings).transpose(1, 0, 2).reshape(count * LAGS_PER_FRAME, -1)

    def compare(self, mouth: Float32Array, audio: Float32Array) -> Float32Array:
        """Return the cosine similarity of each frame and the audio at all lags: (T, L).

        Args:
            mouth: (T, E) embeddings.
            audio: ((T + 2 * R) * 4, E) embeddings, from R frames (the maximum lag) before the first frame on.
        """
        similarity = mouth @ audio.T / np.float32(len(self.metadata.pairs))
        steps = np.arange(len(mouth))[:, None] * LAGS_PER_FRAME + np.arange(len(LAGS))[None]
        return np.asarray(np.take_along_axis(similarity, steps, axis=1), np.float32)
