"""Networks in OpenVINO's own format: converted from torch once, kept in the cache, then read without torch."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from kinoscope.core.errors import ModelError
from kinoscope.models.card import Card
from kinoscope.models.integrity import find_altered, write_seal
from kinoscope.models.store import cache_folder, fetch, unwritable_error, writable_folder

if TYPE_CHECKING:
    from torch import nn


def build_torch_module(card: Card) -> nn.Module:
    """Give a card's network in torch, with its weights, ready to infer."""
    if card.net is None:
        raise ModelError(
            f"{card.name} is run by another library, which takes the folder of its files: see models.fetch"
        )
    import torch

    with torch.no_grad():
        return card.net(fetch(card)).eval()


def openvino_model_path(card: Card) -> Path:
    """Give the path of a card's OpenVINO model, converting it if the cache has none of these weights and this code."""
    if card.net is None:
        raise ModelError(f"{card.name} is run by another library; it takes the folder that models.fetch gives")
    folder = cache_folder() / "ir" / f"{card.name}-{card.digest}-{_code_digest()}-{metadata.version('openvino')}"
    if find_altered(folder):
        try:
            folder = writable_folder("ir") / folder.name
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(folder.name + ".lock")):
                if find_altered(folder):  # else another process converted it while this one waited
                    _convert(card, folder)
        except OSError as error:
            raise unwritable_error(card, error) from None
    return folder / "model.xml"


def _convert(card: Card, folder: Path) -> None:
    import openvino

    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed; the lock is ours
    part.mkdir()
    try:
        model = to_openvino(
            build_torch_module(card), [2, *(48 if length is None else length for length in card.input)], card.dtype
        )
        model.reshape([-1, *(-1 if length is None else length for length in card.axes)])
        openvino.save_model(model, part / "model.xml", compress_to_fp16=False)
        write_seal(part, ["model.xml", "model.bin"])
        shutil.rmtree(folder, ignore_errors=True)  # what was altered
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


class Unconvertible(ModelError):
    """OpenVINO does not know an operation of a network; torch runs it all the same."""


def to_openvino(net: nn.Module, shape: Sequence[int], dtype: str = "uint8") -> Any:
    """Give a network that takes one tensor as an OpenVINO model; ``shape`` and ``dtype`` are an example's.

    The reader of torch networks is asked directly: ``openvino.convert_model`` does the same, but reports its use to
    the makers of OpenVINO.

    Raises:
        Unconvertible: OpenVINO does not know an operation of it.
    """
    import torch
    from openvino.frontend import FrontEndManager, OpConversionFailure
    from openvino.frontend.pytorch import ConversionExtension
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(list(shape), dtype=getattr(torch, dtype))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of the very things that make the graph static
        traced: Any = torch.jit.trace(net, example, check_trace=False)  # type: ignore[no-untyped-call]
        reader = FrontEndManager().load_by_framework("pytorch")
        # Keras calls subtraction by its other name, which the reader does not know.
        reader.add_extension(ConversionExtension("aten::subtract", _subtract))
        decoder = TorchScriptPythonDecoder(traced, example_input=example)  # must live until the end of convert
        try:
            return reader.convert(reader.load(decoder))
        except OpConversionFailure as error:
            last = (str(error).strip().splitlines() or ["no reason given"])[-1]
            raise Unconvertible(f"OpenVINO cannot run {type(net).__name__} ({last.strip('- ')})") from None


def _subtract(node: Any) -> list[Any]:
    from openvino import opset13

    return [opset13.subtract(node.get_input(0), node.get_input(1)).output(0)]


@lru_cache
def _code_digest() -> str:
    """Give a digest of the code that makes networks, so that a changed network is converted anew."""
    package = Path(__file__).parents[2]
    sources = [path for part in ("models", "nets") for path in sorted((package / part).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
