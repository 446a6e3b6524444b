"""Model a sequence of frame features with an RNN in PyTorch: classify whether frames are in order.

    python examples/pytorch_rnn.py [VIDEO]

A recurrent network (here a GRU) reads the features of one frame after the other and keeps its memory in a state. It is
trained to distinguish windows of a real video from shuffled ones, and tested on the last part, which is held out. As a
baseline, a network without recurrence, which averages over time, is at chance. Features are principal components.
"""

import sys

import torch
from torch import nn

from kinoscope import open_source
from kinoscope.models.samples import sample

SIZE, LENGTH, FEATURES, TEST_SHARE = (32, 24), 10, 4, 0.3


def read(video: str) -> torch.Tensor:
    """Read the frames as small grey images, flattened: (N, P)."""
    with open_source(video or sample("bikes.mp4"), end=30) as source:
        frames = [torch.tensor(frame.pixels(SIZE) / 255.0).mean(2).flatten() for frame in source.lazy_frames()]
    return torch.stack(frames).float()


def windows(pixels: torch.Tensor) -> torch.Tensor:
    """Return the features (M, T, D) of all windows of frames."""
    frames = pixels.unfold(0, LENGTH, 1).transpose(1, 2)
    left, singular_values, _ = torch.linalg.svd(frames - frames.mean(1, keepdim=True), full_matrices=False)
    features = (left * singular_values[:, None])[:, :, :FEATURES]
    return features / features.std((1, 2), keepdim=True)


def sample_batch(features: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sample windows (N, T, D), and their labels (N,): 1 if the frames are shuffled, else 0."""
    orders = torch.rand(count, LENGTH).argsort(1)
    orders[::2] = torch.arange(LENGTH)
    return features[torch.randint(len(features), (count, 1)), orders], torch.arange(count) % 2


class OrderClassifier(nn.Module):
    """Features (N, T, D) -> logits (N, 2), by a GRU or by a layer that ignores the order."""

    def __init__(self, ordered: bool, width: int = 48) -> None:
        super().__init__()
        self.encoder = nn.GRU(FEATURES, width, batch_first=True) if ordered else nn.Linear(FEATURES, width)
        self.classifier = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits for the mean state over time."""
        states = self.encoder(x)
        return self.classifier((states[0] if isinstance(states, tuple) else states.relu()).mean(1))


def accuracy(net: OrderClassifier, first: torch.Tensor, last: torch.Tensor, steps: int = 500) -> float:
    """Train on the first windows; return the accuracy in percent on the last ones."""
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(steps):
        x, y = sample_batch(first, 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
    x, y = sample_batch(last, 1000)
    return 100 * float((net(x).argmax(1) == y).float().mean())


def main(video: str = "") -> None:
    torch.manual_seed(0)
    pixels = read(video)
    first, last = map(windows, pixels.split(round((1 - TEST_SHARE) * len(pixels))))
    gru, mean = (accuracy(OrderClassifier(ordered), first, last) for ordered in (True, False))
    print(f"{len(pixels)} frames; accuracy of ordered against shuffled windows in the last {100 * TEST_SHARE:.0f} %:")
    print(f"GRU {gru:.0f} %, without order {mean:.0f} %, chance 50 %")


if __name__ == "__main__":
    main(*sys.argv[1:])
