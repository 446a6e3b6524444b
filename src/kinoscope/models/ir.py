"""Networks in OpenVINO's own format: converted from torch once, kept in the cache, then read without torch."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import warnings
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from kinoscope.core.errors import ModelError
from kinoscope.models.card import Card
from kinoscope.models.store import cache, fetch

if TYPE_CHECKING:
    from torch import nn


def build(card: Card) -> nn.Module:
    """Give a card's network in torch, with its weights, ready to infer."""
    if card.net is None:
        raise ModelError(
            f"{card.name} is run by another library, which takes the folder of its files: see models.fetch"
        )
    import torch

    with torch.no_grad():
        return card.net(fetch(card)).eval()


def ir(card: Card) -> Path:
    """Give the path of a card's OpenVINO model, converting it if the cache has none of these weights and this code."""
    files = fetch(card) if card.net else build(card)
    assert files
    folder = cache() / "ir" / f"{card.name}-{card.digest}-{_code()}-{metadata.version('openvino')}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                _convert(card, folder)
    return folder / "model.xml"


def _convert(card: Card, folder: Path) -> None:
    import openvino
    import torch

    part = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        shape = [2, *(48 if length is None else length for length in card.input)]
        with warnings.catch_warnings():  # tracing warns of the very things that make the graph static
            warnings.simplefilter("ignore")
            model = openvino.convert_model(build(card), example_input=torch.zeros(shape, dtype=torch.uint8))
        model.reshape([-1, *(-1 if length is None else length for length in card.input)])
        openvino.save_model(model, part / "model.xml", compress_to_fp16=False)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@lru_cache
def _code() -> str:
    """Give a digest of the code that makes networks, so that a changed network is converted anew."""
    package = Path(__file__).parents[1]
    sources = sorted((package / "nets").glob("*.py")) + sorted((package / "models").glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
