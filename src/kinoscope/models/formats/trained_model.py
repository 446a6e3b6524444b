"""Trained models: a folder with ``model.json`` and ``model.safetensors``, read without running any code of theirs.

``model.json`` names an entry of the table of networks and its options, never a class or a module, so that a folder from
an untrusted source can do no more than be invalid.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kinoscope.core.errors import ModelError, OptionError, OutputError
from kinoscope.core.files import atomic_write
from kinoscope.core.hashing import sha256_file
from kinoscope.core.ranges import check_ranges
from kinoscope.core.sampling import MAX_FRAMES, Sampling
from kinoscope.core.untrusted import read_json
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.trainable.classifiers import build_network

if TYPE_CHECKING:
    from torch import Tensor, nn

    N = TypeVar("N", bound=nn.Module)

SCHEMA = 1
METADATA_FILE, WEIGHTS_FILE = "model.json", "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """The content of ``model.json`` of a trained model.

    Attributes:
        task: what it was trained for, such as ``classify``.
        network, options: its entry in the table of networks, and its build options.
        classes: names of its classes, by index of the logit.
        sampling: of its input clips.
        multilabel: True if each class has an independent probability (sigmoid), False for softmax.
        temperature: divisor of the logits that calibrates the probabilities (Guo et al., ICML 2017).
        data: name of the training data.
        score: measured values by metric, with the name of the split.
        files: names of further files that the network is built from (a Keras backbone), beside the weights.
    """

    task: str
    network: str
    classes: tuple[str, ...]
    sampling: Sampling
    options: dict[str, Any] = field(default_factory=dict)
    multilabel: bool = False
    temperature: float = 1.0
    data: str = ""
    score: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def build(self, files: Mapping[str, Path]) -> nn.Module:
        """Build the network with random weights.

        Args:
            files: the files of the model, by name.

        Raises:
            ModelError: an option names a file that is not in the model's folder.
        """
        for name, value in self.options.items():
            if isinstance(value, str) and value not in self.files and Path(value).is_file():
                raise ModelError(
                    f"{METADATA_FILE} has {name}={value}, a file outside the model's folder; train it again"
                )
        paths = {name: str(files[value]) for name, value in self.options.items() if value in self.files}
        return build_network(self.network, len(self.classes), self.options | paths)


def save_trained_model(folder: Path, net: nn.Module, trained: TrainedModel, half: bool = False) -> None:
    """Write a trained model into a folder; each file is written completely or left as it was.

    Args:
        half: store the weights in float16, at half the size.

    Raises:
        OutputError: it cannot be written.
    """
    write_weights(folder / WEIGHTS_FILE, net, half)
    with atomic_write(folder / METADATA_FILE) as path:
        path.write_text(json.dumps({"schema": SCHEMA} | asdict(trained), indent=1, allow_nan=False) + "\n")


def write_weights(path: Path, net: nn.Module, half: bool = False) -> None:
    """Write the state dict of a network as safetensors."""
    state = {name: tensor.detach() for name, tensor in net.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    write_tensors(path, state)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, completely or not at all.

    Args:
        header: further metadata of the file.

    Raises:
        OutputError: they cannot be written; an existing file is left as it was.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    values = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        try:
            save_file(values, temporary, None if header is None else dict(header))
        except SafetensorError as error:  # a full disk is reported in its message alone
            raise OutputError(f"cannot write {path}: {_first_line(error)}; free some space and try again") from None


def read_trained_model(folder: Path) -> TrainedModel:
    """Read ``model.json`` of a folder.

    Raises:
        ModelError: there is none, or this version does not support it.
    """
    path = folder / METADATA_FILE
    if not path.is_file():
        raise ModelError(
            f"{folder} is no trained model: it has no {METADATA_FILE}; give a folder that `kinoscope train` wrote"
        )
    return _parse(path)


def _parse(path: Path) -> TrainedModel:
    """Return the content of a ``model.json``."""
    try:
        values = read_json(path)
        schema = values.pop("schema")
        if schema > SCHEMA:
            raise ModelError(f"{path} has schema {schema}, and this version reads up to {SCHEMA}; update kinoscope")
        sampling = Sampling(**(values["sampling"] | {"size": tuple(values["sampling"]["size"])}))
        tuples = {name: tuple(values[name]) for name in ("classes", "files")}
        if any(Path(name).name != name for name in tuples["files"]):
            raise ValueError("a file lies outside the folder")
        trained = TrainedModel(**(values | tuples | {"sampling": sampling}))
        _check_types(trained)
        return trained
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OptionError) as error:
        raise ModelError(
            f"{path} is damaged ({_first_line(error)}); train the model again or restore the file"
        ) from None


def _check_types(trained: TrainedModel) -> None:
    """Check the values that no constructor checks.

    Raises:
        OptionError: the temperature or the number of frames is out of range.
        TypeError: a value has another type.
    """
    check_ranges(trained, {"temperature": (1e-3, 1e3)})
    check_ranges(trained.sampling, {"frames": (1, MAX_FRAMES)})
    texts = (trained.task, trained.network, trained.data, *trained.classes)
    if not all(isinstance(text, str) for text in texts) or not isinstance(trained.multilabel, bool):
        raise TypeError("a name is no text")
    if not (isinstance(trained.options, dict) and isinstance(trained.score, dict)):
        raise TypeError("its options or scores have no names")


def load_net(folder: Path) -> tuple[nn.Module, TrainedModel]:
    """Return a trained model's network in torch, ready to infer or to train further, and its metadata.

    Raises:
        ModelError: the folder or a file in it is invalid.
    """
    trained = read_trained_model(folder)
    files = {name: folder / name for name in (METADATA_FILE, WEIGHTS_FILE, *trained.files)}
    return network_from_files(files), trained


def trained_card(folder: Path) -> Card:
    """Return the card of a trained model.

    Raises:
        ModelError: the folder or a file in it is invalid.
    """
    trained = read_trained_model(folder)
    sampling = trained.sampling
    return Card(
        name=folder.resolve().name,
        task=trained.task,
        about=f"{trained.network}, trained on {trained.data or 'your own clips'}",
        licence="your own",
        files=tuple(WeightFile(name, _sha256(folder / name)) for name in (METADATA_FILE, WEIGHTS_FILE, *trained.files)),
        sources=(f"folder:{folder.resolve()}",),
        net=network_from_files,
        input=(sampling.frames, sampling.size[1], sampling.size[0], 3),
        outputs=((None,), (len(trained.classes),)),
        output_names=("embedding", "logits"),
        rate=sampling.rate,
        temperature=trained.temperature,
        multilabel=trained.multilabel,
        classes=trained.classes,
        measured=", ".join(f"{name} {value}" for name, value in trained.score.items()) or None,
    )


def network_from_files(files: Mapping[str, Path]) -> nn.Module:
    """Build a trained model's network from its files by name, in evaluation mode.

    Raises:
        ModelError: a file is invalid.
    """
    trained = _parse(files[METADATA_FILE])
    if trained.files:  # a network read from its own file cannot be larger than that file
        net = trained.build(files)
        load_weights(net, files[WEIGHTS_FILE])
        return net.eval()
    return build_with_weights(lambda: trained.build(files), files[WEIGHTS_FILE]).eval()


def build_with_weights(build: Callable[[], N], path: Path) -> N:
    """Return a network with the weights of a safetensors file.

    It is built without memory first: options that ask for other tensors than those of the file are refused before any
    memory is allocated.

    Raises:
        ModelError: the file is missing or damaged, or it belongs to another network.
    """
    _check_shapes(build, path)
    net = build()
    load_weights(net, path)
    return net


def tensor_shapes(build: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the tensors of a network by name, without allocating memory for them."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Unfilled(TorchFunctionMode):
        """Mode that skips initialization: tensors on the meta device have no content."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(function, "__name__", "")
            if name.endswith("_") and not name.endswith("__") and args and isinstance(args[0], torch.Tensor):
                return args[0]
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Unfilled():
        return {name: tuple(tensor.shape) for name, tensor in build().state_dict().items()}


def _check_shapes(build: Callable[[], nn.Module], path: Path) -> None:
    """Raise ModelError unless the tensors of a file are those of the network."""
    stored = _shapes(path)
    try:
        planned = tensor_shapes(build)
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        raise ModelError(
            f"no network is as {path.with_name(METADATA_FILE)} says ({_first_line(error)}); train it again"
        ) from None
    for name in sorted(planned.keys() | stored.keys()):
        if planned.get(name) != stored.get(name):
            stored_shape, wanted = (shapes.get(name, "missing") for shapes in (stored, planned))
            raise ModelError(f"{path} holds the weights of another network ({name} is {stored_shape}, not {wanted})")


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ModelError:
    return ModelError(f"{path} cannot be read ({_first_line(error)}); restore it or train the model again")


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a safetensors file into a network by the names of its tensors.

    Raises:
        ModelError: the file is missing or damaged, or it belongs to another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from None
    except RuntimeError as error:
        raise ModelError(f"{path} holds the weights of another network ({_first_line(error)})") from None


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise ModelError(f"{path} is missing; restore it or train the model again")
    return sha256_file(path)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
