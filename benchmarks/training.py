"""The training loop against plain PyTorch loops on the same network, clips and steps, in turn.

    python benchmarks/training.py DATA [--runs 3] [--group RULE] [net=cnn-gru size=112 ...]

``memory`` feeds batches that were made before: what a loop could reach that never loads anything.
``decoding`` reads and resizes each clip anew with PyAV in the worker processes of a DataLoader, as scripts usually do.
Ours loads, varies, clips gradients and averages weights besides, with the frames in its cache.
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

from kinoscope.training.classification.build import build, resolve
from kinoscope.training.classification.options import read_words
from kinoscope.training.classification.state import TrainContext, TrainState
from kinoscope.training.classification.train import learn, prepare
from kinoscope.training.data.readers import read_dataset
from kinoscope.training.data.splits import split
from kinoscope.training.distributed import joined


class Clips(torch.utils.data.Dataset):
    """Decodes a clip whenever it is asked for."""

    def __init__(self, job: TrainContext) -> None:
        self.job = job

    def __len__(self) -> int:
        return len(self.job.loader.examples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Give pixels (T, H, W, 3) and the target (K,)."""
        example, sampling = self.job.loader.examples[index], self.job.loader.sampling
        frames = decode(example.path, sampling.size)
        picks = np.linspace(0, len(frames) - 1, sampling.frames).round().astype(int)
        classes = self.job.dataset.classes
        target = torch.tensor([float(name in example.labels) for name in classes])
        return torch.from_numpy(np.stack([frames[pick] for pick in picks])), target


def decode(path: str, size: tuple[int, int]) -> list[np.ndarray]:
    """Read all pictures of a video, or those side by side in a strip."""
    import av
    import cv2

    with av.open(path) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    if len(pictures) == 1:
        side = pictures[0].shape[0]
        pictures = np.split(pictures[0][:, : pictures[0].shape[1] // side * side], pictures[0].shape[1] // side, 1)
    return [cv2.resize(picture, size) for picture in pictures]


def plain(net: nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]], device: torch.device) -> float:
    """Train as a short script does; give the mean loss."""
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


def copy(job: TrainContext, state: TrainState) -> nn.Module:
    """Build the same network anew, with as much of it frozen, as a script does: without channels last."""
    net = build(replace(job.options, start="none"), job.dataset.classes).to(job.processes.device)
    for ours, theirs in zip(net.parameters(), state.net.parameters(), strict=True):
        ours.requires_grad_(theirs.requires_grad)
    net.train()
    names = {one: name for name, one in state.net.named_modules()}
    for module in state.still:
        net.get_submodule(names[module]).eval()
    return net


def loops(job: TrainContext, state: TrainState) -> Iterator[tuple[str, Callable[[], object]]]:
    """Give each loop by its name: one call is one epoch."""
    epochs = iter(range(1, 10_000))
    yield "ours", lambda: learn(job, state, next(epochs))
    device = job.processes.device
    kept = [(torch.from_numpy(one.pixels), torch.from_numpy(one.targets)) for one in job.loader.epoch(0)]
    first, second = copy(job, state), copy(job, state)
    yield "memory", lambda: plain(first, kept, device)
    options = {"batch_size": job.options.batch, "shuffle": True, "num_workers": 2, "drop_last": False}
    yield "decoding", lambda: plain(second, DataLoader(Clips(job), **options), device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--group", default="")
    parser.add_argument("--without", nargs="*", default=[], help="loops to leave out")
    parser.add_argument("options", nargs="*", help="as of kinoscope train, such as net=cnn-gru size=112")
    given = parser.parse_intermixed_args()
    dataset = read_dataset(given.data, given.group)
    options = resolve(read_words(["batch=8", "epochs=1000", *given.options]), dataset)
    with joined(options.device) as processes:
        job, state = prepare(options, dataset, split(dataset, options.val, seed=options.seed), processes)
        chosen = {name: loop for name, loop in loops(job, state) if name not in given.without}
        print(json.dumps(measure(job, chosen, given.runs), indent=1))


def measure(job: TrainContext, chosen: dict[str, Callable[[], object]], runs: int) -> dict[str, object]:
    """Run each loop once unmeasured, then all in turn; give clips a second, and ours over each other."""
    speeds: dict[str, list[float]] = {name: [] for name in chosen}
    waiting = []
    for turn in range(runs + 1):
        for name, loop in chosen.items():
            began, waited = time.perf_counter(), job.loader.waited
            loop()
            if job.processes.device.type == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - began
            clips = len(job.loader.examples) if name == "decoding" else len(job.loader) * job.options.batch
            if turn:
                speeds[name].append(clips / seconds)
                waiting += [(job.loader.waited - waited) / seconds] if name == "ours" else []
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        "net": job.options.net,
        "learned": job.run.parameters[1],
        "clips": len(job.loader.examples),
        "device": str(job.processes.device),
        "clips_per_second": {name: round(value, 2) for name, value in medians.items()},
        "ratio": {name: round(medians["ours"] / value, 3) for name, value in medians.items() if name != "ours"},
        "waiting_percent": round(100 * statistics.median(waiting), 2),
        "runs": {name: [round(one, 2) for one in values] for name, values in speeds.items()},
    }


if __name__ == "__main__":
    main()
