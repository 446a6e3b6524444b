"""The table of trainable classifiers. A new one is a file in ``nets`` and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kinoscope.core.errors import OptionError
from kinoscope.core.plugins import load_row, plugins
from kinoscope.core.sampling import Sampling
from kinoscope.core.validation import suggest

if TYPE_CHECKING:
    from torch import Tensor, nn


class ClipNet(Protocol):
    """Interface of every trainable network, besides that of ``torch.nn.Module``.

    It takes RGB clips (N, T, H, W, 3), uint8 or float in [0, 255], normalizes them itself, and returns the clip's
    embedding (N, D) and the class logits (N, K). It trains and infers at any T, H and W that its strides allow.

    Attributes:
        maps: the module whose output are the last feature maps that have height and width: (N, C, T', H', W'), or
            (N * T, C, H', W') if a 2-D CNN processes single frames. Grad-CAM weights them.
    """

    maps: nn.Module

    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return embedding (N, D) and logits (N, K)."""
        ...

    def trunk(self) -> list[nn.Module]:
        """Return the stages that may be initialized from other weights and frozen, from input to output."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One entry of the table.

    Attributes:
        name: unique name, as in ``net=cnn-gru``.
        about: one line: what it is, and the paper.
        build: builds it with random weights, or with the trunk's own: ``build(classes, **options)``.
        sampling: default sampling of its clips.
        options: arguments of ``build`` besides the number of classes, with the defaults.
        start: name of the card that initializes its trunk; None for none.
        load: loads the files of that card into the trunk of a built network.
        parameters: millions, as in its paper for the number of classes there; None if there is no paper.
        gmacs: billions of multiply-adds per clip, likewise.
    """

    name: str
    about: str
    build: Callable[..., nn.Module]
    sampling: Sampling
    options: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None
    load: Callable[[nn.Module, Mapping[str, Path]], None] | None = None
    parameters: float | None = None
    gmacs: float | None = None


RNNS = ("gru", "lstm")
MAX_HIDDEN, MAX_GLIMPSE = 8192, 2048

# Networks are imported where they are built, so that reading the table does not import torch.


def _cnn_rnn(classes: int, **options: Any) -> nn.Module:
    from kinoscope.nets.cnn_rnn import CnnRnn
    from kinoscope.nets.efficientnet_lite import EfficientNetLite0Backbone

    cnn = EfficientNetLite0Backbone()
    return CnnRnn(cnn, list(cnn.stages), cnn.features, classes, **_rnn_options(options))


def _rnn_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of an RNN after checking them.

    Raises:
        OptionError: a value is invalid.
    """
    if options["rnn"] not in RNNS:
        raise OptionError(f"rnn {options['rnn']} is not known; choose one of {', '.join(RNNS)}")
    if not 2 <= options["hidden"] <= MAX_HIDDEN:
        raise OptionError(f"hidden is {options['hidden']}; choose a width of 2 to {MAX_HIDDEN}")
    _check_dropout(options["dropout"])
    return options


def _check_dropout(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise OptionError(f"dropout is {dropout}; choose a share of at least 0 and less than 1")


def _keras_rnn(classes: int, backbone: str, scaling: str, **options: Any) -> nn.Module:
    from kinoscope.models.formats.keras import read_backbone
    from kinoscope.nets.cnn_rnn import CnnRnn

    cnn = read_backbone(backbone, scaling)
    return CnnRnn(cnn, list(cnn.stages), cnn.features, classes, **_rnn_options(options))


def _fill_efficientnet(net: Any, files: Mapping[str, Path]) -> None:
    from kinoscope.models.formats.state_dict import fill, read_torch

    tensors = read_torch(files["efficientnet-lite0-57934424.pth"])
    training = net.maps.training
    fill(net.maps, tensors[:-2]).train(training)  # the last two tensors are the ImageNet classifier


def _motion(classes: int, share: float, glimpse: int, dropout: float) -> nn.Module:
    from kinoscope.nets.efficientnet_lite import EfficientNetLite0Backbone
    from kinoscope.nets.motion import MotionNet

    _check_dropout(dropout)
    if not 0 < share <= 1 or not 32 <= glimpse <= MAX_GLIMPSE:
        valid = f"above 0 to 1, and 32 to {MAX_GLIMPSE}"
        raise OptionError(f"share {share:g} and glimpse {glimpse} are not valid; choose {valid}")
    cnn = EfficientNetLite0Backbone()
    return MotionNet(cnn, list(cnn.stages), cnn.features, classes, share, glimpse, dropout)


def _cnn_rnn_row(rnn: str, bidirectional: bool) -> Network:
    direction = "in both directions" if bidirectional else "forward in time"
    return Network(
        name=f"cnn-{'bi' if bidirectional else ''}{rnn}",
        about=f"EfficientNet-Lite0 features of each frame, then a {rnn.upper()} {direction} with attention "
        "(Donahue et al., CVPR 2015)",
        build=_cnn_rnn,
        sampling=Sampling(frames=16, rate=8, size=(160, 160)),
        options={"rnn": rnn, "bidirectional": bidirectional, "hidden": 128, "dropout": 0.5},
        start="efficientnet-lite0",
        load=_fill_efficientnet,
    )


def _keras_row(rnn: str) -> Network:
    return Network(
        name=f"keras-{rnn}",
        about=f"a Keras CNN of your own (net.backbone=FILE.keras), then a {rnn.upper()} with attention",
        build=_keras_rnn,
        sampling=Sampling(frames=16, rate=8, size=(160, 160)),
        options={
            "backbone": "", "scaling": "0..1", "rnn": rnn, "bidirectional": False, "hidden": 128, "dropout": 0.5,
        },
    )  # fmt: skip


def _resnet3d(name: str, variant: str, about: str, parameters: float, gmacs: float) -> Network:
    def build(classes: int, dropout: float) -> nn.Module:
        from kinoscope.nets.resnet3d import LAYER_CONVOLUTIONS, ResNet3D

        _check_dropout(dropout)
        return ResNet3D(classes, LAYER_CONVOLUTIONS[variant], dropout)

    return Network(
        name=name,
        about=f"ResNet-18 for clips that {about} (Tran et al., CVPR 2018)",
        build=build,
        sampling=Sampling(frames=16, rate=8, size=(112, 112)),
        options={"dropout": 0.0},
        parameters=parameters,
        gmacs=gmacs,
    )


def _movinet(classes: int, dropout: float) -> nn.Module:
    from kinoscope.nets.movinet import MoViNetA0

    _check_dropout(dropout)
    return MoViNetA0(classes, dropout)


def _x3d(classes: int, dropout: float) -> nn.Module:
    from kinoscope.nets.x3d import X3DS

    _check_dropout(dropout)
    return X3DS(classes, dropout)


NETWORKS: tuple[Network, ...] = (
    _cnn_rnn_row("gru", bidirectional=False),
    _cnn_rnn_row("lstm", bidirectional=False),
    _cnn_rnn_row("gru", bidirectional=True),
    _cnn_rnn_row("lstm", bidirectional=True),
    _keras_row("gru"),
    _keras_row("lstm"),
    _resnet3d("r3d-18", "r3d", "convolves over space and time at once", 33.37, 40.70),
    _resnet3d("mc3-18", "mc3", "convolves over time in its first layers", 11.70, 43.34),
    _resnet3d("r2plus1d-18", "r2plus1d", "convolves over space, then over time", 31.51, 40.52),
    Network(
        name="x3d-s",
        about="X3D-S, a small 3-D CNN (Feichtenhofer, CVPR 2020)",
        build=_x3d,
        sampling=Sampling(frames=13, rate=5, size=(160, 160)),
        options={"dropout": 0.5},
        parameters=3.76,
        gmacs=1.96,
    ),
    Network(
        name="movinet-a0",
        about="MoViNet-A0, a smaller 3-D CNN that can also stream frame by frame (Kondratyuk et al., CVPR 2021)",
        build=_movinet,
        sampling=Sampling(frames=16, rate=8, size=(172, 172)),
        options={"dropout": 0.2},
        parameters=3.1,
        gmacs=2.7,  # of the paper's 50 frames
    ),
    Network(
        name="motion",
        about="EfficientNet-Lite0 features of frame differences in the region of most motion, for static cameras",
        build=_motion,
        sampling=Sampling(frames=16, rate=8, size=(400, 224)),
        options={"share": 0.5, "glimpse": 160, "dropout": 0.5},
        start="efficientnet-lite0",
        load=_fill_efficientnet,
    ),
)


PLUGINS = "kinoscope.networks"
"""Group of the entry points by which other packages add a ``Network``."""


def find_network(name: str) -> Network:
    """Return the network of that name: of this package, or of a plugin.

    Raises:
        OptionError: there is none; the message suggests the nearest name.
        PluginError: it belongs to another package, which cannot be imported, or is no network.
    """
    own = {network.name: network for network in NETWORKS}
    if name in own:
        return own[name]
    if name in plugins(PLUGINS):
        return load_row(PLUGINS, name, Network)
    known = [*own, *plugins(PLUGINS)]
    raise OptionError(f"no network is called {name!r}; {suggest(name, known)}known: {', '.join(known)}")


def build_network(name: str, classes: int, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Build a network by its name, without weights of any card.

    Raises:
        OptionError: no network has that name, or it has no such option.
    """
    return find_network(name).build(classes, **network_options(name, options or {}))


def network_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a network: the given values, and the defaults of the others.

    Raises:
        OptionError: no network has that name, it has no such option, or a value has another type.
    """
    network = find_network(name)
    unknown = set(options) - set(network.options)
    if unknown:
        known = ", ".join(network.options) or "none"
        raise OptionError(f"network {name} has no option {', '.join(sorted(unknown))}; it has: {known}")
    return {option: _typed(option, value, options.get(option, value)) for option, value in network.options.items()}


def _typed(name: str, default: Any, value: Any) -> Any:
    """Return the value of an option in its default's type.

    Raises:
        OptionError: it has another type.
    """
    kind = type(default)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise OptionError(f"{name} is {value!r}; choose a value such as {default!r}")
    return value
