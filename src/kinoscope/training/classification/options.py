"""Options of the training of a classifier: defaults, help and validation in one place."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.sampling import Sampling
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import suggest
from kinoscope.training.options import rename_pair, rename_saved

if TYPE_CHECKING:
    from kinoscope.imaging.augment import Augment

STRONG: dict[str, Any] = {
    "crop": 0.3, "aspect": 1.5, "rotate": 10.0, "brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 30.0,
    "gray": 0.2, "blur": 1.0, "noise": 8.0, "erase": 0.25, "stride": 1.25,
}  # fmt: skip
"""Values of ``Augment`` under ``augment=strong`` that differ from its defaults, which are ``light``."""

PAIRS = ("triplet", "arcface", "contrastive")
"""Losses of the embedding; each clip needs exactly one class, without mixing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationOptions:
    """Options of the training of a classifier. The defaults are for 100 to 10,000 clips."""

    net: str = "cnn-gru"
    """The network: cnn-gru, cnn-lstm, cnn-bigru, cnn-bilstm, keras-gru, keras-lstm, r3d-18, mc3-18, r2plus1d-18, x3d-s,
    movinet-a0 or motion. Its own options follow a dot, as in net.hidden=256.
    """
    net_options: Mapping[str, Any] = field(default_factory=dict)
    frames: int | None = None
    """Frames of a clip; the network's default if not given."""
    rate: float | None = None
    """Frames per second; the network's default if not given."""
    size: tuple[int, int] | None = None
    """Width and height of the frames in pixels, as in 160x160; the network's default if not given."""
    start: str = "auto"
    """Weights to start from: auto (those of the network's card), none, or the folder of a trained model."""
    unfreeze: float | None = None
    """Share of the backbone that is trained, from the top: 0 none, 1 all; 0.25 if not given, or 1 without start."""
    freeze_norms: bool | None = None
    """Whether the backbone's BatchNorm keeps its statistics; if not given, true when starting from trained weights."""
    loss: Literal["auto", "cross-entropy", "focal", "binary", "triplet", "arcface", "contrastive"] = "auto"
    """auto (cross-entropy, or binary for clips with several labels), cross-entropy, focal or binary; or triplet,
    arcface or contrastive, which are losses of the embedding and are added to cross-entropy."""
    smoothing: float = 0.1
    """Label smoothing of cross-entropy, 0 to 1."""
    gamma: float = 2.0
    """Focusing parameter of the focal loss: how much easy clips are down-weighted, 0 to 10."""
    margin: float = 0.3
    """Margin between classes: a distance in triplet, an angle in radians in arcface."""
    scale: float = 30.0
    """Scale of the cosines in arcface."""
    temperature: float = 0.1
    """Temperature of the contrastive loss."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """adamw or sgd (with Nesterov momentum 0.9)."""
    lr: float | None = None
    """Highest learning rate; 0.001 for adamw and 0.02 for sgd if not given."""
    trunk_lr: float | None = None
    """Learning rate of the backbone, as a share of lr; 0.1 if not given, or 1 without start."""
    weight_decay: float = 0.01
    """Weight decay; not of norms and biases."""
    schedule: Literal["cosine", "one-cycle", "constant"] = "cosine"
    """Learning rate after warm-up: cosine, one-cycle or constant."""
    warmup: float = 0.05
    """Share of all steps in which the learning rate rises; one-cycle takes at least 0.3."""
    epochs: int = 30
    """Number of passes over all clips."""
    batch: int = 16
    """Clips of one step, over all processes."""
    accumulate: int = 1
    """Parts in which a process handles its share of a batch, to save memory (gradient accumulation)."""
    clip: float = 1.0
    """Maximum norm of the gradient; 0 does not clip."""
    ema: float = 0.99
    """Decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves."""
    balance: bool = False
    """Whether every class is equally frequent."""
    bf16: bool | None = None
    """Whether the forward pass runs in bfloat16; if not given, on a GPU."""
    patience: int = 10
    """Epochs without a better score after which training stops; 0 never stops early."""
    seed: int = 0
    """Seed of everything random."""
    val: float = 0.2
    """Share of the clips that is held out for validation, where the data does not say; 0 learns from all."""
    fold: str = ""
    """The fold that is held out instead, of how many, as in 2/5; the runs 1/5 to 5/5 validate every clip once."""
    group: str = ""
    """Group that stays on one side of a split: index//24, number//8 or a pattern such as (person\\d+)."""
    workers: int | None = None
    """Threads that load clips; one for each core if not given."""
    augment: Literal["light", "strong", "none"] = "light"
    """Augmentation: light, strong or none; single transforms follow a dot, as in augment.flip=0."""
    augment_options: Mapping[str, Any] = field(default_factory=dict)
    views: int = 1
    """Clips of each video in validation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto (a GPU where there is one), cpu or cuda."""

    def __post_init__(self) -> None:
        _check_choices(self)
        _check_limits(self)
        _check_together(self)

    @property
    def folds(self) -> tuple[int, int] | None:
        """The number of the fold that ``fold`` holds out, counted from 1, and how many there are; None if none is."""
        if not self.fold:
            return None
        number, slash, count = self.fold.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) >= 2):
            raise OptionError(f"fold={self.fold} is not possible; give which of how many, such as 1/5")
        return int(number), int(count)

    @property
    def augmentation(self) -> Augment:
        """The augmentation that ``augment`` and its single transforms name."""
        from kinoscope.imaging.augment import Augment

        known = {one.name for one in fields(Augment)}
        for name in self.augment_options:
            if name not in known:
                raise OptionError(_unknown(f"augment.{name}", [f"augment.{one}" for one in sorted(known)]))
        own = {name: _augment_value(name, value) for name, value in self.augment_options.items()}
        if self.augment == "none":
            return Augment.off(**own)
        return Augment(**(STRONG if self.augment == "strong" else {}) | own)

    def sampling(self, own: Sampling) -> Sampling:
        """Return the sampling of clips; what is not given is as the network's ``own``."""
        return Sampling(self.frames or own.frames, self.rate or own.rate, self.size or own.size)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return asdict(self)


