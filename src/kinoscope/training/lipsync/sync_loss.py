"""A frozen expert of lips and sound, through whose eyes a painter of mouths is told how well it follows a voice.

It sees pixels, so that what it says has a gradient to them (Wav2Lip, arXiv 2008.10010); what is measured later had
better be told by streams that see points.
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
    """Load the streams of a model that see pixels, as an expert.

    Args:
        model: ``auto`` for the one that comes with kinoscope, or a folder that ``kinoscope train sync`` wrote.

    Raises:
        ModelError: it is none, or none of its streams sees pixels.
    """
    files = fetch((cards_for_task("sync-pixels") if model == "auto" else folder_cards(Path(model)))[0])
    kinds = read_sync_metadata(files[METADATA_FILE]).pairs
    pairs = [pair for pair, kind in zip(load_pairs(files), kinds, strict=True) if kind == "pixels"]
    if not pairs:
        raise ModelError(f"{model} sees points alone, which have no gradient to pixels; train sync with pairs=pixels")
    for pair in pairs:
        pair.requires_grad_(False)

    def likeness(mouths: Tensor, mel: Tensor) -> Tensor:
        grey = torch.einsum("ntchw,c->nthw", mouths, mouths.new_tensor(GREY)) * 255
        found = [(pair.to(grey.device).mouth(grey) * pair.sound(mel)).sum(2).mean(1) for pair in pairs]
        return torch.stack(found).mean(0)

    return likeness
