"""Sync loss: a frozen model of lips and audio scores how well generated mouths match a voice.

The model sees pixels, so that its similarity has a gradient with respect to them (Wav2Lip, arXiv 2008.10010); evaluate
with streams that see points instead.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from kinoscope.core.errors import ModelError
from kinoscope.models import cards_for_task
from kinoscope.models.inference.sync import METADATA_FILE, folder_cards, load_pairs, read_sync_metadata
from kinoscope.models.store import fetch
from kinoscope.training.lipsync.losses import Expert

GREY = (0.299, 0.587, 0.114)


def load_expert(model: str = "auto") -> Expert:
    """Load the streams of a sync model that see pixels, as an expert.

    Args:
        model: ``auto`` for the bundled one, or a folder that ``kinoscope train sync`` wrote.

    Raises:
        ModelError: it is no sync model, or none of its streams sees pixels.
    """
    files = fetch((cards_for_task("sync-pixels") if model == "auto" else folder_cards(Path(model)))[0])
    kinds = read_sync_metadata(files[METADATA_FILE]).pairs
    pairs = [pair for pair, kind in zip(load_pairs(files), kinds, strict=True) if kind == "pixels"]
    if not pairs:
        raise ModelError(
            f"{model} sees only points, which have no gradient with respect to pixels; train sync with pairs=pixels"
        )
    for pair in pairs:
        pair.requires_grad_(False)

    def similarity(mouths: Tensor, mel: Tensor) -> Tensor:
        grey = torch.einsum("ntchw,c->nthw", mouths, mouths.new_tensor(GREY)) * 255
        similarities = [(pair.to(grey.device).mouth(grey) * pair.sound(mel)).sum(2).mean(1) for pair in pairs]
        return torch.stack(similarities).mean(0)

    return similarity
