"""Networks in OpenVINO's own format: converted from torch once, cached, then read without torch."""

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
    from torch import Tensor, nn


def build_torch_module(card: Card) -> nn.Module:
    """Return a card's network in torch, with its weights, in evaluation mode."""
    if card.net is None:
        raise ModelError(
            f"{card.name} is run by another library, which takes the folder of its files; get it from models.fetch"
        )
    import torch

    with torch.no_grad():
        return card.net(fetch(card)).eval()


def openvino_model_path(card: Card) -> Path:
    """Return the path of a card's OpenVINO model; convert it if none of these weights and this code is cached."""
    if card.net is None:
        raise ModelError(
            f"{card.name} is run by another library, which takes the folder of its files; get it from models.fetch"
        )
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
    """Convert a card's network and write it into a folder."""
    import openvino

    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed; the lock is ours
    partial.mkdir()
    try:
        model = to_openvino(
            build_torch_module(card), [2, *(48 if length is None else length for length in card.input)], card.dtype
        )
        model.reshape([-1, *(-1 if length is None else length for length in card.axes)])
        openvino.save_model(model, partial / "model.xml", compress_to_fp16=False)
        write_seal(partial, ["model.xml", "model.bin"])
        shutil.rmtree(folder, ignore_errors=True)  # what was altered
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class Unconvertible(ModelError):
    """OpenVINO does not support an operation of a network; torch runs it instead."""


def to_openvino(net: nn.Module, shape: Sequence[int], dtype: str = "uint8") -> Any:
    """Convert a network with one input tensor to an OpenVINO model; ``shape`` and ``dtype`` are those of an example.

    Raises:
        Unconvertible: OpenVINO does not support an operation of it.
    """
    import torch

    return convert_module(net, (torch.zeros(list(shape), dtype=getattr(torch, dtype)),))


def convert_module(net: nn.Module, examples: tuple[Tensor, ...]) -> Any:
    """Convert a network to an OpenVINO model, given an example of each input tensor.

    The frontend for torch networks is called directly: ``openvino.convert_model`` does the same, but sends usage
    statistics to the developers of OpenVINO.

    Raises:
        Unconvertible: OpenVINO does not support an operation of it.
    """
    import torch
    from openvino.frontend import FrontEndManager, OpConversionFailure
    from openvino.frontend.pytorch import ConversionExtension
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns about what makes the graph static, which is intended
        traced: Any = torch.jit.trace(net, examples, check_trace=False)  # type: ignore[no-untyped-call]
        frontend = FrontEndManager().load_by_framework("pytorch")
        # Keras uses an alias of subtraction that the frontend does not know.
        frontend.add_extension(ConversionExtension("aten::subtract", _subtract))
        decoder = TorchScriptPythonDecoder(traced, example_input=examples)  # must live until the end of convert
        try:
            return frontend.convert(frontend.load(decoder))
        except OpConversionFailure as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
            raise Unconvertible(f"OpenVINO cannot run {type(net).__name__} ({reason.strip('- ')})") from None


def _subtract(node: Any) -> list[Any]:
    from openvino import opset13

    return [opset13.subtract(node.get_input(0), node.get_input(1)).output(0)]


@lru_cache
def _code_digest() -> str:
    """Return a digest of the code that builds networks, so that a changed network is converted again."""
    package = Path(__file__).parents[2]
    sources = [path for partial in ("models", "nets") for path in sorted((package / partial).rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
