"""Verification scores of a gallery whose embeddings lie on a line, so that the distances are known."""

from __future__ import annotations

import numpy as np
import pytest

from kinoscope.core.errors import GalleryError
from kinoscope.galleries import EmbeddingModel, Gallery, GallerySample
from kinoscope.pipeline.gallery_check import compare_all, pairs_within_gallery, verification_scores

MODELS = {"face": EmbeddingModel("embedder", "digest")}


def sample(name: str, at: float, quality: float = 1.0) -> GallerySample:
    return GallerySample(name, "face", np.array([at, 0.0], np.float32), quality, b"", f"{name}.png")


def test_a_sample_is_compared_with_all_names_and_is_left_out_of_its_own() -> None:
    gallery = Gallery([sample("Ann", 0.0), sample("Ann", 0.25), sample("Bob", 1.0)], MODELS)
    genuine, impostor = pairs_within_gallery(gallery, "face")
    assert genuine == [(0.25, "Ann"), (0.25, "Ann")]
    assert impostor == [(1.0, "Ann"), (0.75, "Ann"), (0.75, "Bob")]


def test_one_name_alone_cannot_be_checked() -> None:
    gallery = Gallery([sample("Ann", 0.0), sample("Ann", 0.25)], MODELS)
    with pytest.raises(GalleryError, match="there is no other person to compare: enroll a second name"):
        compare_all(gallery, "face", None, "cpu", True)


def test_error_rates_at_the_default_threshold_and_at_a_false_accept_rate() -> None:
    pairs = [(0.1, "Ann"), (0.3, "Ann"), (0.6, "Bob")], [(0.4, "Ann"), (0.9, "Bob")]
    scores = verification_scores(pairs, "face", 0.001)
    assert (scores["kind"], scores["genuine"], scores["impostor"]) == ("face", 3, 2)
    default, at_far = scores["default"], scores["at_far"]
    assert (default["threshold"], default["far"], default["frr"]) == (0.45, 0.5, pytest.approx(1 / 3, abs=1e-4))
    assert (at_far["far_wanted"], at_far["far"], at_far["frr"]) == (0.001, 0.0, pytest.approx(1 / 3, abs=1e-4))
    assert 0.3 <= at_far["threshold"] < 0.4
