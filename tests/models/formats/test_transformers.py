"""Video classifiers of the Transformers library: small ones with random weights, saved and run as any card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from kinoscope.core.errors import MissingExtra, ModelError, WeightsMissing
from kinoscope.models import download, find, load
from kinoscope.models.inference.classifier import find_classifier, get_sampling
from kinoscope.models.runtime.runner import make_runner

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")

SMALL = {
    "image_size": 32, "patch_size": 8, "num_frames": 4, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 32, "num_labels": 3,
    "id2label": {0: "wave", 1: "jump", 2: "run"}, "label2id": {"wave": 0, "jump": 1, "run": 2},
}  # fmt: skip
SCALES = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.25, 0.3]}
KINDS = {
    "videomae": ("VideoMAE", {"image_processor_type": "VideoMAEImageProcessor", **SCALES}),
    "timesformer": ("Timesformer", {"image_processor_type": "VideoMAEImageProcessor", **SCALES}),
    "vivit": (
        "Vivit",
        {"image_processor_type": "VivitImageProcessor", "rescale_factor": 1 / 127.5, "offset": True, **SCALES},
    ),
}


def saved(folder: Path, kind: str = "videomae", **changes: object) -> Path:
    """Save a small model with random weights, as the library does."""
    name, processor = KINDS[kind]
    torch.manual_seed(0)
    transformers.logging.disable_progress_bar()
    own = {"tubelet_size": [2, 8, 8]} if kind == "vivit" else {}
    config = getattr(transformers, f"{name}Config")(**SMALL | own | changes)
    model = getattr(transformers, f"{name}ForVideoClassification")(config)
    torch.nn.init.normal_(model.classifier.weight)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def clips(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 32, 32, 3), np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_runs_as_any_card_and_returns_what_the_library_returns(kind, tmp_path, cache):
    folder = saved(tmp_path / "model", kind)
    card = find(str(folder))
    assert find(f"hf:{folder}") == card
    assert (card.labels, card.input, card.task) == (("wave", "jump", "run"), (4, 32, 32, 3), "classify")
    assert card.licence == "as its model card says"
    pixels = clips(3)
    (embedding, logits), (_, reference) = (make_runner(card, device)(pixels) for device in ("cpu", "torch"))
    assert (embedding.shape, logits.shape) == ((3, 24), (3, 3))
    assert np.ptp(logits, axis=0).min() > 1e-3
    np.testing.assert_allclose(logits, reference, atol=1e-3)

    model = transformers.AutoModelForVideoClassification.from_pretrained(folder).eval()
    scaled = pixels / 127.5 - 1 if kind == "vivit" else pixels / 255
    scaled = (scaled - SCALES["image_mean"]) / SCALES["image_std"]
    with torch.no_grad():
        wanted = model(torch.from_numpy(scaled).float().permute(0, 1, 4, 2, 3)).logits
    np.testing.assert_allclose(reference, wanted.numpy(), atol=1e-4)


@pytest.mark.slow
def test_it_classifies_clips_at_the_rate_of_its_paper(tmp_path):
    sampling = get_sampling(find_classifier(str(saved(tmp_path / "model"))))
    assert (sampling.frames, sampling.rate, sampling.size) == (4, 7.5, (32, 32))
    assert find(str(tmp_path / "model")).multilabel is False
    saved(tmp_path / "many", problem_type="multi_label_classification")
    assert find(str(tmp_path / "many")).multilabel is True


def test_a_name_on_the_hub_is_fetched_once(tmp_path, cache, monkeypatch):
    folder, asked = saved(tmp_path / "there"), []

    def hub(place, names, into, packages):
        asked.append(place)
        for name in names:
            if not (folder / name).is_file():
                raise download.Unavailable(f"it has no {name}")
            shutil.copy(folder / name, into / name)

    monkeypatch.setitem(download.SOURCE_KINDS, "hub", hub)
    logits = load("hf:someone/small@v1", device="torch")(clips(1))[1]
    assert set(asked) == {"someone/small@v1"}
    asked.clear()
    again = load("actions", "hf:someone/small@v1", device="torch")
    np.testing.assert_array_equal(again(clips(1))[1], logits)
    assert (asked, again.card.name) == ([], "someone--small@v1")

    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        WeightsMissing, match=r"^hf:someone/other is not available \(it has no model.safetensors\); it needs"
    ):
        find("hf:someone/other")
    assert not list((cache / "hub").glob("*other*/*"))


def test_without_a_network_it_is_reported(cache, monkeypatch):
    monkeypatch.setenv("KINOSCOPE_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match=r"^hf:someone/small is not available \(KINOSCOPE_OFFLINE is set\)"):
        find("hf:someone/small")


def test_pickles_are_not_read(tmp_path):
    folder = saved(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"model.safetensors is missing; only safetensors are read"):
        find(str(folder))


def test_what_is_no_video_classifier_is_reported(tmp_path):
    folder = saved(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    with pytest.raises(ModelError, match=r"holds BertForMaskedLM, not a video classifier"):
        find(str(folder))
    (folder / "config.json").write_text(json.dumps({key: config[key] for key in config if key != "num_frames"}))
    with pytest.raises(ModelError, match=r"\(it has no num_frames or frames_per_clip\); download it again"):
        find(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config.json cannot be read as a model of the Transformers library"):
        find(str(folder))


def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(tmp_path):
    with pytest.raises(ModelError, match=r"no/config.json cannot be read as a model of the Transformers library"):
        find(f"hf:{tmp_path / 'no'}")


def test_a_processor_is_needed_and_must_make_sense(tmp_path):
    folder = saved(tmp_path / "model")
    (folder / "preprocessor_config.json").write_text(json.dumps(SCALES | {"image_std": [0, 0, 0]}))
    with pytest.raises(ModelError, match=r"\(it does not define the scaling of three channels\)"):
        find(str(folder))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"has no preprocessor_config.json, which defines how pixels are scaled"):
        find(str(folder))


def test_weights_of_another_network_are_refused(tmp_path, cache):
    folder, other = saved(tmp_path / "model"), saved(tmp_path / "other", "timesformer")
    shutil.copy(other / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"model.safetensors lacks weights that its network needs, such as "):
        load(str(folder), device="torch")
    whole = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"cannot be read as a model of the Transformers library"):
        load(str(other), device="torch")


def test_no_code_of_the_folder_is_run(tmp_path, cache):
    folder = saved(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoModelForVideoClassification": "own.Own", "AutoConfig": "own.Own"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(ModelError, match="cannot be read as a model of the Transformers library"):
        load(str(folder), device="torch")
    assert not (tmp_path / "ran").exists()


def test_without_the_library_the_extra_is_named(tmp_path, cache, monkeypatch):
    folder = saved(tmp_path / "model")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'kinoscope\[transformers\]'"):
        load(str(folder), device="torch")


@pytest.mark.parametrize(
    "change", [{"hidden_size": 100_000}, {"num_hidden_layers": 10**9}, {"patch_size": 1, "image_size": 4096}]
)
def test_a_configuration_larger_than_any_there_is_is_refused_when_read(tmp_path, change):
    folder = saved(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelError, match=r"^[^\n]*cannot be read as a model of the Transformers library[^\n]*$"):
        find(str(folder))


@pytest.mark.slow
def test_a_network_that_cannot_lie_in_its_file_is_refused_before_it_takes_memory(tmp_path, cache):
    folder = saved(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 65_000, "num_hidden_layers": 200}))
    with pytest.raises(ModelError, match=r"model.safetensors lacks weights that its network needs, \d{9} in all"):
        make_runner(find(str(folder)), "torch")
