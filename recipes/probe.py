"""Train and cross-validate a classifier on few clips: a linear probe on a frozen network.

    python recipes/probe.py fight --group place//24 --folds 5 --out runs/fight
    python recipes/probe.py weizmann --group number//8 --folds 9 --size 224x224 --share 1
    python recipes/probe.py asl --nearest --size 224x224 --share 1

The network is ``motion`` of the table of networks; its backbone keeps its ImageNet weights, since some hundred clips
are too few to fine-tune it. A linear classifier is trained on the embeddings of several augmented views of each clip:
the backbone runs once a view, and a fold takes seconds after that. Clips of one group (recordings, people) are never on
both sides of a split. ``--out`` saves a model that is trained on all clips; its score is that of the folds.

``fight`` is a folder with the classes ``fight`` and ``noFight`` of the Surveillance Camera Fight dataset (Akti et al.,
IPTA 2019): neighbouring numbers often come from one recording, hence blocks of 24 of them. ``weizmann`` holds strips of
the Weizmann actions (Gorelick et al., PAMI 2007), eight numbers a person. ``asl`` is a folder with one clip for each
word: ``--nearest`` prints how often an augmented view of a clip is nearest to its original.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from kinoscope.core.intervals import proportion_interval, variance_of_mean
from kinoscope.core.metrics import classification
from kinoscope.imaging.augment import Augment
from kinoscope.models import Runner, fetch, find, load
from kinoscope.models.formats.trained_model import TrainedModel, save_trained_model
from kinoscope.models.trainable.classifiers import build_network, find_network
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.loader import Loader, targets
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.data.splits import folds

NET = "motion"
AUGMENT = Augment(
    crop=0.6, aspect=1.2, rotate=7, scale=1.1, brightness=0.3, contrast=0.2, saturation=0.5, gray=0.3, reverse=0.25,
    stride=1.2,
)  # fmt: skip

Floats = NDArray[np.float32]


def begin(classes: Sequence[str], options: argparse.Namespace) -> tuple[nn.Module, TrainedModel]:
    """Return the network with ImageNet weights and a random classifier, and its metadata."""
    row, network_options = find_network(NET), {"share": options.share}
    net = build_network(NET, len(classes), network_options)
    assert row.load is not None
    assert row.start is not None
    with torch.no_grad():
        row.load(net, fetch(find(row.start)))
    sampling = replace(row.sampling, size=tuple(int(side) for side in options.size.split("x")))
    name = options.data.resolve().name
    return net, TrainedModel(
        task="classify", network=NET, options=network_options, classes=tuple(classes), sampling=sampling, data=name
    )


def embed(net: nn.Module, trained: TrainedModel, dataset: Dataset, views: int) -> tuple[Floats, Floats]:
    """Return the embeddings (N, D) of all clips, and those (views, N, D) of augmented views."""
    with tempfile.TemporaryDirectory() as folder:
        save_trained_model(Path(folder), net, trained)
        runner = load(folder)
        plain = _embed(runner, Loader(dataset.examples, dataset.classes, trained.sampling), 0, dataset)
        loader = Loader(dataset.examples, dataset.classes, trained.sampling, augment=AUGMENT)
        augmented = []
        for view in range(views):
            augmented.append(_embed(runner, loader, view, dataset))
            print(f"view {view + 1} of {views}", flush=True)
    return plain, np.stack(augmented)


def _embed(runner: Runner, loader: Loader, epoch: int, dataset: Dataset) -> Floats:
    by_index: dict[int, Floats] = {}
    for batch in loader.epoch(epoch):
        embeddings, _ = runner(batch.pixels)
        by_index |= dict(zip(batch.indices.tolist(), embeddings, strict=True))
    if len(by_index) < len(dataset.examples):
        raise SystemExit(f"{len(dataset.examples) - len(by_index)} clips cannot be read: {loader.unreadable}")
    return np.stack([by_index[index] for index in range(len(by_index))])


def fit(embeddings: Floats, truth: Floats, decay: float) -> nn.Linear:
    """Fit a linear classifier to embeddings (M, D) and targets (M, K): logistic regression with weight decay.

    Embeddings are standardized first, and the standardization is folded into the classifier's weights.
    """
    x, y = torch.from_numpy(embeddings), torch.from_numpy(truth)
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    x = (x - mean) / deviation
    layer = nn.Linear(x.shape[1], y.shape[1])
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(layer(x), y) + decay / 2 * layer.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        layer.weight /= deviation
        layer.bias -= layer.weight @ mean
    return layer


def logits(layer: nn.Linear, embeddings: Floats) -> Floats:
    """Return the logits (N, K) of embeddings (N, D)."""
    with torch.no_grad():
        return np.asarray(layer(torch.from_numpy(embeddings)))


def crossvalidate(dataset: Dataset, plain: Floats, augmented: Floats, count: int, decay: float) -> Floats:
    """Return the logits (N, K) of each clip by the fold that was not trained on it; print the score of each fold."""
    truth = targets(dataset.examples, dataset.classes)
    indices = {example: index for index, example in enumerate(dataset.examples)}
    predictions = np.zeros_like(truth)
    for number, fold in enumerate(folds(dataset, count)):
        test = [indices[example] for example in fold["val"]]
        train = [indices[example] for example in fold["train"]]
        assert not {dataset.examples[i].group for i in test} & {dataset.examples[i].group for i in train}
        views = np.concatenate([plain[None], augmented])[:, train]
        layer = fit(views.reshape(-1, views.shape[-1]), np.tile(truth[train], (len(views), 1)), decay)
        predictions[test] = logits(layer, plain[test])
        accuracy = classification.top_k_accuracy(predictions[test], truth[test].argmax(1))
        print(f"fold {number + 1}: {100 * accuracy:.1f} % of {len(test)}", flush=True)
    return predictions


def read_one_shot(folder: Path) -> Dataset:
    """Read a folder of clips, each of which is a class by its name."""
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    examples = tuple(Example(str(path), (path.stem,)) for path in paths)
    return Dataset(str(folder), examples, tuple(path.stem for path in paths))


def nearest(plain: Floats, augmented: Floats) -> None:
    """Print how often an augmented view (views, N, D) is nearest to its own clip (N, D), by cosine similarity."""
    mean, deviation = plain.mean(0), plain.std(0) + 1e-3
    gallery, queries = ((x - mean) / deviation for x in (plain, augmented))
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    matches = (queries @ gallery.T).argmax(2)
    correct = 100 * (matches == np.arange(len(plain))).mean()
    print(f"{correct:.1f} % of {matches.size} views, chance {100 / len(plain):.1f} %")


def main() -> None:
    """Evaluate by cross-validation, then train on all clips and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, help="folder for a model that is trained on all clips")
    parser.add_argument("--group", default="", help="rule of groups, which are never on both sides of a split")
    parser.add_argument("--size", default="400x224", help="width and height of the network's input frames")
    parser.add_argument("--share", type=float, default=0.5, help="side of the crop, as a share of the height")
    parser.add_argument("--nearest", action="store_true", help="one clip a class: recognize augmented views of it")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--views", type=int, default=6, help="augmented views of each clip")
    parser.add_argument("--decay", type=float, default=1.0, help="weight decay")
    options = parser.parse_args()
    dataset = read_one_shot(options.data) if options.nearest else read_dataset(options.data, options.group)
    net, trained = begin(dataset.classes, options)
    plain, augmented = embed(net, trained, dataset, options.views)
    if options.nearest:
        nearest(plain, augmented)
        return
    predictions = crossvalidate(dataset, plain, augmented, options.folds, options.decay)
    actual = targets(dataset.examples, dataset.classes).argmax(1)
    groups = [example.group for example in dataset.examples]
    correct = classification.top_k_hits(predictions, actual)
    score = float(correct.mean())
    low, high = proportion_interval(score, variance_of_mean(correct, groups), np.ones(len(correct)), groups)
    chance = max(np.bincount(actual)) / len(actual)
    print(f"mean {100 * score:.1f} % [{100 * low:.1f}, {100 * high:.1f}], chance {100 * chance:.1f} %")
    print_thresholds(predictions, actual, dataset.classes[0])
    if options.out:
        save(net, trained, dataset, plain, augmented, predictions, options)