LIMITS: dict[str, tuple[float, float]] = {
    "frames": (1, 1024), "rate": (1e-3, 1000), "unfreeze": (0, 1), "smoothing": (0, 0.99), "gamma": (0, 10),
    "margin": (0, 3), "scale": (1, 1000), "temperature": (1e-3, 10), "lr": (0, 100), "trunk_lr": (0, 1),
    "weight_decay": (0, 10), "warmup": (0, 0.9), "epochs": (1, 100_000), "batch": (1, 65_536),
    "accumulate": (1, 4096), "clip": (0, 1e6), "ema": (0, 0.99999), "patience": (0, 100_000), "val": (0, 0.9),
    "workers": (1, 256), "views": (1, 100), "seed": (0, 2**31 - 1),
}  # fmt: skip


def _check_choices(options: ClassificationOptions) -> None:
    for name, kind in _kinds().items():
        value = getattr(options, name)
        if get_origin(kind) is Literal and value not in get_args(kind):
            known = get_args(kind)
            raise OptionError(f"{name}={value} is unknown; {suggest(str(value), known)}choose from {', '.join(known)}")


def _check_limits(options: ClassificationOptions) -> None:
    for name, (low, high) in LIMITS.items():
        value = getattr(options, name)
        if value is not None and not low <= value <= high:
            raise OptionError(f"{name}={value:g} is not possible; give {low:g} to {high:g}")
    if options.size is not None and min(options.size) < 1:
        raise OptionError(f"size={options.size[0]}x{options.size[1]} is not possible; give a size such as 160x160")


def _check_together(options: ClassificationOptions) -> None:
    augmentation, _ = options.augmentation, options.folds
    if options.loss in PAIRS and augmentation.mixes:
        raise OptionError(f"loss={options.loss} needs clips of one class each; set augment.mixup=0 augment.cutmix=0")
    if options.loss in ("triplet", "contrastive") and options.batch < 4:
        raise OptionError(f"loss={options.loss} compares the clips of a batch; give a batch of at least 4")


