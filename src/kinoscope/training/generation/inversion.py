"""GAN inversion: the latents from which a generator reproduces a real clip as closely as possible.

Latents are optimized by gradient descent from the nearest of many samples, and their norm is kept near that of samples,
so that the result can be edited as any other (after Abdal et al., "Image2StyleGAN", ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.models.trainable.generators import Latents, TrainedGenerator, from_pixels

CANDIDATES = 64
"""Latents that are sampled for the start."""

STEPS, LEARNING_RATE = 300, 0.05

PRIOR_WEIGHT = 0.02
"""Weight of the loss that keeps the norm of latents near that of samples."""


def project(
    generator: TrainedGenerator, pixels: Pixels, seed: int = 0, label: int | None = None, seconds: float | None = None,
    steps: int | None = None, on_step: Callable[[float, float], None] | None = None,
) -> tuple[Latents, float]:  # fmt: skip
    """Find the latents of a clip.

    Args:
        pixels: (T, S, S, 3), of the generator's size, at its frame rate.
        label: of its class; searched for if not given.
        seconds: how long a clip the latents are to support; the clip's own duration if not given.
        steps: of the optimizer; 300 if not given.
        on_step: called after each step.

    Returns:
        Latents of one clip, and the peak signal-to-noise ratio of its reconstruction in dB.
    """
    times, steps = generator.times(len(pixels)), steps or STEPS
    target = from_pixels(pixels, generator.device)[None]
    start = _nearest_sample(generator, pixels, times, seed, label, seconds or float(times[-1]))
    inputs = generator.inputs(start, times)
    content, motion = (one.clone().requires_grad_() for one in inputs[:2])
    optimizer = torch.optim.Adam([content, motion], LEARNING_RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, 2 - 2 * step / steps)
        loss = reconstruction_loss(generator.net(content, motion, *inputs[2:]), target) + PRIOR_WEIGHT * (
            _prior_loss(content) + _prior_loss(motion)
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if on_step:
            on_step(step + 1, steps)
    latents = Latents(generator.normalize(content.detach().cpu().numpy()), motion.detach().cpu().numpy(), start.labels)
    error = np.square(generator.clips(latents, times)[0].astype(float) - pixels).mean()
    return latents, float(10 * np.log10(255**2 / max(error, 1e-6)))


def _nearest_sample(
    generator: TrainedGenerator, pixels: Pixels, times: Float32Array, seed: int, label: int | None, seconds: float
) -> Latents:
    """Return the sampled latents whose clip is nearest to ``pixels``."""
    labels = None if label is None else [label] * CANDIDATES
    samples = generator.latents(CANDIDATES, seed, labels, seconds=seconds)
    errors = np.abs(generator.clips(samples, times).astype(np.int16) - pixels).mean((1, 2, 3, 4))
    best = int(errors.argmin())
    return samples[best : best + 1]


def reconstruction_loss(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of clips (N, T, 3, S, S), at full, half and quarter size."""
    total = (reconstruction - target).abs().mean()
    for scale in (2, 4):
        small = [functional.avg_pool2d(one.flatten(0, 1), scale) for one in (reconstruction, target)]
        total = total + (small[0] - small[1]).abs().mean()
    return total


def _prior_loss(codes: Tensor) -> Tensor:
    """Return the squared distance of the norm of latents from that of samples."""
    return (codes.square().mean(-1) - 1).square().mean()