def print_thresholds(predictions: Floats, actual: NDArray[np.int64], label: str) -> None:
    """Print the share of clips of the first class, and of the others, whose probability of it reaches thresholds."""
    temperature = classification.fit_temperature(predictions, actual)
    score = classification.softmax(predictions / temperature)[:, 0]
    for threshold in (0.5, 0.8, 0.9):
        found, false = ((score[actual == 0] >= threshold).mean(), (score[actual != 0] >= threshold).mean())
        print(f"{label} at {threshold}: {100 * found:.0f} % of its clips, {100 * false:.0f} % of the others")


def save(
    net: nn.Module,
    trained: TrainedModel,
    dataset: Dataset,
    plain: Floats,
    augmented: Floats,
    predictions: Floats,
    options: argparse.Namespace,
) -> None:
    """Train on all clips and save the model, with the score and the temperature of the folds."""
    truth = targets(dataset.examples, dataset.classes)
    views = np.concatenate([plain[None], augmented])
    layer = fit(views.reshape(-1, views.shape[-1]), np.tile(truth, (len(views), 1)), options.decay)
    net.classifier.load_state_dict(layer.state_dict())
    score = {f"top-1 over {options.folds} folds": round(classification.top_k_accuracy(predictions, truth.argmax(1)), 3)}
    temperature = classification.fit_temperature(predictions, truth.argmax(1))
    save_trained_model(options.out, net, replace(trained, score=score, temperature=round(temperature, 3)), half=True)
    print(f"{options.out}: temperature {temperature:.2f}")


if __name__ == "__main__":
    main()