def _augment_value(name: str, value: Any) -> Any:
    if name == "crop_position":
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError(f"augment.{name}={value} is no number; give one such as augment.{name}=0.5") from None


def parse_options(pairs: Sequence[str], base: ClassificationOptions | None = None) -> ClassificationOptions:
    """Parse ``key=value`` pairs, each with the type of its option; a later one overrides.

    Raises:
        OptionError: one is no such pair, names no option, or its value cannot be used.
    """
    base = base or ClassificationOptions()
    plain: dict[str, Any] = {}
    groups = {name: dict(getattr(base, f"{name}_options")) for name in ("net", "augment")}
    for pair in pairs:
        name, equals, text = rename_pair("classify", pair).partition("=")
        head, dot, rest = name.partition(".")
        if not equals:
            raise OptionError(f"{pair} is no option; give key=value, such as epochs=10")
        if dot and head in groups:
            groups[head][rest] = _guess(text)
        else:
            plain[name] = _read(name, text)
    plain |= {f"{name}_options": group for name, group in groups.items()}
    return replace(base, **plain)


def _read(name: str, text: str) -> Any:
    kinds = _kinds()
    if name not in kinds:
        raise OptionError(_unknown(name, list(kinds)))
    try:
        return _convert(kinds[name], text.strip())
    except ValueError:
        raise OptionError(f"{name}={text} cannot be read; give {_example(kinds[name])}") from None


def _unknown(name: str, known: Sequence[str]) -> str:
    return f"there is no option {name}; {suggest(name, known)}known: {', '.join(known)}"


@lru_cache
def _kinds() -> dict[str, Any]:
    """Return the type of each option that is a plain value."""
    hints = get_type_hints(ClassificationOptions)
    return {name: kind for name, kind in hints.items() if not name.endswith("_options")}


def _convert(kind: Any, text: str) -> Any:
    """Convert a text to a type.

    Raises:
        ValueError: it cannot be converted.
    """
    if get_origin(kind) in (Union, types.UnionType):
        if text.lower() in ("none", "auto", ""):
            return None
        return _convert(next(one for one in get_args(kind) if one is not type(None)), text)
    if get_origin(kind) is tuple:
        parts = text.lower().split("x")
        return tuple(int(part) for part in (parts * 2)[:2]) if len(parts) in (1, 2) else _fail(text)
    if kind is bool:
        known = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(("false", "no", "off", "0"), False)
        return known[text.lower()] if text.lower() in known else _fail(text)
    return kind(text) if kind in (int, float) else text


def _fail(text: str) -> Any:
    raise ValueError(text)


def _guess(text: str) -> Any:
    """Convert an option of a network, whose type only its row knows: to a bool, a number, or a text."""
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        pass
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _example(kind: Any) -> str:
    kinds = [one for one in get_args(kind) if one is not type(None)] or [kind]
    if get_origin(kinds[0]) is tuple or kind == tuple[int, int]:
        return "a size such as 160x160"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(kinds[0], "a size such as 160x160")


def describe_options() -> list[tuple[str, str, str]]:
    """Return name, default and help of each option, from the dataclass itself."""
    body = ast.parse(inspect.getsource(ClassificationOptions)).body[0]
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        doc = (
            following.value.value
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            else None
        )
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and isinstance(doc, str):
            texts[statement.target.id] = " ".join(doc.split())
    defaults = {one.name: one.default for one in fields(ClassificationOptions) if one.default is not MISSING}
    return [(name, "" if defaults[name] is None else str(defaults[name]), text) for name, text in texts.items()]


def read_saved_options(path: Path) -> tuple[ClassificationOptions, dict[str, Any]]:
    """Read saved options, and the metadata on the run.

    Options that earlier releases named differently are read under their present names.

    Raises:
        ModelError: there are none, or the file is damaged.
    """
    try:
        metadata = read_json(path, allow_nan=True)
        plain = rename_saved("classify", metadata.pop("options"))
        size = plain["size"] and tuple(plain["size"])
        return ClassificationOptions(**plain | {"size": size}), metadata
    except FileNotFoundError:
        raise ModelError(f"{path.parent} is no training run: it has no {path.name}; give a folder of one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged ({error}); restart the training") from None
