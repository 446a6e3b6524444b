"""Clips in which only one moving shape decides the class, and tiny networks that have learned to tell.

The shape moves from side to side (class ``across``) or up and down (``down``), among shapes that stand still. To a 3-D
CNN it looks like the others. A CNN that sees one picture at a time cannot tell what moves, so for it the shape is the
only white disc, which moves to the right or down and comes back, and it knows where each place lies.

Running this file trains both networks anew and writes their weights beside it: about a minute on two cores.
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
    """A clip (T, H, W, 3), its class, where the shape is that decides, and in which frames (T,) it has just moved."""

    pixels: Pixels
    label: int
    inside: NDArray[np.bool_]
    moves: NDArray[np.bool_]


def clip(seed: int, label: int | None = None, moving: tuple[int, int] | None = None, apart: bool = False) -> Clip:
    """Draw a clip.

    Args:
        label: of the class; drawn if not given.
        moving: first and last frame of the motion; the whole clip if not given.
        apart: whether the shape that decides looks different from all others.
    """
    random = np.random.default_rng(seed)
    label = int(random.integers(2)) if label is None else label
    first, last = moving or (0, FRAMES - 1)
    grey = np.full((FRAMES, SIDE, SIDE, 3), random.integers(30, 90), np.uint8)
    spots = _spots(random, 4)
    for spot in spots[1:]:
        _draw(grey, np.tile(spot, (FRAMES, 1)), random, disc=not apart and bool(random.integers(2)), white=False)
    if apart:  # there is room for it to move
        spots[0] //= 2
    path = _path(random, spots[0], label, first, last, back=apart)
    inside = _draw(grey, path, random, disc=apart or bool(random.integers(2)), white=apart)
    moves = np.concatenate([[False], np.any(np.diff(path, axis=0) != 0, 1)])
    noise = random.integers(-6, 7, grey.shape)
    return Clip(np.clip(grey + noise, 0, 255).astype(np.uint8), label, inside, moves)


def _spots(random: np.random.Generator, count: int) -> list[NDArray[np.int64]]:
    """Give places (y, x) at some distance from each other."""
    spots: list[NDArray[np.int64]] = []
    while len(spots) < count:
        spot = random.integers(0, SIDE - SHAPE + 1, 2)
        if all(np.abs(spot - other).max() > SHAPE for other in spots):
            spots.append(spot)
    return spots


def _path(
    random: np.random.Generator, spot: NDArray[np.int64], label: int, first: int, last: int, back: bool
) -> NDArray[np.int64]:
    """Give the (T, 2) places of a shape that moves between two frames: forth and back, or on, and back from edges."""
    path = np.tile(spot, (FRAMES, 1))
    axis, room = 1 - label, SIDE - SHAPE
    gone = np.clip(np.arange(FRAMES) - first, 0, last - first)
    if back:
        steps = np.minimum(gone, last - first - gone) * int(random.integers(4, 6))
    else:
        steps = gone * int(random.integers(2, 4)) * int(random.choice([-1, 1]))
    path[:, axis] = np.abs((spot[axis] + steps + room) % (2 * room) - room)
    return path


def _draw(
    pixels: Pixels, path: NDArray[np.int64], random: np.random.Generator, disc: bool, white: bool
) -> NDArray[np.bool_]:
    """Draw a shape along a path, and give where it is."""
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


class Pictures(nn.Module):
    """A CNN of pictures (N, H, W, 3) whose maps are given as they are, and times how far right and down."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 12, 4, 2, 1), nn.BatchNorm2d(12), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(12, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        x = self.second(self.first(x))
        line = torch.linspace(0, 1, x.shape[-1], device=x.device)
        right, down = line.expand(len(line), -1), line[:, None].expand(-1, len(line))
        # The mean over a picture is small where one small shape is all that counts.
        return 10 * torch.cat([x, x * right, x * down], 1)


def toy_cnn_gru(classes: int) -> nn.Module:
    """Give a CNN of pictures with a GRU."""
    cnn = Pictures()
    return CnnRnn(cnn, [cnn.first, cnn.second], 24, classes, hidden=24, dropout=0.0)


BUILD = {"toy-conv3d": ToyConv3d, "toy-cnn-gru": toy_cnn_gru}
TRAINING = {"toy-conv3d": (500, 0.01), "toy-cnn-gru": (260, 0.005)}
"""Steps, and the highest learning rate."""
SAMPLING = Sampling(FRAMES, RATE, (SIDE, SIDE))
NETWORKS = tuple(Network(name=name, about="a toy", build=build, sampling=SAMPLING) for name, build in BUILD.items())


def looks_apart(name: str) -> bool:
    """Whether the shape that decides must look different for a network to have a chance."""
    return name == "toy-cnn-gru"


def toy(name: str) -> nn.Module:
    """Give a network that has learned."""
    from safetensors.torch import load_file

    net = BUILD[name](len(CLASSES))
    net.load_state_dict(load_file(HERE / f"{name}.safetensors"))
    return net.eval()


def save_toy(folder: Path, name: str) -> Path:
    """Write one as a trained model; ``kinoscope.models.trainable.classifiers.NETWORKS`` must hold ours to read it."""
    save_trained_model(
        folder,
        toy(name),
        TrainedModel(task="classify", network=name, classes=CLASSES, sampling=SAMPLING, data="shapes"),
    )
    return folder


def film(path: Path, *clips: Clip) -> Path:
    """Write clips as one video."""
    frames = [picture for one in clips for picture in one.pixels]
    with Writer(path, (SIDE, SIDE), int(RATE), lossless=True, preset="ultrafast") as writer:
        for number, pixels in enumerate(frames):
            writer.write(Frame(pixels, Fraction(number, int(RATE)), number))
    return path


def draw_batch(seeds: range, apart: bool) -> tuple[Tensor, Tensor]:
    """Draw clips, of which half move only part of the time."""
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
    """Train both, and tell how good they are on clips that they have not seen."""
    from safetensors.torch import save_file

    for name in sys.argv[1:] or BUILD:
        net = train(name)
        pixels, labels = draw_batch(range(200), looks_apart(name))
        with torch.no_grad():
            right = (net(pixels)[1].argmax(1) == labels).float().mean()
        print(f"{name}: {right:.3f} of 200 clips")
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, HERE / f"{name}.safetensors")


if __name__ == "__main__":
    main()
