"""A real clip brought into a generator: the codes from which it makes the clip that is most like it.

Codes are searched by gradient descent from the nearest of many that were drawn, and are kept about as large as drawn
ones are, so that what is found can be moved on as any other (after Abdal et al., "Image2StyleGAN", ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.models.trainable.generators import Generator, Latents, from_pixels

CANDIDATES = 64
"""Codes that are drawn to begin with."""

STEPS, RATE = 300, 0.05

PRIOR = 0.02
"""Weight of keeping codes as large as drawn ones."""


def project(
    generator: Generator, pixels: Pixels, seed: int = 0, label: int | None = None, seconds: float | None = None,
    steps: int | None = None, told: Callable[[float, float], None] | None = None,
) -> tuple[Latents, float]:  # fmt: skip
    """Find the codes of a clip.

    Args:
        pixels: (T, S, S, 3), of the generator's size, at its rate. label: of its class; searched for if not given.
        seconds: how long the clip may become from its codes; as it is if not given.
        steps: of the search; 300 if not given. told: of each step.

    Returns:
        Codes of one clip, and the peak signal-to-noise ratio of what is made from them, in dB.
    """
    times, steps = generator.times(len(pixels)), steps or STEPS
    wanted = from_pixels(pixels, generator.device)[None]
    start = _nearest(generator, pixels, times, seed, label, seconds or float(times[-1]))
    inputs = generator.inputs(start, times)
    content, motion = (one.clone().requires_grad_() for one in inputs[:2])
    optimizer = torch.optim.Adam([content, motion], RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, 2 - 2 * step / steps)
        loss = unlike(generator.net(content, motion, *inputs[2:]), wanted) + PRIOR * (_size(content) + _size(motion))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if told:
            told(step + 1, steps)
    found = Latents(generator.normalize(content.detach().cpu().numpy()), motion.detach().cpu().numpy(), start.labels)
    error = np.square(generator.clips(found, times)[0].astype(float) - pixels).mean()
    return found, float(10 * np.log10(255**2 / max(error, 1e-6)))


def _nearest(
    generator: Generator, pixels: Pixels, times: Float32Array, seed: int, label: int | None, seconds: float
) -> Latents:
    labels = None if label is None else [label] * CANDIDATES
    drawn = generator.latents(CANDIDATES, seed, labels, seconds=seconds)
    errors = np.abs(generator.clips(drawn, times).astype(np.int16) - pixels).mean((1, 2, 3, 4))
    best = int(errors.argmin())
    return drawn[best : best + 1]


def unlike(made: Tensor, wanted: Tensor) -> Tensor:
    """Give how different clips (N, T, 3, S, S) are, in colours and in what is seen from afar."""
    total = (made - wanted).abs().mean()
    for scale in (2, 4):
        small = [functional.avg_pool2d(one.flatten(0, 1), scale) for one in (made, wanted)]
        total = total + (small[0] - small[1]).abs().mean()
    return total


def _size(codes: Tensor) -> Tensor:
    """Give how far codes are from the length that drawn ones have."""
    return (codes.square().mean(-1) - 1).square().mean()
