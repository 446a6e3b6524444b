from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from kinoscope.core.errors import DatasetError
from kinoscope.core.sampling import Sampling
from kinoscope.training.data.loader import Loader
from kinoscope.training.evaluation.predictions import clip_name, predict
from tests.helpers.clips import example, write_clip
from tests.helpers.tiny_networks import Tiny

SAMPLING = Sampling(frames=4, rate=5, size=(8, 6))


def loader(examples, **options):
    return Loader(examples, ["a", "b"], SAMPLING, batch=3, workers=1, **options)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    paths = [write_clip(folder / f"{number}.mkv", 20, shade=40 * number) for number in range(4)]
    return [example(path, "ab"[number % 2], group="g") for number, path in enumerate(paths)]


def test_views_are_averaged(examples):
    net = Tiny(2).train()
    found = predict(net, loader(examples, views=2))
    batches = list(loader(examples, views=2).epoch(0))
    pixels = torch.from_numpy(np.concatenate([batch.pixels for batch in batches]))
    with torch.inference_mode():
        embeddings, logits = net.eval()(pixels)
    assert np.allclose(found.logits, logits.reshape(4, 2, 2).mean(1), atol=1e-6)
    assert np.allclose(found.embeddings, embeddings.reshape(4, 2, 4).mean(1), atol=1e-6)
    assert found.targets.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert found.paths == tuple(one.path for one in examples)
    assert found.groups == ("g",) * 4
    assert found.classes == ("a", "b")
    assert not found.multilabel


def test_modes_stay_as_they_were(examples):
    net = Tiny(2).train()
    net.maps[0].eval()
    done: list[int] = []
    predict(net, loader(examples), progress=done.append)
    assert net.training
    assert net.maps[1].training
    assert not cast(nn.Sequential, net.maps[0])[1].training
    assert done == [3, 1]


def test_clips_that_cannot_be_read_are_left_out(examples, tmp_path):
    (tmp_path / "bad.mkv").write_bytes(b"none")
    found = predict(Tiny(2), loader([example(tmp_path / "bad.mkv"), *examples[:1]]))
    assert len(found.logits) == 1
    assert list(found.unreadable) == [str(tmp_path / "bad.mkv")]
    with pytest.raises(DatasetError, match="none of the 1 clips can be read"):
        predict(Tiny(2), loader([example(tmp_path / "bad.mkv")]))


def test_a_part_of_a_video_is_named(examples):
    assert clip_name(examples[0]) == examples[0].path
    assert clip_name(example(Path("a.mkv"), start=1.5)) == "a.mkv#t=1.5"
    assert clip_name(example(Path("a.mkv"), end=2.0)) == "a.mkv#t=0,2"
    assert predict(Tiny(2), loader([example(examples[0].path, "a", "b")])).multilabel
