"""Embeddings of mouths and of sound that are alike where the two belong together: a folder of weights, ready to run.

A model is a folder with ``model.json`` and ``model.safetensors``: which pairs of streams it has (``nets.syncnet``),
and what their likeness is worth. One comes with kinoscope; ``kinoscope train sync`` writes others.
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
"""What a pair of streams may see of a mouth."""

BUNDLED = Path(__file__).parents[1] / "weights" / "sync"
"""The model that comes with kinoscope."""

TASK = "sync"

LAGS_PER_FRAME = round(FRAME_SECONDS / LAG_STEP_SECONDS)
"""Lags to a frame: the sound is embedded at each of them."""

CONTEXT_FRAMES = 10
"""Frames on each side from which an embedding takes something."""

PADDING_FRAMES = len(LAGS) // 2 // LAGS_PER_FRAME + CONTEXT_FRAMES
"""Frames of sound that are needed before and after those of the picture."""

MAX_PAIRS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncModelMetadata:
    """What ``model.json`` says of a model of lips and sound.

    Attributes:
        pairs: what each pair of streams sees of a mouth: ``points`` or ``pixels``.
        calibration: what their likeness is worth.
        data: name of the data that it learned from.
        score: what was measured.
    """

    pairs: tuple[str, ...]
    calibration: OffsetCalibration = field(default_factory=OffsetCalibration)
    data: str = ""
    score: dict[str, Any] = field(default_factory=dict)


def read_sync_metadata(path: Path) -> SyncModelMetadata:
    """Read ``model.json``.

    Raises:
        ModelError: it is damaged, of another task, or newer than this version.
    """
    return read_metadata(path.parent, _parse, TASK, "model of lips and sound")


def _parse(pairs: Sequence[str], calibration: Mapping[str, Any], data: str, score: dict[str, Any]) -> SyncModelMetadata:
    """Give what the plain form says; ValueError where it cannot be."""
    if not 0 < len(pairs) <= MAX_PAIRS or set(pairs) - set(MOUTH_KINDS):
        raise ValueError(
            f"it has the pairs {list(pairs)[:10]}; 1 to {MAX_PAIRS} of {', '.join(MOUTH_KINDS)} are possible"
        )
    constant, alone, rooted, length = map(float, calibration["weights"])
    if not all(map(math.isfinite, (constant, alone, rooted, length, float(calibration["spread"])))):
        raise ValueError("its calibration is not finite")
    worth = OffsetCalibration((constant, alone, rooted, length), float(calibration["spread"]))
    return SyncModelMetadata(pairs=tuple(pairs), calibration=worth, data=data, score=score)


def bundled_calibration() -> OffsetCalibration:
    """Give what likeness is worth to the model that comes with kinoscope."""
    return read_sync_metadata(BUNDLED / METADATA_FILE).calibration


def save_sync_model(folder: Path, pairs: Sequence[SyncNet], streams: SyncModelMetadata, half: bool = True) -> None:
    """Write pairs, in the order of ``streams.pairs``, into a folder."""
    from torch import nn

    from kinoscope.models.formats.trained_model import write_weights

    write_weights(folder / WEIGHTS_FILE, nn.ModuleList(pairs), half)
    write_metadata(folder, streams, TASK)


def new_pair(kind: str) -> SyncNet:
    """Give a pair of streams that has learned nothing yet."""
    from kinoscope.nets.syncnet import MOUTH_STREAMS, SyncNet

    return SyncNet(MOUTH_STREAMS[kind]())


def load_pairs(files: Mapping[str, Path]) -> list[SyncNet]:
    """Build all pairs of streams with their weights, in torch and ready to infer.

    Raises:
        ModelError: a file is not what it should be.
    """
    from torch import nn

    from kinoscope.models.formats.trained_model import load_weights

    pairs = [new_pair(kind).eval() for kind in read_sync_metadata(files[METADATA_FILE]).pairs]
    load_weights(nn.ModuleList(pairs), files[WEIGHTS_FILE])
    return pairs


def load_streams(kind: str, files: Mapping[str, Path]) -> nn.Module:
    """Give the streams that see ``points`` or ``pixels``, or hear ``sound``, of all pairs, side by side."""
    from kinoscope.nets.syncnet import Ensemble

    pairs, kinds = load_pairs(files), read_sync_metadata(files[METADATA_FILE]).pairs
    if kind == "sound":
        return Ensemble([pairs[i].sound for i in _embedding_order(kinds)])
    return Ensemble([pair.mouth for pair, own in zip(pairs, kinds, strict=True) if own == kind])


def _embedding_order(kinds: Sequence[str]) -> list[int]:
    """Give the pairs in the order in which their embeddings lie side by side: points before pixels."""
    return sorted(range(len(kinds)), key=lambda i: kinds[i] != "points")


INPUTS: dict[str, tuple[tuple[int | None, ...], Any]] = {
    "points": ((None, 183), "float32"),
    "pixels": ((None, 48, 48), "uint8"),
    "sound": ((None, NUM_BANDS), "float32"),
}
"""Axes and type of what each kind of stream takes; the first axis is time."""


def stream_card(kind: str, files: tuple[WeightFile, ...], source: str, name: str = "lips", **facts: Any) -> Card:
    """Give the card of the streams of one kind."""
    axes, dtype = INPUTS[kind]
    return Card(
        name=f"{name}-{kind}",
        task=f"sync-{kind}",
        about=f"streams that tell whether lips and sound agree: {kind}",
        files=files,
        sources=(source,),
        net=partial(load_streams, kind),
        input=axes,
        dtype=dtype,
        outputs=((None, None),),
        tolerance=2e-3,
        **({"licence": "your own"} | facts),
    )


def folder_cards(folder: Path) -> list[Card]:
    """Give the cards of a model in a folder.

    Raises:
        ModelError: it is none.
    """
    for name in (METADATA_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is no trained model: it has no {name}; give one that `kinoscope train sync` wrote"
            )
    files = tuple(WeightFile(name, sha256_file(folder / name)) for name in (METADATA_FILE, WEIGHTS_FILE))
    kinds = [*dict.fromkeys(read_sync_metadata(folder / METADATA_FILE).pairs), "sound"]
    return [stream_card(kind, files, f"folder:{folder.resolve()}", folder.resolve().name) for kind in kinds]


class SyncModel:
    """Compare mouths with sound.

    Args:
        model: ``auto`` for the one that comes with kinoscope, or the folder of another.
        device, threads: see ``models.load``.
    """

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        from kinoscope.models.registry import CARDS

        own = [card for card in CARDS if card.task.startswith("sync-")]
        self.cards = own if model == "auto" else folder_cards(Path(model))
        self._runners = {
            card.task.removeprefix("sync-"): make_runner(card, device, threads=threads) for card in self.cards
        }
        self.streams = read_sync_metadata(fetch(self.cards[0])[METADATA_FILE])
        self.runtime = self._runners["sound"].runtime

    def see(self, points: Float32Array, pixels: UInt8Array) -> Float32Array:
        """Embed a mouth, 25 times a second: points (T, 61, 3), see ``mouths.points_of``, grey pictures (T, 48, 48)."""
        given: dict[str, Any] = {"points": points.reshape(1, len(points), -1), "pixels": pixels[None]}
        found = [self._runners[kind](given[kind])[0][0] for kind in ("points", "pixels") if kind in self._runners]
        return np.concatenate(found, axis=1)

    def hear(self, mel: Float32Array) -> Float32Array:
        """Embed log-mel (4 * T + 3, 40) at every 10 ms: (4 * T, E)."""
        count = (len(mel) - LAGS_PER_FRAME + 1) // LAGS_PER_FRAME
        shifted = np.stack([mel[phase : phase + count * LAGS_PER_FRAME] for phase in range(LAGS_PER_FRAME)])
        found = [self._runners["sound"](one[None])[0] for one in shifted]
        return np.concatenate(found).transpose(1, 0, 2).reshape(count * LAGS_PER_FRAME, -1)

    def compare(self, seen: Float32Array, heard: Float32Array) -> Float32Array:
        """Give how alike each frame and the sound are at all lags: (T, L), at most 1.

        Args:
            seen: (T, E) of the mouth.
            heard: ((T + 2 * R) * 4, E) of the sound from R frames, those of the largest lag, before the first frame on.
        """
        both = seen @ heard.T / np.float32(len(self.streams.pairs))
        steps = np.arange(len(seen))[:, None] * LAGS_PER_FRAME + np.arange(len(LAGS))[None]
        return np.asarray(np.take_along_axis(both, steps, axis=1), np.float32)
