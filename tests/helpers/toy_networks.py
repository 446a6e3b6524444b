"""Clips whose class depends on one moving shape, and tiny networks that are trained to classify them.

The shape moves horizontally (class ``across``) or vertically (``down``), among static shapes. For a 3-D CNN it has the
appearance of the others. A CNN of single frames cannot see motion, so for it the shape is the only white disc, which
moves to the right or down and returns, and position features are appended.

Running this file trains both networks again and writes their weights beside it: about a minute on two cores.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kinoscope.core.media import Frame, Pixels
from kinoscope.core.sampling import Sampling
from kinoscope.models.formats.trained_model import TrainedModel, save_trained_model
from kinoscope.models.trainable.classifiers import Network
from kinoscope.nets.cnn_rnn import CnnRnn
from kinoscope.source.encode.writer import Writer

CLASSES = ("across", "down")
FRAMES, SIDE, SHAPE, RATE = 12, 48, 9, 8.0
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Clip:
    """A clip (T, H, W, 3), its class, the mask of the moving shape (T, H, W), and the frames (T,) in which it moves."""

    pixels: Pixels
    label: int
    inside: NDArray[np.bool_]
    moves: NDArray[np.bool_]


def clip(seed: int, label: int | None = None, moving: tuple[int, int] | None = None, apart: bool = False) -> Clip:
    """Draw a clip.

    Args:
        seed: of the random numbers.
        label: index of the class; random if None.
        moving: first and last frame of the motion; the whole clip if None.
        apart: whether the moving shape differs in appearance from all others.
    """
    random = np.random.default_rng(seed)
    label = int(random.integers(2)) if label is None else label
    first, last = moving or (0, FRAMES - 1)
    grey = np.full((FRAMES, SIDE, SIDE, 3), random.integers(30, 90), np.uint8)
    spots = _spots(random, 4)
    for spot in spots[1:]:
        _draw(grey, np.tile(spot, (FRAMES, 1)), random, disc=not apart and bool(random.integers(2)), white=False)
    if apart:  # so that it has space to move
        spots[0] //= 2
    path = _path(random, spots[0], label, first, last, back=apart)
    inside = _draw(grey, path, random, disc=apart or bool(random.integers(2)), white=apart)
    moves = np.concatenate([[False], np.any(np.diff(path, axis=0) != 0, 1)])
    noise = random.integers(-6, 7, grey.shape)
    return Clip(np.clip(grey + noise, 0, 255).astype(np.uint8), label, inside, moves)


def _spots(random: np.random.Generator, count: int) -> list[NDArray[np.int64]]:
    """Return positions (y, x) at some distance from each other."""
    spots: list[NDArray[np.int64]] = []
    while len(spots) < count:
        spot = random.integers(0, SIDE - SHAPE + 1, 2)
        if all(np.abs(spot - other).max() > SHAPE for other in spots):
            spots.append(spot)
    return spots


def _path(
    random: np.random.Generator, spot: NDArray[np.int64], label: int, first: int, last: int, back: bool
) -> NDArray[np.int64]:
    """Return the path (T, 2) of a shape that moves between two frames: forth and back, or reflected at the edges."""
    path = np.tile(spot, (FRAMES, 1))
    axis, span = 1 - label, SIDE - SHAPE
    elapsed = np.clip(np.arange(FRAMES) - first, 0, last - first)
    if back:
        steps = np.minimum(elapsed, last - first - elapsed) * int(random.integers(4, 6))
    else:
        steps = elapsed * int(random.integers(2, 4)) * int(random.choice([-1, 1]))
    path[:, axis] = np.abs((spot[axis] + steps + span) % (2 * span) - span)
    return path


def _draw(
    pixels: Pixels, path: NDArray[np.int64], random: np.random.Generator, disc: bool, white: bool
) -> NDArray[np.bool_]:
    """Draw a shape along a path, and return its mask (T, H, W)."""
    y, x = np.mgrid[:SHAPE, :SHAPE] - SHAPE // 2
    form = np.hypot(y, x) <= SHAPE / 2 if disc else np.ones((SHAPE, SHAPE), bool)
    colour = np.array([255] * 3) if white else random.integers(110, 230, 3)
    inside = np.zeros(pixels.shape[:3], bool)
    for frame, (top, left) in enumerate(path):
        pixels[frame, top : top + SHAPE, left : left + SHAPE][form] = colour
        inside[frame, top : top + SHAPE, left : left + SHAPE] = True
    return inside


class ToyConv3d(nn.Module):
    """A 3-D CNN of clips."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(3, 12, (3, 4, 4), (1, 2, 2), 1), nn.BatchNorm3d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv3d(12, 16, (3, 4, 4), (1, 2, 2), 1), nn.BatchNorm3d(16), nn.ReLU())
        self.maps = nn.Sequential(nn.Conv3d(16, 16, (3, 1, 1), padding=(1, 0, 0)), nn.BatchNorm3d(16), nn.ReLU())
        self.classifier = nn.Linear(16, classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        x = pixels.permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        embedding = self.maps(self.second(self.first(x))).mean((2, 3, 4))
        return embedding, self.classifier(embedding)

    def trunk(self) -> list[nn.Module]:
        return [self.first, self.second]


class FrameCnn(nn.Module):
    """A CNN of frames (N, H, W, 3) whose feature maps are concatenated with themselves times x, and times y."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 12, 4, 2, 1), nn.BatchNorm2d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(12, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        x = self.second(self.first(x))
        line = torch.linspace(0, 1, x.shape[-1], device=x.device)
        right, down = line.expand(len(line), -1), line[:, None].expand(-1, len(line))
        # The mean over a frame is small, since the shape is small.
        return 10 * torch.cat([x, x * right, x * down], 1)


def toy_cnn_gru(classes: int) -> nn.Module:
    """Build a CNN of frames with a GRU."""
    cnn = FrameCnn()
    return CnnRnn(cnn, [cnn.first, cnn.second], 24, classes, hidden=24, dropout=0.0)


BUILD = {"toy-conv3d": ToyConv3d, "toy-cnn-gru": toy_cnn_gru}
TRAINING = {"toy-conv3d": (500, 0.01), "toy-cnn-gru": (260, 0.005)}
"""Steps, and the maximum learning rate."""
SAMPLING = Sampling(FRAMES, RATE, (SIDE, SIDE))
NETWORKS = tuple(Network(name=name, about="a toy", build=build, sampling=SAMPLING) for name, build in BUILD.items())


def looks_apart(name: str) -> bool:
    """Return whether a network needs a moving shape of a different appearance."""
    return name == "toy-cnn-gru"


def toy(name: str) -> nn.Module:
    """Load a trained network."""
    from safetensors.torch import load_file

    net = BUILD[name](len(CLASSES))
    net.load_state_dict(load_file(HERE / f"{name}.safetensors"))
    return net.eval()


def save_toy(folder: Path, name: str) -> Path:
    """Save a network as a trained model; to load it, replace the table ``classifiers.NETWORKS`` by ours."""
    save_trained_model(
        folder,
        toy(name),
        TrainedModel(task="classify", network=name, classes=CLASSES, sampling=SAMPLING, data="shapes"),
    )
    return folder


def film(path: Path, *clips: Clip) -> Path:
    """Write clips as one video."""
    frames = [pixels for one in clips for pixels in one.pixels]
    with Writer(path, (SIDE, SIDE), int(RATE), lossless=True, preset="ultrafast") as writer:
        for number, pixels in enumerate(frames):
            writer.write(Frame(pixels, Fraction(number, int(RATE)), number))
    return path


def draw_batch(seeds: range, apart: bool) -> tuple[Tensor, Tensor]:
    """Draw a batch of clips; in half of them the motion takes only half of the frames."""
    parts = []
    for seed in seeds:
        first = int(np.random.default_rng(seed).integers(0, FRAMES // 2))
        parts.append(clip(seed, moving=(first, first + FRAMES // 2) if seed % 2 else None, apart=apart))
    pixels = torch.from_numpy(np.stack([part.pixels for part in parts]))
    return pixels, torch.tensor([part.label for part in parts])


def train(name: str, size: int = 24, clips: int = 1200) -> nn.Module:
    """Train a network."""
    torch.manual_seed(0)
    steps, rate = TRAINING[name]
    net = BUILD[name](len(CLASSES))
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    pixels, labels = draw_batch(range(1000, 1000 + clips), looks_apart(name))
    for step in range(steps):
        part = torch.randint(clips, (size,))
        loss = functional.cross_entropy(net(pixels[part])[1], labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 49:
            print(f"{name} {step + 1} loss {loss.item():.3f}", flush=True)
    return net.eval()


def main() -> None:
    """Train both, and print their accuracy on held-out clips."""
    from safetensors.torch import save_file

    for name in sys.argv[1:] or BUILD:
        net = train(name)
        pixels, labels = draw_batch(range(200), looks_apart(name))
        with torch.no_grad():
            accuracy = (net(pixels)[1].argmax(1) == labels).float().mean()
        print(f"{name}: {accuracy:.3f} of 200 clips")
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, HERE / f"{name}.safetensors")


if __name__ == "__main__":
    main()
