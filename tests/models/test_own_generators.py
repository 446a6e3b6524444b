"""The generators that come with kinoscope."""

import numpy as np
import pytest

from kinoscope import generate
from kinoscope.core.metrics.shapes import evaluate_moving_shapes, read_moving_shape
from kinoscope.models.trainable.generators import (
    BUNDLED,
    TrainedGenerator,
    bundled_generators,
    find_generator,
    read_generator,
)
from kinoscope.pipeline.generation import GeneratedClipOptions

NAMES = ("people", "shapes")
CLIPS = 36


def test_these_come_along():
    assert bundled_generators() == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_learned_from_and_how_well(name):
    facts = read_generator(find_generator(name))
    assert facts.data == {"people": "weizmann", "shapes": "synthetic:moving"}[name]
    assert facts.classes
    assert facts.score


def test_they_are_small():
    files = [path for name in NAMES for path in (BUNDLED / name).iterdir()]
    assert sum(path.stat().st_size for path in files) < 6e6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_makes_clips_of_every_class_that_move(name):
    generator = TrainedGenerator(name, "cpu")
    labels = list(range(len(generator.metadata.classes))) * 2
    clips = generator.sample(len(labels), labels=labels).astype(int)
    assert np.abs(np.diff(clips, axis=1)).mean((1, 2, 3, 4)).min() > 0.5
    apart = np.abs(clips[: len(labels) // 2] - clips[len(labels) // 2 :]).mean((1, 2, 3, 4))
    assert apart.min() > 1  # another clip of the same class


def test_shapes_are_the_ones_that_were_asked_for_and_stay_what_they_are():
    generator = TrainedGenerator("shapes", "cpu")
    facts = generator.metadata
    labels = np.arange(CLIPS) % len(facts.classes)
    readings = [read_moving_shape(clip) for clip in generator.sample(CLIPS, labels=list(labels))]
    found = evaluate_moving_shapes(readings, facts.rate, [facts.classes[label] for label in labels])
    assert found["steady"] > 0.8
    assert found["smooth"] > 0.9
    assert found["intended"] > 0.8


def test_they_go_by_their_names(tmp_path):
    made = generate(
        "shapes", n=4, clips=GeneratedClipOptions(classes=["disc"]), out=tmp_path / "shapes.gif", quiet=True
    )
    assert (made.model, made.labels) == ("shapes", ["disc"] * 4)
    assert (tmp_path / "shapes.gif").stat().st_size > 1000
