"""Network inference: an array in (uint8, or the card's dtype), float32 arrays out, on any device.

On a CPU the runtime is OpenVINO, which needs torch only once, to convert the network; on an NVIDIA GPU, and for what
OpenVINO does not support, it is torch.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.arrays import Float32Array, UInt8Array
from kinoscope.core.errors import OptionError
from kinoscope.models.card import Card, Shape
from kinoscope.models.integrity import verified
from kinoscope.models.runtime.openvino import Unconvertible, build_torch_module, openvino_model_path
from kinoscope.models.store import cache_folder

Outputs = tuple[Float32Array, ...]
Inputs = UInt8Array | Float32Array
Infer = Callable[[Inputs], Outputs]

DEVICES = ("auto", "cpu", "cuda", "torch")
CUDA_BATCH = 32
"""Maximum batch size of one inference on a GPU."""

PRECISIONS = ("auto", "fp32", "bf16")

READ_LOCK = threading.Lock()
"""Held while OpenVINO reads a network: it changes the locale of the process meanwhile."""


class Runner:
    """A network ready for inference. Not thread-safe: one thread uses a runner at a time.

    Attributes:
        card: of the network.
        runtime: runtime and precision, such as ``openvino-fp32``.
    """

    def __init__(self, card: Card, runtime: str, infer: Infer, batch: int | None = None) -> None:
        self.card = card
        self.runtime = runtime
        self._infer = infer
        self._batch = batch or card.batch

    def __call__(self, array: Inputs) -> Outputs:
        """Infer on an array (N, *card.input) of ``card.dtype``; return float32 (N, ...) for each of ``card.outputs``.

        Raises:
            ValueError: the array has another dtype or shape.
        """
        self._check(array)
        parts = [self._infer(array[i : i + self._batch]) for i in range(0, len(array), self._batch)]
        if not parts:
            return tuple(np.zeros((0, *(length or 0 for length in axes)), np.float32) for axes in self.card.outputs)
        return parts[0] if len(parts) == 1 else tuple(np.concatenate(p) for p in zip(*parts, strict=True))

    def _check(self, array: Inputs) -> None:
        if array.dtype != self.card.dtype or not self.card.accepts(array.shape[1:]):
            size = "any" if self.card.stride is None else f"a multiple of {self.card.stride}"
            axes = ", ".join(size if length is None else str(length) for length in self.card.axes)
            expected = f"{self.card.name} takes {self.card.dtype} (N, {axes})"
            raise ValueError(f"{expected}, not {array.dtype} {array.shape}")


def make_runner(card: Card, device: str = "auto", precision: str = "auto", threads: int | None = None) -> Runner:
    """Build a runner of a card's network.

    Args:
        device: ``cpu`` (OpenVINO), ``cuda`` (torch), ``torch`` (torch on the CPU, the reference), or ``auto``.
        precision: ``fp32``, ``bf16``, or ``auto``: bf16 where the device supports it natively and the card allows it.
        threads: number of threads of one inference on the CPU; all cores by default.

    Raises:
        OptionError: the device or the precision is unknown, or there is no such device.
    """
    check_device(device)
    _check_option("precision", precision, PRECISIONS)
    if device == "cpu" or (device == "auto" and not has_cuda()):
        return _openvino(card, precision, threads)
    return _torch(card, torch_device(device), precision)


def check_device(device: str) -> None:
    """Check that a device is known and available.

    Raises:
        OptionError: it is not.
    """
    _check_option("device", device, DEVICES)
    if device == "cuda" and not has_cuda():
        raise OptionError("device cuda is not available; choose cpu or auto")


def _check_option(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise OptionError(f"{name} {value} is not known; choose one of {', '.join(known)}")


@lru_cache
def has_cuda() -> bool:
    """Return whether torch can use an NVIDIA GPU. Torch is imported only if there is a driver: a CPU starts fast."""
    try:
        ctypes.CDLL("libcuda.so.1" if os.name == "posix" else "nvcuda.dll")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()


def core_count() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache
def _core() -> Any:
    import openvino

    return openvino.Core()


@lru_cache
def has_bf16() -> bool:
    """Return whether this CPU computes in bfloat16."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _openvino(card: Card, precision: str, threads: int | None) -> Runner:
    if precision == "bf16" and not has_bf16():
        raise OptionError("precision bf16 is not supported by this CPU; choose fp32 or auto")
    bf16 = precision == "bf16" or (precision == "auto" and card.bf16 and has_bf16())
    try:
        path = str(openvino_model_path(card))
    except Unconvertible:
        return _torch(card, "cpu", precision)
    hint, threads = "bf16" if bf16 else "f32", threads or core_count()
    requests: dict[Shape | None, Any] = {}

    def infer(array: Inputs) -> Outputs:
        # All frames of a video have one shape: compiled for it, a detector is 10 to 25 % faster.
        shape = array.shape if card.stride else None
        if shape not in requests:
            requests[shape] = compile_network(path, hint, threads, shape).create_infer_request()
        results = requests[shape].infer([np.ascontiguousarray(array)], share_inputs=True)
        return tuple(results[i] for i in range(len(results)))

    if not card.stride:
        requests[None] = compile_network(path, hint, threads, None).create_infer_request()

    return Runner(card, f"openvino-{'bf16' if bf16 else 'fp32'}", infer)


@lru_cache(maxsize=32)
def compile_network(path: str, precision: str, threads: int, shape: Shape | None) -> Any:
    """Return a network compiled for one input shape, or for any.

    Measured on two cores: compiling takes 0.3 s; a network compiled before is read from the cache in 0.05 s.
    """
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # With pinning, the threads of several networks that run in parallel would share a core.
        "ENABLE_CPU_PINNING": False,
    }
    # OpenVINO changes the process's locale while it reads a network: two concurrent reads leave it wrong,
    # and Python then reads text files as ASCII.
    cache_dir = cache_folder() / "compiled" / Path(path).parent.name
    with READ_LOCK, verified(cache_dir, "*.blob") as writable_dir:
        model = _core().read_model(path)
        if shape is not None:
            model.reshape(list(shape))
        return _core().compile_model(model, "CPU", options | ({"CACHE_DIR": str(writable_dir)} if writable_dir else {}))


def torch_device(device: str) -> str:
    """Return the torch device, ``cpu`` or ``cuda``, for a name of ``DEVICES``.

    Raises:
        OptionError: the device is unknown or not available.
    """
    check_device(device)
    return "cuda" if device in ("auto", "cuda") and has_cuda() else "cpu"


def _torch(card: Card, torch_name: str, precision: str) -> Runner:
    import torch

    bf16 = precision == "bf16" or (precision == "auto" and card.bf16 and torch_name == "cuda")
    net = build_torch_module(card).to(torch_name)

    def infer(array: Inputs) -> Outputs:
        pixels = torch.from_numpy(np.ascontiguousarray(array)).to(torch_name)
        with torch.inference_mode(), torch.autocast(torch_name, torch.bfloat16, enabled=bf16):
            return tuple(output.float().cpu().numpy() for output in net(pixels))

    runtime = f"torch{'-cuda' if torch_name == 'cuda' else ''}-{'bf16' if bf16 else 'fp32'}"
    return Runner(card, runtime, infer, CUDA_BATCH if torch_name == "cuda" else None)
