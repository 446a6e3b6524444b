"""MiniLM, compared with the encoder of Transformers at random weights."""

from __future__ import annotations

import pytest
import torch

from kinoscope.models.formats.state_dict import fill
from kinoscope.nets.minilm import MAX_TOKENS, MiniLM, published_names

SIZES = {"vocabulary": 300, "width": 24, "layers": 2, "heads": 3}


def pairs(*rows: list[int]) -> torch.Tensor:
    length = max(map(len, rows))
    filled = torch.tensor([row + [0] * (length - len(row)) for row in rows])
    return torch.stack([filled % 256, filled // 256], dim=2).to(torch.uint8)


@pytest.fixture
def net() -> MiniLM:
    torch.manual_seed(0)
    return MiniLM(**SIZES).eval()


@pytest.mark.slow
def test_it_equals_the_encoder_of_transformers():
    transformers = pytest.importorskip("transformers", reason="needs the extra transformers")
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=96,
        max_position_embeddings=MAX_TOKENS, layer_norm_eps=1e-12,
    )  # fmt: skip
    torch.manual_seed(1)
    theirs = transformers.BertModel(config, add_pooling_layer=False).eval()
    state = theirs.state_dict()
    ours = fill(MiniLM(**SIZES), [state[name] for name in published_names(2)])
    ids, mask = torch.tensor([[5, 299, 7, 8], [3, 260, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        (embedding,) = ours(pairs([5, 299, 7, 8], [3, 260]))
        last = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (last * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    torch.testing.assert_close(embedding, torch.nn.functional.normalize(mean, dim=1), atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing_and_order_does(net):
    with torch.no_grad():
        (alone,), (padded,) = net(pairs([4, 9, 2])), net(pairs([4, 9, 2], [1, 2, 3, 4, 5, 6]))
        (swapped,) = net(pairs([9, 4, 2]))
    torch.testing.assert_close(alone[0], padded[0], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(alone, swapped, atol=1e-3)
    assert torch.linalg.norm(padded, dim=1).tolist() == pytest.approx([1, 1])


def test_ids_past_the_vocabulary_are_clamped_and_padding_alone_is_zero(net):
    with torch.no_grad():
        assert torch.equal(*net(pairs([65535, 3])), *net(pairs([299, 3])))
        assert net(pairs([0, 0]))[0].abs().max() == 0
