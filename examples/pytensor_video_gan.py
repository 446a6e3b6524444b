"""A video GAN in PyTensor, line by line: two networks as symbolic graphs that play against each other.

    make pytensor-example

which makes an environment of its own (PyTensor wants other versions of some packages), trains for some minutes on two
cores, writes examples/out/pytensor.gif, and checks that the same weights in PyTorch give the same frames.

A GAN used to be built in Theano: one wrote down a formula, and Theano derived its gradients and compiled it. Theano is
no longer kept up; PyTensor is its maintained successor, and the lines below are much as they were. There are no ready
layers: a layer is a product of matrices, written out. Clips have 8 frames of 16 x 16 pixels and show a disc that flies
and bounces.

    real clip ----------------------.
                                     >-- discriminator -- "how real?"
    noise -- generator -- made clip -'

The discriminator learns to give real clips a higher number than made ones; the generator learns to raise that of its
own.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np

FRAMES, SIDE, NOISE, WIDTH, BATCH = 8, 16, 6, 128, 64
PIXELS = SIDE * SIDE


def real_clips(random, count):
    """Draw clips (N, T, H * W), 0 to 1: a disc that flies straight on and bounces off the edges."""
    way = random.uniform(0, 1, (count, 1, 2)) + np.arange(FRAMES)[:, None] * random.uniform(-0.2, 0.2, (count, 1, 2))
    way = 3.5 + 9 * (1 - abs(np.mod(way, 2) - 1))  # folded: from 3.5 to 12.5 and back
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    apart = np.hypot(x - way[..., :1, None], y - way[..., 1:, None])
    return np.clip(3.0 - apart, 0, 1).reshape(count, FRAMES, PIXELS).astype("float32")


def weights(random, *sizes):
    """Give matrices and biases of a chain of layers, as large as keeps signals as they are."""
    pairs = itertools.pairwise(sizes)
    return [
        part.astype("float32") for a, b in pairs for part in (random.normal(0, (2 / a) ** 0.5, (a, b)), np.zeros(b))
    ]


def generator(lib, noise, params):
    """Noise (N, 2 * Z) to clips (N, T, H * W). ``lib`` is PyTensor, to build a graph, or PyTorch, to compute.

    The first half of the noise says where the disc is, the second where it flies: each frame is painted from both and
    its time, by the same three layers, so that the motion is smooth.
    """
    w1, b1, w2, b2, w3, b3 = params
    place, speed = noise[:, None, :NOISE], noise[:, None, NOISE:]
    times = lib.times()  # (1, T, 1), from -1 to 1
    code = (place + speed * times).reshape((-1, NOISE))  # every frame a row: (N * T, Z)
    hidden = lib.relu(code @ w1 + b1)
    hidden = lib.relu(hidden @ w2 + b2)
    frames = 0.5 + 0.5 * lib.tanh(hidden @ w3 + b3)
    return frames.reshape((-1, FRAMES, PIXELS))


class Torch:
    """What the generator needs, in PyTorch."""

    def __init__(self):
        import torch

        self.relu, self.tanh = torch.relu, torch.tanh
        self.times = lambda: torch.linspace(-1, 1, FRAMES).view(1, FRAMES, 1)


class Symbolic:
    """What the generator needs, in PyTensor: each call adds a node to a graph, and computes nothing yet."""

    def __init__(self):
        import pytensor.tensor as pt

        self.relu = lambda x: pt.maximum(x, 0)
        self.tanh = pt.tanh
        self.times = lambda: pt.constant(np.linspace(-1, 1, FRAMES, dtype="float32").reshape(1, FRAMES, 1))


def discriminator(pt, clips, params):
    """Clips (N, T, H * W) to one number each: it sees the frames, and how each differs from the one before."""
    moves = clips[:, 1:] - clips[:, :-1]
    x = pt.concatenate([clips.reshape((-1, FRAMES * PIXELS)), 2 * moves.reshape((-1, (FRAMES - 1) * PIXELS))], axis=1)
    w1, b1, w2, b2, w3, b3 = params
    for weight, bias in ((w1, b1), (w2, b2)):
        x = x @ weight + bias
        x = pt.maximum(x, 0.2 * x)  # leaky: what is below zero still teaches
    return (x @ w3 + b3)[:, 0]


def adam(pt, shared, loss, params, rate, first=0.0, second=0.99):
    """Give the updates of Adam (Kingma and Ba, 2015): a step along the gradient, each number scaled by its own size."""
    updates, count = [], shared(np.float32(0))
    updates.append((count, count + 1))
    for param, slope in zip(params, pt.grad(loss, params), strict=True):  # PyTensor derives all gradients
        mean, square = (shared(np.zeros_like(param.get_value())) for _ in range(2))
        new_mean, new_square = first * mean + (1 - first) * slope, second * square + (1 - second) * slope**2
        step = new_mean / (pt.sqrt(new_square / (1 - second ** (count + 1))) + 1e-8)
        updates += [(mean, new_mean), (square, new_square), (param, param - rate * step)]
    return [(old, new.astype("float32")) for old, new in updates]


def train(folder, steps=8000):
    """Build both graphs, compile them, and let them play for a while."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor import function, shared

    pytensor.config.floatX = "float32"
    random = np.random.default_rng(0)
    g_params = [shared(one) for one in weights(random, NOISE, WIDTH, WIDTH, PIXELS)]
    d_params = [shared(one) for one in weights(random, (2 * FRAMES - 1) * PIXELS, WIDTH, WIDTH, 1)]

    # Symbols: nothing is computed here. ``made`` is a formula of ``noise`` and of the generator's weights.
    noise, real = pt.matrix("noise", dtype="float32"), pt.tensor3("real", dtype="float32")
    made = generator(Symbolic(), noise, g_params)
    of_real, of_made = discriminator(pt, real, d_params), discriminator(pt, made, d_params)

    # Of each pair, the real clip should be the more real one (Jolicoeur-Martineau, 2019). The penalty keeps the
    # discriminator from becoming too steep around real clips (R1, Mescheder et al., 2018): a gradient inside the loss,
    # of which PyTensor derives the gradient again.
    steep = pt.grad(of_real.sum(), real)
    d_loss = pt.softplus(of_made - of_real).mean() + 0.5 * (steep**2).sum(axis=(1, 2)).mean()
    g_loss = pt.softplus(of_real - of_made).mean()

    # Compiled to machine code (by Numba) when first called, which takes a minute or two; from then on each call takes
    # noise and real clips, gives the loss, and updates the weights of one player only.
    teach = function([noise, real], d_loss, updates=adam(pt, shared, d_loss, d_params, 5e-4))
    persuade = function([noise, real], g_loss, updates=adam(pt, shared, g_loss, g_params, 5e-4))
    make = function([noise], made)

    print("compiling ...", flush=True)
    codes = random.normal(size=(BATCH, 2 * NOISE)).astype("float32")
    teach(codes, real_clips(random, BATCH)), persuade(codes, real_clips(random, BATCH))

    average = [param.get_value() for param in g_params]
    began = time.perf_counter()
    for step in range(1, steps + 1):
        codes = random.normal(size=(2, BATCH, 2 * NOISE)).astype("float32")
        d_value = teach(codes[0], real_clips(random, BATCH))
        g_value = persuade(codes[1], real_clips(random, BATCH))
        average = [0.998 * old + 0.002 * new.get_value() for old, new in zip(average, g_params, strict=True)]
        if step % 500 == 0:
            print(f"step {step}: discriminator {float(d_value):.3f}, generator {float(g_value):.3f}", flush=True)

    for param, value in zip(g_params, average, strict=True):
        param.set_value(value)  # the mean of the last weights makes better clips than the last ones
    codes = np.random.default_rng(1).normal(size=(16, 2 * NOISE)).astype("float32")
    clips = make(codes)
    Path(folder).mkdir(parents=True, exist_ok=True)
    np.savez(Path(folder) / "pytensor.npz", noise=codes, clips=clips, **{f"w{i}": one for i, one in enumerate(average)})
    print(f"{steps} steps in {time.perf_counter() - began:.0f} s")
    return clips


def check(folder):
    """Load the trained weights into PyTorch, make the same clips, and show them."""
    import torch

    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.grid import enlarge, grid

    kept = np.load(Path(folder) / "pytensor.npz")  # arrays alone: nothing is unpickled
    params = [torch.from_numpy(kept[f"w{i}"]) for i in range(6)]
    clips = generator(Torch(), torch.from_numpy(kept["noise"]), params).numpy()
    apart = float(abs(clips - kept["clips"]).max())
    print(f"PyTorch and PyTensor differ by at most {apart:.1e}")
    if apart > 1e-4:
        raise SystemExit("the twins differ")
    pixels = (255 * clips.reshape(-1, FRAMES, SIDE, SIDE, 1)).round().astype("uint8").repeat(3, 4)
    save_clip(Path(folder) / "pytensor.gif", enlarge(grid(pixels), 4), 8, "a GAN in PyTensor")
    print(Path(folder) / "pytensor.gif")
    return pixels


if __name__ == "__main__":
    words = sys.argv[1:]
    place = words[1] if len(words) > 1 else "examples/out"
    if words[:1] == ["check"]:
        check(place)
    else:
        train(place, int(words[2]) if len(words) > 2 else 8000)
