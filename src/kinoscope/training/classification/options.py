"""Options of the training of a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.options import option
from kinoscope.core.sampling import Sampling
from kinoscope.core.validation import suggest
from kinoscope.training.options import EpochOptions, SplitOptions

if TYPE_CHECKING:
    from kinoscope.imaging.augment import Augment

STRONG: dict[str, Any] = {
    "crop": 0.3, "aspect": 1.5, "rotate": 10.0, "brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 30.0,
    "gray": 0.2, "blur": 1.0, "noise": 8.0, "erase": 0.25, "stride": 1.25,
}  # fmt: skip
"""Values of ``Augment`` under ``augment=strong`` that differ from its defaults, which are ``light``."""

PAIRS = ("triplet", "arcface", "contrastive")
"""Losses of the embedding; each clip needs exactly one class, without mixing."""


@dataclass(frozen=True, kw_only=True)
class ClassificationOptions(SplitOptions, EpochOptions):
    """Options of the training of a classifier. The defaults are for 100 to 10,000 clips."""

    changeable: ClassVar[tuple[str, ...]] = ("device", "workers")
    renamed: ClassVar[Mapping[str, str]] = {"heat": "temperature", "augment.place": "augment.crop_position"}

    net: str = option(
        "cnn-gru",
        "the network: cnn-gru, cnn-lstm, cnn-bigru, cnn-bilstm, keras-gru, keras-lstm, r3d-18, mc3-18, r2plus1d-18, "
        "x3d-s, movinet-a0 or motion; its own options follow a dot, as in net.hidden=256",
    )
    net_options: Mapping[str, Any] = option({}, "options of the network", group="net")
    frames: int | None = option(None, "frames of a clip; the network's default if not given", low=1, high=1024)
    rate: float | None = option(None, "frames per second; the network's default if not given", low=1e-3, high=1000)
    size: tuple[int, int] | None = option(
        None, "width and height of the frames in pixels, as in 160x160; the network's default if not given", low=1
    )
    start: str = option(
        "auto", "weights to start from: auto (those of the network's card), none, or the folder of a trained model"
    )
    unfreeze: float | None = option(
        None,
        "share of the backbone that is trained, from the top: 0 none, 1 all; 0.25 if not given, or 1 without start",
        low=0,
        high=1,
    )
    freeze_norms: bool | None = option(
        None,
        "whether the backbone's BatchNorm keeps its statistics; if not given, true when starting from trained weights",
    )
    loss: Literal["auto", "cross-entropy", "focal", "binary", "triplet", "arcface", "contrastive"] = option(
        "auto",
        "auto (cross-entropy, or binary for clips with several labels), cross-entropy, focal or binary; or triplet, "
        "arcface or contrastive, which are losses of the embedding and are added to cross-entropy",
    )
    smoothing: float = option(0.1, "label smoothing of cross-entropy, 0 to 1", low=0, high=0.99)
    gamma: float = option(
        2.0, "focusing parameter of the focal loss: how much easy clips are down-weighted, 0 to 10", low=0, high=10
    )
    margin: float = option(
        0.3, "margin between classes: a distance in triplet, an angle in radians in arcface", low=0, high=3
    )
    scale: float = option(30.0, "scale of the cosines in arcface", low=1, high=1000)
    temperature: float = option(0.1, "temperature of the contrastive loss", low=1e-3, high=10)
    optimizer: Literal["adamw", "sgd"] = option("adamw", "adamw or sgd (with Nesterov momentum 0.9)")
    lr: float | None = option(
        None, "highest learning rate; 0.001 for adamw and 0.02 for sgd if not given", low=0, high=100
    )
    trunk_lr: float | None = option(
        None, "learning rate of the backbone, as a share of lr; 0.1 if not given, or 1 without start", low=0, high=1
    )
    weight_decay: float = option(0.01, "weight decay; not of norms and biases", low=0, high=10)
    schedule: Literal["cosine", "one-cycle", "constant"] = option(
        "cosine", "learning rate after warm-up: cosine, one-cycle or constant"
    )
    warmup: float = option(
        0.05, "share of all steps in which the learning rate rises; one-cycle takes at least 0.3", low=0, high=0.9
    )
    epochs: int = option(30, "number of passes over all clips", low=1, high=100_000)
    accumulate: int = option(
        1,
        "parts in which a process handles its share of a batch, to save memory (gradient accumulation)",
        low=1,
        high=4096,
    )
    clip: float = option(1.0, "maximum norm of the gradient; 0 does not clip", low=0, high=1e6)
    ema: float = option(
        0.99,
        "decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves",
        low=0,
        high=0.99999,
    )
    balance: bool = option(False, "whether every class is equally frequent")
    bf16: bool | None = option(None, "whether the forward pass runs in bfloat16; if not given, on a GPU")
    patience: int = option(
        10, "epochs without a better score after which training stops; 0 never stops early", low=0, high=100_000
    )
    fold: str = option(
        "", "the fold that is held out instead, of how many, as in 2/5; the runs 1/5 to 5/5 validate every clip once"
    )
    workers: int | None = option(None, "threads that load clips; one for each core if not given", low=1, high=256)
    augment: Literal["light", "strong", "none"] = option(
        "light", "augmentation: light, strong or none; single transforms follow a dot, as in augment.flip=0"
    )
    augment_options: Mapping[str, Any] = option({}, "single transforms of the augmentation", group="augment")
    views: int = option(1, "clips of each video in validation", low=1, high=100)

    def check(self) -> None:
        """Check the fold, the augmentation, and what the loss needs of both."""
        augmentation, _ = self.augmentation, self.folds
        if self.loss in PAIRS and augmentation.mixes:
            raise OptionError(f"loss={self.loss} needs clips of one class each; set augment.mixup=0 augment.cutmix=0")
        if self.loss in ("triplet", "contrastive") and self.batch < 4:
            raise OptionError(f"loss={self.loss} compares the clips of a batch; give a batch of at least 4")

    def check_available(self) -> None:
        """Check the device, the groups, the network and the weights to start from."""
        from kinoscope.models.formats.trained_model import read_trained_model
        from kinoscope.models.trainable.classifiers import network_options

        network_options(self.net, self.net_options)
        super().check_available()
        try:
            if self.start not in ("auto", "none"):
                read_trained_model(Path(self.start))
        except ModelError as error:
            raise ModelError(f"start={self.start}: {error}") from None

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


def _augment_value(name: str, value: Any) -> Any:
    if name == "crop_position":
        return str(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise OptionError(f"augment.{name}={value} is no number; give one such as augment.{name}=0.5") from None


def _unknown(name: str, known: Sequence[str]) -> str:
    return f"there is no option {name}; {suggest(name, known)}known: {', '.join(known)}"
