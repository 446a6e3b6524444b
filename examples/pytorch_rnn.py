"""Model a sequence of frame features with an RNN in PyTorch: tell whether frames come in their order.

    python examples/pytorch_rnn.py [VIDEO]

A recurrent network (here a GRU) reads the features of one frame after the other and keeps what it needs in its state.
It learns to tell stretches of a real video from shuffled ones, and is asked about the last part, which it never saw.
Beside it, a network that sees only the mean over time can but guess. Features are the strongest patterns of a stretch.
"""

import sys

import torch
from torch import nn

from kinoscope import open_source
from kinoscope.models.samples import sample

SIZE, LENGTH, FEATURES, HELD_BACK = (32, 24), 10, 4, 0.3


def read(video: str) -> torch.Tensor:
    """Give coarse grey pictures (N, P) of the frames."""
    with open_source(video or sample("bikes.mp4"), end=30) as source:
        pictures = [torch.tensor(one.pixels(SIZE) / 255.0).mean(2).flatten() for one in source.lazy_frames()]
    return torch.stack(pictures).float()


def stretches(pixels: torch.Tensor) -> torch.Tensor:
    """Give features (M, T, D) of all stretches of frames."""
    frames = pixels.unfold(0, LENGTH, 1).transpose(1, 2)
    shares, strengths, _ = torch.linalg.svd(frames - frames.mean(1, keepdim=True), full_matrices=False)
    features = (shares * strengths[:, None])[:, :, :FEATURES]
    return features / features.std((1, 2), keepdim=True)


def draw(features: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give stretches (N, T, D), and 1 for those whose frames are shuffled, 0 for the others (N,)."""
    orders = torch.rand(count, LENGTH).argsort(1)
    orders[::2] = torch.arange(LENGTH)
    return features[torch.randint(len(features), (count, 1)), orders], torch.arange(count) % 2


class Reader(nn.Module):
    """From features (N, T, D) to logits (N, 2), with a GRU or without an order."""

    def __init__(self, ordered: bool, width: int = 48) -> None:
        super().__init__()
        self.read = nn.GRU(FEATURES, width, batch_first=True) if ordered else nn.Linear(FEATURES, width)
        self.tell = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tell from the mean of what was read at each step."""
        read = self.read(x)
        return self.tell((read[0] if isinstance(read, tuple) else read.relu()).mean(1))


def accuracy(net: Reader, first: torch.Tensor, last: torch.Tensor, steps: int = 500) -> float:
    """Train on the first stretches; give the percentage of the last that are told right."""
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(steps):
        x, y = draw(first, 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    x, y = draw(last, 1000)
    return 100 * float((net(x).argmax(1) == y).float().mean())


def main(video: str = "") -> None:
    torch.manual_seed(0)
    pixels = read(video)
    first, last = map(stretches, pixels.split(round((1 - HELD_BACK) * len(pixels))))
    gru, mean = (accuracy(Reader(ordered), first, last) for ordered in (True, False))
    print(f"{len(pixels)} frames; of the last {100 * HELD_BACK:.0f} %, stretches in order told from shuffled ones:")
    print(f"GRU {gru:.0f} %, without order {mean:.0f} %, chance 50 %")


if __name__ == "__main__":
    main(*sys.argv[1:])
