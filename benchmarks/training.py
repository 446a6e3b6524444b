"""Compare the training loop with plain PyTorch loops on the same network, clips and steps.

    python benchmarks/training.py DATA [--runs 3] [--group RULE] [net=cnn-gru size=112 ...]

``memory`` feeds batches that were loaded before: the upper bound for a loop without loading.
``decoding`` decodes and resizes each clip again with PyAV in the worker processes of a DataLoader, as scripts usually
do. Ours also loads, augments, clips gradients and averages weights, with the frames in its cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from kinoscope.training.classification.build import build
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.classification.train import ClassificationTrainer
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.distributed import process_group


class Clips(torch.utils.data.Dataset):
    """A dataset that decodes a clip at each access."""

    def __init__(self, trainer: ClassificationTrainer) -> None:
        self.trainer = trainer

    def __len__(self) -> int:
        return len(self.trainer.loader.examples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the pixels (T, H, W, 3) and the target (K,) of a clip."""
        example, sampling = self.trainer.loader.examples[index], self.trainer.loader.sampling
        frames = decode(example.path, sampling.size)
        indices = np.linspace(0, len(frames) - 1, sampling.frames).round().astype(int)
        classes = self.trainer.dataset.classes
        target = torch.tensor([float(name in example.labels) for name in classes])
        return torch.from_numpy(np.stack([frames[i] for i in indices])), target


def decode(path: str, size: tuple[int, int]) -> list[np.ndarray]:
    """Read all frames of a video, or those of an image strip."""
    import av
    import cv2

    with av.open(path) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if len(frames) == 1:
        side = frames[0].shape[0]
        frames = np.split(frames[0][:, : frames[0].shape[1] // side * side], frames[0].shape[1] // side, 1)
    return [cv2.resize(frame, size) for frame in frames]


def plain(net: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]], device: torch.device) -> float:
    """Train one epoch as a short script does, and return the mean loss."""
    optimizer = torch.optim.AdamW([one for one in net.parameters() if one.requires_grad], lr=1e-4)
    losses = []
    for pixels, targets in batches:
        optimizer.zero_grad()
        _, logits = net(pixels.to(device))
        loss = nn.functional.cross_entropy(logits, targets.to(device))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return statistics.mean(losses)


def copy(trainer: ClassificationTrainer) -> nn.Module:
    """Build the same network with the same layers frozen, as a script does: without channels last."""
    net = build(replace(trainer.options, start="none"), trainer.dataset.classes).to(trainer.processes.device)
    for ours, theirs in zip(net.parameters(), trainer.net.parameters(), strict=True):
        ours.requires_grad_(theirs.requires_grad)
    net.train()
    names = {module: name for name, module in trainer.net.named_modules()}
    for module in trainer.frozen:
        net.get_submodule(names[module]).eval()
    return net


def loops(trainer: ClassificationTrainer) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the name of each loop, and a function that runs one epoch of it."""
    yield "ours", lambda: train_epoch(trainer)
    device = trainer.processes.device
    batches = [(torch.from_numpy(one.pixels), torch.from_numpy(one.targets)) for one in trainer.loader.epoch(0)]
    first, second = copy(trainer), copy(trainer)
    yield "memory", lambda: plain(first, batches, device)
    options = {"batch_size": trainer.options.batch, "shuffle": True, "num_workers": 2, "drop_last": False}
    yield "decoding", lambda: plain(second, DataLoader(Clips(trainer), **options), device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--group", default="")
    parser.add_argument("--without", nargs="*", default=[], help="loops to leave out")
    parser.add_argument("options", nargs="*", help="options of kinoscope train, such as net=cnn-gru size=112")
    arguments = parser.parse_intermixed_args()
    dataset = read_dataset(arguments.data, arguments.group)
    options = ClassificationOptions.parse(["batch=8", "epochs=1000", *arguments.options])
    with process_group(options.device) as processes:
        trainer = ClassificationTrainer(options, dataset, processes)
        chosen = {name: loop for name, loop in loops(trainer) if name not in arguments.without}
        print(json.dumps(measure(trainer, chosen, arguments.runs), indent=1))


def train_epoch(trainer: ClassificationTrainer) -> None:
    """Train one epoch as ``fit`` does."""
    trainer.train_epoch()
    trainer.epoch += 1


def measure(trainer: ClassificationTrainer, chosen: dict[str, Callable[[], object]], runs: int) -> dict[str, object]:
    """Run each loop once to warm up, then alternately; return clips a second, and the ratio of ours to each other."""
    speeds: dict[str, list[float]] = {name: [] for name in chosen}
    waiting = []
    for turn in range(runs + 1):
        for name, loop in chosen.items():
            start, waited = time.perf_counter(), trainer.loader.waited
            loop()
            if trainer.processes.device.type == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - start
            clips = len(trainer.loader.examples) if name == "decoding" else len(trainer.loader) * trainer.options.batch
            if turn:
                speeds[name].append(clips / seconds)
                waiting += [(trainer.loader.waited - waited) / seconds] if name == "ours" else []
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        "net": trainer.options.net,
        "learned": trainer.details.parameters[1],
        "clips": len(trainer.loader.examples),
        "device": str(trainer.processes.device),
        "clips_per_second": {name: round(value, 2) for name, value in medians.items()},
        "ratio": {name: round(medians["ours"] / value, 3) for name, value in medians.items() if name != "ours"},
        "waiting_percent": round(100 * statistics.median(waiting), 2),
        "runs": {name: [round(one, 2) for one in values] for name, values in speeds.items()},
    }


if __name__ == "__main__":
    main()
