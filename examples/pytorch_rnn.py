"""Model a sequence of frame features with an RNN in PyTorch: tell whether frames come in their order.

    python examples/pytorch_rnn.py [VIDEO]

One frame does not say what happens; a sequence does. A recurrent network (here a GRU) reads the features of one frame
after the other and keeps what it needs in its state. It learns to tell stretches of a real video from shuffled ones, and
is asked about the last part, which it has never seen. A network that sees only the mean over time stands beside it: the
frames are the same, so that it can but guess. The features of a frame are how much it has of the strongest patterns of
its stretch (principal components).
"""

import sys

import numpy as np
import torch
from torch import nn

from kinoscope import open_source
from kinoscope.models.samples import sample

SIZE, LENGTH, FEATURES, HELD_BACK = (32, 24), 10, 4, 0.3


def read(video: str) -> torch.Tensor:
    """Give coarse grey pictures (N, P) of the frames."""
    with open_source(video or sample("bikes.mp4"), end=30) as source:
        pictures = np.stack([picture.pixels(SIZE) for picture in source.pictures()])
    return torch.from_numpy(pictures).float().mean(3).flatten(1) / 255


def stretches(pixels: torch.Tensor) -> torch.Tensor:
    """Give features (M, T, D) of all stretches of frames."""
    frames = pixels.unfold(0, LENGTH, 1).transpose(1, 2)
    patterns, strengths, _ = torch.linalg.svd(frames - frames.mean(1, keepdim=True), full_matrices=False)
    features = (patterns * strengths[:, None])[:, :, :FEATURES]
    return features / features.std((1, 2), keepdim=True)


def draw(features: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give stretches (N, T, D), and 1 for those whose frames are shuffled, 0 for the others (N,)."""
    orders = torch.rand(count, LENGTH).argsort(1)
    orders[::2] = torch.arange(LENGTH)
    picks = torch.randint(len(features), (count, 1))
    return features[picks, orders], torch.arange(count) % 2


class Reader(nn.Module):
    """From features (N, T, D) to logits (N, 2), with a GRU or without an order."""

    def __init__(self, ordered: bool, width: int = 48) -> None:
        super().__init__()
        self.rnn = nn.GRU(FEATURES, width, batch_first=True) if ordered else None
        self.look = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU())
        self.tell = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.tell(self.rnn(x)[0].mean(1) if self.rnn else self.look(x).mean(1))


def accuracy(net: Reader, first: torch.Tensor, last: torch.Tensor, steps: int = 500) -> float:
    """Train on the first stretches; give the share of the last that are told right."""
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(steps):
        x, y = draw(first, 64)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = draw(last, 1000)
    return float((net(x).argmax(1) == y).float().mean())


def main(video: str = "") -> None:
    torch.manual_seed(0)
    pixels = read(video)
    first, last = map(stretches, pixels.split(round((1 - HELD_BACK) * len(pixels))))
    shares = [accuracy(Reader(ordered), first, last) for ordered in (True, False)]
    print(f"{len(pixels)} frames; on the last {100 * HELD_BACK:.0f} %, frames in order told from shuffled ones:")
    print(f"GRU {100 * shares[0]:.0f} %, without order {100 * shares[1]:.0f} %, chance 50 %")


if __name__ == "__main__":
    main(*sys.argv[1:])
