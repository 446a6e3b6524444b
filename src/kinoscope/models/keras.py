"""Keras models as CNNs inside a PyTorch network: read from ``.keras`` files, whichever backend made them.

Keras 3 runs on PyTorch here, so that a Keras layer is a ``torch.nn.Module`` and gradients flow through it (Chollet et
al., https://keras.io, Apache-2.0). Files are read in Keras's safe mode: layers that hold code of their own are refused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import MissingExtra, ModelError, OptionError

SCALINGS: dict[str, tuple[float, float]] = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}
"""By what pixels in [0, 255] are multiplied, and what is added then."""


class KerasMaps(nn.Module):
    """A Keras CNN: RGB pictures (N, H, W, 3), uint8 or float in [0, 255] -> maps (N, C, H', W').

    Pictures are brought to the size that the model was made for, where it was made for one. A model that gives features
    (N, C) gives maps of one cell. Its batch norms keep their statistics, and its dropout is off: both would depend on
    Keras's own idea of training.

    Attributes:
        features: C.
    """

    def __init__(self, model: Any, scaling: str) -> None:
        super().__init__()
        self.model = model
        self._factor, self._offset = SCALINGS[scaling]
        self.features = int(model.output_shape[-1])
        self._size = tuple(model.input_shape[1:3])

    def forward(self, pixels: Tensor) -> Tensor:
        """Give the last maps."""
        pictures = pixels.float()
        if None not in self._size and tuple(pictures.shape[1:3]) != self._size:
            stretched = functional.interpolate(
                pictures.permute(0, 3, 1, 2), self._size, mode="bilinear", align_corners=False, antialias=False
            )
            pictures = stretched.permute(0, 2, 3, 1)
        maps: Tensor = self.model(pictures * self._factor + self._offset, training=False)
        return maps[..., None, None] if maps.ndim == 2 else maps.permute(0, 3, 1, 2)


def read_backbone(path: str, scaling: str = "0..1") -> KerasMaps:
    """Read a ``.keras`` file as a CNN.

    Args:
        path: the file.
        scaling: what the model was trained on: pixels in ``0..255``, ``0..1`` or ``-1..1``.

    Raises:
        OptionError: there is no such file or scaling.
        ModelError: it is no Keras model, it needs code that is not read, or it does not map pictures.
        MissingExtra: Keras is not installed.
    """
    if scaling not in SCALINGS:
        raise OptionError(f"scaling {scaling} is not known; choose one of {', '.join(SCALINGS)}")
    if not path or Path(path).suffix != ".keras" or not Path(path).is_file():
        raise OptionError(f"net.backbone is {path!r}; give the path of a .keras file, as Keras's model.save writes it")
    model = _load(path)
    _check(model, path)
    return KerasMaps(model, scaling)


def _keras() -> Any:
    """Give Keras, running on PyTorch.

    Raises:
        MissingExtra: it is not installed.
        ModelError: it runs on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError:
        raise MissingExtra("Keras models need the extra keras: pip install 'kinoscope[keras]'") from None
    if keras.backend.backend() != "torch":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()} in this process; set KERAS_BACKEND=torch before it is imported"
        )
    return keras


def _load(path: str) -> Any:
    try:
        return _keras().saving.load_model(path, compile=False, safe_mode=True)
    except (MissingExtra, ModelError):
        raise
    except Exception as error:  # Keras raises what its parts raise
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path} cannot be read as a Keras model ({why}); save it again with model.save") from None


def _check(model: Any, path: str) -> None:
    given, made = (getattr(model, name, None) for name in ("input_shape", "output_shape"))
    shapes = [shape if isinstance(shape, tuple) else () for shape in (given, made)]
    pictures = len(shapes[0]) == 4 and shapes[0][-1] == 3
    if not (pictures and len(shapes[1]) in (2, 4) and shapes[1][-1] is not None):
        raise ModelError(
            f"{path} maps {given} to {made}; "
            "a backbone maps pictures (N, H, W, 3) to maps (N, H, W, C) or features (N, C)"
        )
