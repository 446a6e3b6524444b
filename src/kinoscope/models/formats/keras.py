"""Keras CNNs inside a PyTorch network, read from ``.keras`` files of any backend.

Keras 3 runs on PyTorch here, so that gradients flow through its layers (Chollet et al., https://keras.io, Apache-2.0).
The file holds the layers and the initial weights. The weights then belong to PyTorch modules, one for each layer, so
that they are frozen, trained, saved and moved like all others.

A ``.keras`` file may name code to run. It is read in Keras's safe mode, and only if everything that it names is part of
Keras.
"""

from __future__ import annotations

import math
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.optional import require_extra
from kinoscope.core.untrusted import parse_json

SCALINGS: dict[str, tuple[float, float]] = {"0..255": (1.0, 0.0), "0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}
"""Scaling -> factor of pixels in [0, 255], and offset that is then added."""


ALLOWED_MODULES = (
    *("layers", "models", "initializers", "regularizers", "constraints", "activations", "dtype_policies", "ops"),
    *("optimizers", "losses", "metrics"),  # of a model inside the model
)
"""Modules of Keras that a file may name."""

CODE = "holds code of its own"
REFUSED_CLASSES = {
    "Lambda": CODE,
    "__lambda__": CODE,
    "TFSMLayer": "needs TensorFlow",
    "__typespec__": "needs TensorFlow",
}
"""Classes that a file may not name, whatever their module, and the reason."""

PLAIN_CLASSES = (
    *("__tuple__", "__list__", "__set__", "__dict__", "__ellipsis__", "__bytes__", "__slice__", "__complex__"),
    *("__keras_tensor__", "__numpy__", "__tensor__"),
)
"""Plain values that have a class but no module."""

MAX_CONFIG_BYTES = 16_000_000
"""Maximum size of ``config.json``; Keras's largest models have 2 MB."""

MAX_COMPRESSION_RATIO = 20
"""Maximum ratio of the unpacked size to the size of the file."""


class Opaque:
    """Wrapper of a Keras object: PyTorch neither searches it for weights nor copies it with a module."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __deepcopy__(self, memo: object) -> Opaque:
        return self


class LayerWeights(nn.Module):
    """The weights of one layer, by their Keras names; non-trainable ones are buffers."""

    def __init__(self, variables: list[Any]) -> None:
        super().__init__()
        self._variables = tuple((Opaque(variable), f"{variable.name}_{i}") for i, variable in enumerate(variables))
        for variable, (_, name) in zip(variables, self._variables, strict=True):
            value = variable.value.detach().cpu().clone()
            if variable.trainable:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def pairs(self) -> list[tuple[Any, Tensor]]:
        """Return each Keras variable with the tensor that replaces it."""
        return [(variable.value, getattr(self, name)) for variable, name in self._variables]


class KerasBackbone(nn.Module):
    """A Keras CNN: RGB frames (N, H, W, 3), uint8 or float in [0, 255] -> feature maps (N, C, H', W').

    Frames are resized to the model's input size if that is fixed. Features (N, C) become maps of 1 x 1. Batch norms use
    their stored statistics, and dropout is off: both would depend on Keras's own training mode.

    Attributes:
        features: C.
        stages: the layers that have weights, from input to output.
    """

    def __init__(self, model: Any, scaling: str) -> None:
        super().__init__()
        self._model = Opaque(model)
        self.stages = nn.ModuleList(LayerWeights(variables) for variables in _variables_by_layer(model))
        self._factor, self._offset = SCALINGS[scaling]
        self.features = int(model.output_shape[-1])
        self._size = tuple(model.input_shape[1:3])

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the last feature maps."""
        frames = pixels.float()
        if None not in self._size and tuple(frames.shape[1:3]) != self._size:
            resized = functional.interpolate(
                frames.permute(0, 3, 1, 2), self._size, mode="bilinear", align_corners=False, antialias=False
            )
            frames = resized.permute(0, 2, 3, 1)
        keras = _keras()
        pairs = [pair for stage in self.stages if isinstance(stage, LayerWeights) for pair in stage.pairs()]
        with keras.device(pixels.device.type), keras.StatelessScope(state_mapping=pairs):
            maps: Tensor = self._model.value(frames * self._factor + self._offset, training=False)
        return maps[..., None, None] if maps.ndim == 2 else maps.permute(0, 3, 1, 2)


def read_backbone(path: str, scaling: str = "0..1") -> KerasBackbone:
    """Read a ``.keras`` file as a CNN.

    Args:
        path: the file.
        scaling: input range that the model was trained on: pixels in ``0..255``, ``0..1`` or ``-1..1``.

    Raises:
        OptionError: there is no such file or scaling.
        ModelError: it is not a Keras model, it needs code that is not allowed, or it does not map images.
        MissingExtra: Keras is not installed.
    """
    if scaling not in SCALINGS:
        raise OptionError(f"scaling {scaling} is not known; choose one of {', '.join(SCALINGS)}")
    if not path or Path(path).suffix != ".keras" or not Path(path).is_file():
        raise OptionError(f"net.backbone is {path!r}; give the path of a .keras file, as Keras's model.save writes it")
    _check_memory(path, _check_names(path))
    model = _load(path)
    _check(model, path)
    return KerasBackbone(model, scaling)


def _keras() -> Any:
    """Return the keras module, running on PyTorch.

    Raises:
        MissingExtra: it is not installed.
        ModelError: it already runs on another backend.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    keras = require_extra("keras", "keras")
    if keras.backend.backend() != "torch":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()} in this process; set KERAS_BACKEND=torch before it is imported"
        )
    return keras


def _load(path: str) -> Any:
    keras = _keras()
    try:
        with keras.device("cpu"):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what its parts raise
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: Exception) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ModelError(f"{path} cannot be read as a Keras model ({reason}); save it again with model.save")


def _check_memory(path: str, config: dict[str, Any]) -> None:
    """Build the model without memory, so that one whose weights cannot all be in the file is refused early.

    Raises:
        ModelError: they cannot, or the configuration describes no model.
    """
    keras = _keras()
    try:
        with keras.device("meta"):
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        required = sum(4 * math.prod(variable.shape) for variable in model.variables)
    except Exception as error:  # Keras raises what its parts raise
        raise _unreadable(path, error) from None
    if required > MAX_CONFIG_BYTES + MAX_COMPRESSION_RATIO * Path(path).stat().st_size:
        raise ModelError(
            f"{path} describes a model of {required / 1e6:.0f} MB, which its file is too small for; save it again"
        )


def _check_names(path: str) -> dict[str, Any]:
    """Return a file's configuration after checking that it names nothing but parts of Keras.

    Raises:
        ModelError: it is not a Keras file, or it names something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, Path(path).stat().st_size)
            config = parse_json(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("its config.json describes no model")
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise _unreadable(path, error) from None
    config.pop("compile_config", None)  # the training configuration is not needed
    for module, name in _names(config):
        if (reason := _refusal(module, name)) is not None:
            raise ModelError(f"{path} has a {str(name)[:80]}, which {reason}; build it from Keras's own layers")
    return config


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """Check the unpacked size of an archive. Weights hardly compress, and Keras does not compress them.

    Raises:
        ValueError: it is larger than that of a model.
    """
    if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
        raise ValueError(f"its config.json is larger than {MAX_CONFIG_BYTES // 10**6} MB")
    if sum(member.file_size for member in archive.infolist()) > MAX_CONFIG_BYTES + MAX_COMPRESSION_RATIO * size:
        raise ValueError(f"it unpacks to more than {MAX_COMPRESSION_RATIO} times its size")


def _refusal(module: Any, name: Any) -> str | None:
    """Return the reason why a configuration may not name something, or None if it is part of Keras."""
    if name in REFUSED_CLASSES:
        return REFUSED_CLASSES[name]
    if module is None:
        return None if name in PLAIN_CLASSES else "names no module: only files of Keras 3 are read"
    top, *parts = [part for part in str(module).split(".") if part != "src"]
    return f"is of {str(module)[:80]}" if top != "keras" or (parts and parts[0] not in ALLOWED_MODULES) else None


def _names(config: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the module and the name of everything that a configuration names."""
    if isinstance(config, list):
        for value in config:
            yield from _names(value)
    elif isinstance(config, dict):
        if "module" in config or "class_name" in config:
            yield config.get("module"), config.get("class_name")
        for value in config.values():
            yield from _names(value)


def _variables_by_layer(model: Any) -> Iterator[list[Any]]:
    """Yield the variables of each layer that no earlier layer shares, including those of nested models."""
    known_ids: set[int] = set()
    for layer in _layers(model):
        new_variables = [variable for variable in layer.variables if id(variable) not in known_ids]
        known_ids.update(map(id, new_variables))
        if new_variables:
            yield new_variables


def _layers(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _check(model: Any, path: str) -> None:
    """Raise ModelError unless the model maps images to feature maps or features."""
    input_shape, output_shape = (getattr(model, name, None) for name in ("input_shape", "output_shape"))
    shapes = [shape if isinstance(shape, tuple) else () for shape in (input_shape, output_shape)]
    frames = len(shapes[0]) == 4 and shapes[0][-1] == 3
    if not (frames and len(shapes[1]) in (2, 4) and shapes[1][-1] is not None):
        raise ModelError(
            f"{path} maps {input_shape} to {output_shape}; "
            "a backbone maps images (N, H, W, 3) to maps (N, H, W, C) or features (N, C)"
        )
