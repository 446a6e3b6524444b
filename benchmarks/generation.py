"""Time the generation of frames by the runner and by the plain torch module.

OMP_NUM_THREADS=1 python benchmarks/generation.py MODEL [--clips 16] [--runs 5] [--device auto]
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from kinoscope.models.trainable.generators import TrainedGenerator, to_pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    generator = TrainedGenerator(options.model, options.device)
    latents, times = generator.latents(options.clips), generator.times()
    frames = options.clips * len(times)

    @torch.inference_mode()
    def plain() -> object:
        return to_pixels(generator.net(*generator.inputs(latents, times)))

    jobs = {generator.runtime: lambda: generator.clips(latents, times), f"torch, {generator.device.type}": plain}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(options.runs + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if run:  # the first warms up
                seconds[name].append(time.perf_counter() - start)
    size = generator.metadata.size
    print(f"{generator.folder.name}: {frames} frames of {size}x{size}, medians of {options.runs} alternating runs")
    for name, values in seconds.items():
        print(f"{name:>16}: {frames / statistics.median(values):8.0f} frames a second")


if __name__ == "__main__":
    main()
