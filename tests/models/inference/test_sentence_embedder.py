"""Similarity of sentences, with the published weights where these are available."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from kinoscope.core.errors import MissingExtra, WeightsMissing
from kinoscope.models.inference.sentence_embedder import SentenceEmbedder, pack_tokens

ABOUT_FOOD = "Chop the onions and fry them in butter."
SENTENCES = [ABOUT_FOOD, "The train leaves from platform nine.", "He is a very good football player.",
             "Let us begin with the second chapter.", "Put your hands up, this is the police!"]  # fmt: skip


@pytest.fixture(scope="module")
def embed() -> SentenceEmbedder:
    pytest.importorskip("tokenizers", reason="needs the extra library")
    try:
        return SentenceEmbedder(device="cpu")
    except WeightsMissing as error:
        pytest.skip(str(error))


@pytest.mark.models
@pytest.mark.parametrize(
    ("question", "best"), [("cooking", 0), ("railway", 1), ("sports", 2), ("reading a book", 3), ("a criminal", 4)]
)
def test_the_sentence_of_a_meaning_ranks_first(embed, question, best):
    assert int(np.argmax(embed(SENTENCES) @ embed([question])[0])) == best


@pytest.mark.models
def test_the_published_similarity_of_two_sentences_is_reproduced(embed):
    """The model's own page compares these."""
    vectors = embed(["This is an example sentence", "Each sentence is converted"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert vectors[0, :3] == pytest.approx([0.0677, 0.0635, 0.0487], abs=2e-3)


@pytest.mark.models
@pytest.mark.slow
def test_neither_company_nor_length_changes_a_vector(embed):
    many = [*SENTENCES, "word " * 1000, ""] * 12
    vectors = embed(many)
    assert vectors.shape == (len(many), 384)
    np.testing.assert_allclose(vectors[0], embed([ABOUT_FOOD])[0], atol=1e-4)
    assert embed([]).shape == (0, 384)


def test_numbers_become_bytes():
    assert pack_tokens([[1, 258], [7]]).tolist() == [[[1, 0], [2, 1]], [[7, 0], [0, 0]]]
    assert pack_tokens([]).shape == (0, 0, 2)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'kinoscope\[library\]'"):
        SentenceEmbedder()
