import json

import numpy as np
import pytest

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.models.trainable.generators import (
    GANS,
    GeneratorMetadata,
    TrainedGenerator,
    bundled_generators,
    concatenate,
    cross,
    find_generator,
    is_generator,
    new_generator,
    read_generator,
    save_generator,
    slerp,
)

FACTS = GeneratorMetadata(width=8, size=16, frames=4, rate=10.0, classes=("go", "stay"), data="x")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    import torch

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("model")
    save_generator(root, new_generator(FACTS), FACTS)
    return root


@pytest.fixture(scope="module")
def generator(folder):
    return TrainedGenerator(folder, "cpu")


def test_a_folder_says_what_it_holds(folder):
    assert read_generator(folder) == FACTS
    assert is_generator(folder)
    assert not is_generator(folder.parent)


@pytest.mark.parametrize("network", GANS)
def test_every_row_builds_saves_and_samples(network, tmp_path):
    facts = GeneratorMetadata(network=network, width=8, size=16, frames=10, rate=10.0, classes=("a", "b"))
    save_generator(tmp_path, new_generator(facts), facts)
    clips = TrainedGenerator(tmp_path, "cpu").sample(3, frames=14)
    assert clips.shape == (3, 14, 16, 16, 3)
    assert clips.dtype == np.uint8


def test_the_first_of_many_are_those_of_few(generator):
    few, many = generator.latents(2, seed=3), generator.latents(7, seed=3)
    assert np.array_equal(few.content, many.content[:2])
    assert np.array_equal(few.motion, many.motion[:2])
    assert many.labels.tolist() == [0, 1, 0, 1, 0, 1, 0]
    assert np.array_equal(generator.clips(many, generator.times())[:2], generator.clips(few, generator.times()))
    assert not np.array_equal(few.content, generator.latents(2, seed=4).content)


def test_any_rate_and_length(generator):
    slow = generator.sample(2, frames=8, rate=10)
    fast = generator.sample(2, frames=15, rate=20)
    assert slow.shape == (2, 8, 16, 16, 3)
    assert np.abs(slow.astype(int) - fast[:, ::2]).max() <= 1
    assert np.abs(generator.sample(2, frames=4).astype(int) - slow[:, :4]).max() <= 1


def test_truncation_brings_contents_nearer_together(generator):
    import torch

    def styles(share):
        codes = generator.latents(8, labels=[0] * 8, truncation=share)
        with torch.inference_mode():
            return generator.style(*(torch.from_numpy(one) for one in (codes.content, codes.labels))).numpy()

    wide, half, none = (styles(share) for share in (1.0, 0.5, 0.0))
    assert np.allclose(none, none[:1], atol=1e-6)
    assert np.allclose(half - none, (wide - none) / 2, atol=1e-4)
    assert np.abs(wide - none).mean() > 0.01


def test_contents_have_one_length_where_a_network_goes_by_their_direction_alone(generator, tmp_path):
    drawn = np.random.default_rng(0).normal(0, 3, (4, 64)).astype(np.float32)
    kept = generator.normalize(drawn)
    assert np.square(kept).mean(1) == pytest.approx(1, abs=1e-5)
    assert np.allclose(kept / drawn, (kept / drawn)[:, :1], rtol=1e-4)
    facts = GeneratorMetadata(network="mocogan", width=8, size=16, frames=13, rate=10.0)
    save_generator(tmp_path, new_generator(facts), facts)
    assert TrainedGenerator(tmp_path, "cpu").normalize(drawn) is drawn


def test_truncation_is_seen(generator):
    def apart(share):
        codes = generator.latents(8, labels=[0] * 8, truncation=share)
        clips = generator.clips(cross(codes, codes[:1]), generator.times()).astype(int)
        return np.abs(clips - clips[:1]).mean()

    assert apart(0.0) == 0
    assert 0 < apart(0.4) < apart(1.0)


def test_labels_are_what_was_asked_for(generator):
    assert generator.latents(3, labels=[1, 1, 0]).labels.tolist() == [1, 1, 0]


def test_from_one_to_another_along_an_arc(generator):
    codes = generator.latents(2)
    way = slerp(codes[:1], codes[1:], 5)
    assert np.allclose(way.content[[0, 4]], codes.content, atol=1e-5)
    lengths = np.linalg.norm(way.content, axis=1)
    assert lengths.min() > 0.9 * min(lengths[0], lengths[-1])
    assert np.array_equal(way.motion[0], way.motion[4])
    same = slerp(codes[:1], codes[:1], 3)
    assert np.allclose(same.content, codes.content[:1], atol=1e-4)


def test_every_content_with_every_motion(generator):
    contents, motions = generator.latents(2, seed=0), generator.latents(3, seed=1)
    both = cross(contents, motions)
    assert len(both) == 6
    assert np.array_equal(both.content[3], contents.content[1])
    assert np.array_equal(both.motion[4], motions.motion[1])
    assert both.labels.tolist() == [*motions.labels] * 2
    assert len(concatenate([both, both[:2]])) == 8


def test_names_and_folders(folder, tmp_path):
    assert find_generator(folder) == folder
    with pytest.raises(OptionError, match="no generator"):
        find_generator(tmp_path / "none")
    for name in bundled_generators():
        assert is_generator(find_generator(name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 9}, "is of a newer version"),
        ({"task": "classify"}, "was trained to classify, not to generate"),
        ({"size": 17}, "is damaged"),
        ({"network": "other"}, "is damaged"),
        ({"more": 1}, "is damaged"),
        ({"frames": 0}, "is damaged"),
    ],
)
def test_facts_that_cannot_be(folder, tmp_path, change, message):
    plain = json.loads((folder / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(plain))
    with pytest.raises(ModelError, match=message):
        read_generator(tmp_path)


def test_weights_of_another_size_or_none(folder, tmp_path):
    with pytest.raises(ModelError, match="is no generator"):
        read_generator(tmp_path)
    plain = json.loads((folder / "model.json").read_text()) | {"size": 32}
    (tmp_path / "model.json").write_text(json.dumps(plain))
    with pytest.raises(ModelError, match="cannot be read"):
        TrainedGenerator(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match="weights of another network"):
        TrainedGenerator(tmp_path)
