"""Edges are learned from scores that blur them."""

import numpy as np
import pytest

from kinoscope.core.errors import DatasetError
from kinoscope.models.inference.segment_refiner import pairwise_iou
from kinoscope.training.segments.data import ScoreCurve
from kinoscope.training.segments.options import SegmentOptions
from kinoscope.training.segments.train import EPOCH_STEPS, STEPS, SegmentTrainer
from kinoscope.training.trainer import fit


def train_refiner(curves, seed=0):
    """Train the boundaries of segments in memory."""
    trainer = SegmentTrainer(SegmentOptions(seed=seed), curves)
    run = fit(trainer, None)
    assert (len(run.rows), trainer.step) == (STEPS // EPOCH_STEPS, STEPS)
    assert run.rows[-1]["loss"] < run.rows[0]["loss"]
    return trainer.refiner


def curve(seed, late=1.5):
    """Scores that come 1.5 strides late at the start and at the end, and are noisy."""
    generator = np.random.default_rng(seed)
    begins = 6 + 20 * np.arange(5) + generator.integers(0, 4, 5)
    truth = np.stack([begins, begins + generator.integers(5, 10, 5)], 1).astype(float)
    middles = np.arange(110) + 0.5
    inside = ((middles[:, None] > truth[:, 0] + late) & (middles[:, None] < truth[:, 1] + late)).any(1)
    return ScoreCurve(np.arange(111.0), np.clip(inside * 0.8 + generator.uniform(0, 0.2, 110), 0, 1), truth)


def test_what_is_always_late_is_mended():
    refiner = train_refiner([curve(seed) for seed in range(8)])
    unseen = curve(100)
    found = refiner.refine(unseen.boundaries, unseen.scores)
    best = pairwise_iou(unseen.truth, found[:, :2]).max(1)
    assert best.min() > 0.85
    assert len(found[found[:, 2] > 0.5]) == len(unseen.truth)


@pytest.mark.slow
def test_the_same_seed_learns_the_same():
    first, second = (train_refiner([curve(0), curve(1)], seed=3) for _ in range(2))
    assert first.out.tolist() == second.out.tolist()


def test_a_model_that_finds_nothing_has_no_edges_to_learn():
    with pytest.raises(DatasetError, match="detects none of the segments"):
        train_refiner([ScoreCurve(np.arange(11.0), np.full(10, 0.5), np.zeros((0, 2)))])
