from __future__ import annotations

import subprocess
import sys
from typing import cast

import numpy as np
import pytest

from kinoscope.core.errors import ModelError, OptionError, WeightsMissing
from kinoscope.models import Card, Runner, WeightFile, choose, find, load, sample
from kinoscope.models.runtime import runner
from kinoscope.models.runtime.runner import make_runner


def toy(batch: int) -> Card:
    file = WeightFile("toy.bin", "0" * 64)
    return Card(
        name="toy",
        task="toys",
        about="a toy",
        licence="MIT",
        files=(file,),
        sources=(),
        input=(2, 3),
        outputs=((), (3,)),
        batch=batch,
    )


@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (8, [5])])
def test_many_items_are_inferred_in_batches_and_joined(batch, sizes):
    seen: list[int] = []

    def infer(array):
        seen.append(len(array))
        return array.sum((1, 2)).astype(np.float32), array[:, 0].astype(np.float32)

    array = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)
    sums, rows = Runner(toy(batch), "toy", infer)(array)
    assert seen == sizes
    np.testing.assert_array_equal(sums, array.sum((1, 2)))
    np.testing.assert_array_equal(rows, array[:, 0])


def test_unknown_options_name_the_known_ones():
    card = find("mtcnn-rnet")
    with pytest.raises(OptionError, match="device tpu is not known; choose one of auto, cpu, cuda, torch"):
        make_runner(card, device="tpu")
    with pytest.raises(OptionError, match="precision int4 is not known; choose one of auto, fp32, bf16"):
        make_runner(card, precision="int4")


def test_bf16_is_chosen_only_where_cpu_and_card_allow_it(monkeypatch):
    card = find("mtcnn-rnet")
    monkeypatch.setattr(runner, "has_bf16", lambda: False)
    with pytest.raises(OptionError, match="precision bf16 is not supported by this CPU; choose fp32 or auto"):
        make_runner(card, device="cpu", precision="bf16")
    monkeypatch.setattr(runner, "has_bf16", lambda: True)
    monkeypatch.setattr(runner, "openvino_model_path", lambda card: "toy.xml")
    asked: list[str] = []

    class Compiled:
        def create_infer_request(self):
            return None

    def compile_network(path, kind, threads, shape):
        asked.append(kind)
        return Compiled()

    monkeypatch.setattr(runner, "compile_network", compile_network)
    runtimes = [make_runner(card, device="cpu", precision=p).runtime for p in ("auto", "fp32", "bf16")]
    assert runtimes == ["openvino-fp32", "openvino-fp32", "openvino-bf16"]
    assert asked == ["f32", "f32", "bf16"]


def test_absent_cuda_is_reported(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(OptionError, match="device cuda is not available; choose cpu or auto"):
        make_runner(find("mtcnn-rnet"), device="cuda")


def test_a_model_that_another_library_runs_says_so():
    with pytest.raises(ModelError, match=r"whisper-tiny\.en is run by another library"):
        load("whisper-tiny.en", device="cpu")


def test_names_and_tasks_are_distinguished(monkeypatch):
    monkeypatch.setattr("kinoscope.models.is_cached", lambda card: card.name == "nanodet")
    assert choose("yolox-nano").name == "yolox-nano"
    assert choose("objects").name == "nanodet"
    with pytest.raises(OptionError, match="no model or task is called cooking; tasks: actions, faces, identity, "):
        choose("cooking")


def test_with_an_empty_cache_the_best_that_can_be_had_is_chosen(monkeypatch):
    tried: list[str] = []

    def fetch(card):
        tried.append(card.name)
        if card.name == "yolox-nano":
            raise WeightsMissing("yolox-nano is missing")
        return {}

    monkeypatch.setattr("kinoscope.models.is_cached", lambda card: False)
    monkeypatch.setattr("kinoscope.models.fetch", fetch)
    assert choose("objects").name == "nanodet"
    assert tried == ["yolox-nano", "nanodet"]


def test_without_any_weights_the_best_card_is_the_one_named(monkeypatch):
    def fetch(card):
        raise WeightsMissing(f"{card.name} is missing")

    monkeypatch.setattr("kinoscope.models.is_cached", lambda card: False)
    monkeypatch.setattr("kinoscope.models.fetch", fetch)
    with pytest.raises(WeightsMissing, match="yolox-nano is missing"):
        choose("objects")


def test_an_unknown_sample_names_the_known_ones():
    with pytest.raises(
        OptionError, match=r"no sample is called cats\.mp4; choose one of bikes\.mp4, bigbuckbunny\.mp4, "
    ):
        sample("cats.mp4")


@pytest.mark.slow
def test_nothing_is_reported_to_the_vendor_of_openvino():
    look = "from openvino.tools.ovc import telemetry_utils as utils; print(utils.tm.__name__)"
    words = [sys.executable, "-W", "ignore", "-c", f"import kinoscope.models, openvino; {look}"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert told == "openvino.tools.ovc.telemetry_stub"


def test_a_folder_named_like_a_task_or_a_card_is_never_taken_for_a_model(tmp_path, monkeypatch):
    from kinoscope.models import CARDS
    from kinoscope.models.trainable.generators import BUNDLED, find_generator

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kinoscope.models.is_cached", lambda card: True)
    monkeypatch.setattr("kinoscope.models.make_runner", lambda card, *_: card)
    names = {card.task for card in CARDS} | {card.name for card in CARDS}
    for name in (*names, "classify", "people"):
        (tmp_path / name).mkdir()
    assert all(choose(name) in CARDS and cast(Card, load(name)) in CARDS for name in names)
    with pytest.raises(OptionError, match="no model or task is called classify"):
        choose("classify")
    assert find_generator("people") == BUNDLED / "people"
    assert find_generator(tmp_path / "people") == tmp_path / "people"


def test_a_path_that_leads_back_into_the_package_is_no_name(tmp_path, monkeypatch):
    from kinoscope.models.trainable.generators import find_generator

    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="there is no generator"):
        find_generator("../weights/people")
