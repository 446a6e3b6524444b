"""A video GAN in PyTensor, line by line: adversarial training of two networks as symbolic graphs.

    make pytensor-example

creates an environment of its own (PyTensor needs other versions of some packages), trains for some minutes on two
cores, writes examples/out/pytensor.gif, and checks that the same weights in PyTorch generate the same frames.

GANs used to be built in Theano, which derives the gradients of a formula and compiles it. PyTensor is its maintained
successor. There are no predefined layers: a layer is a matrix product. Clips have 8 frames of 16 x 16 pixels and show a
disc that moves straight on and bounces.

    real clip ----------------------.
                                     >-- discriminator -- "how real?"
    noise -- generator -- fake clip -'

The discriminator is trained to score real clips higher than generated ones; the generator is trained to raise the score
of its clips.
"""

import itertools
import sys
import time
from pathlib import Path

import numpy as np

FRAMES, SIDE, NOISE, WIDTH, BATCH = 8, 16, 6, 128, 64
PIXELS = SIDE * SIDE


def real_clips(random, count):
    """Draw clips (N, T, H * W) in [0, 1]: a disc that moves straight on and bounces off the edges."""
    start, speed = random.uniform(0, 1, (count, 1, 2)), random.uniform(-0.2, 0.2, (count, 1, 2))
    path = start + np.arange(FRAMES)[:, None] * speed
    path = 3.5 + 9 * (1 - abs(np.mod(path, 2) - 1))  # reflected: from 3.5 to 12.5 and back
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    distance = np.hypot(x - path[..., :1, None], y - path[..., 1:, None])
    return np.clip(3.0 - distance, 0, 1).reshape(count, FRAMES, PIXELS).astype("float32")


def weights(random, *sizes):
    """Return the weights and biases of a chain of layers, initialized to preserve the variance (He et al., 2015)."""
    pairs = itertools.pairwise(sizes)
    return [
        part.astype("float32") for a, b in pairs for part in (random.normal(0, (2 / a) ** 0.5, (a, b)), np.zeros(b))
    ]


def generator(lib, noise, params):
    """Generate clips (N, T, H * W) from noise (N, 2 * Z).

    The first half of the noise sets the position of the disc, the second its velocity: each frame is generated from
    both and its time, by the same three layers, so that the motion is smooth.

    Args:
        lib: ``Symbolic``, to build a graph in PyTensor, or ``Torch``, to compute.
        noise: (N, 2 * Z).
        params: weights and biases of the three layers.
    """
    w1, b1, w2, b2, w3, b3 = params
    position, velocity = noise[:, None, :NOISE], noise[:, None, NOISE:]
    times = lib.times()  # (1, T, 1), from -1 to 1
    code = (position + velocity * times).reshape((-1, NOISE))  # every frame is a row: (N * T, Z)
    hidden = lib.relu(code @ w1 + b1)
    hidden = lib.relu(hidden @ w2 + b2)
    frames = 0.5 + 0.5 * lib.tanh(hidden @ w3 + b3)
    return frames.reshape((-1, FRAMES, PIXELS))


class Torch:
    """The functions of the generator in PyTorch."""

    def __init__(self):
        import torch

        self.relu, self.tanh = torch.relu, torch.tanh
        self.times = lambda: torch.linspace(-1, 1, FRAMES).view(1, FRAMES, 1)


class Symbolic:
    """The functions of the generator in PyTensor: each call adds a node to a graph, and computes nothing yet."""

    def __init__(self):
        import pytensor.tensor as pt

        self.relu = lambda x: pt.maximum(x, 0)
        self.tanh = pt.tanh
        self.times = lambda: pt.constant(np.linspace(-1, 1, FRAMES, dtype="float32").reshape(1, FRAMES, 1))


def discriminator(pt, clips, params):
    """Score clips (N, T, H * W) from their frames and frame differences: logits (N,)."""
    changes = clips[:, 1:] - clips[:, :-1]
    x = pt.concatenate([clips.reshape((-1, FRAMES * PIXELS)), 2 * changes.reshape((-1, (FRAMES - 1) * PIXELS))], axis=1)
    w1, b1, w2, b2, w3, b3 = params
    for weight, bias in ((w1, b1), (w2, b2)):
        x = x @ weight + bias
        x = pt.maximum(x, 0.2 * x)  # leaky: negative inputs have a gradient, too
    return (x @ w3 + b3)[:, 0]


def adam(pt, shared, loss, params, rate, first=0.0, second=0.99):
    """Return the updates of Adam (Kingma and Ba, 2015): gradient steps, scaled by running moments of the gradient."""
    updates, count = [], shared(np.float32(0))
    updates.append((count, count + 1))
    for param, slope in zip(params, pt.grad(loss, params), strict=True):  # PyTensor derives all gradients
        mean, square = (shared(np.zeros_like(param.get_value())) for _ in range(2))
        new_mean, new_square = first * mean + (1 - first) * slope, second * square + (1 - second) * slope**2
        step = new_mean / (pt.sqrt(new_square / (1 - second ** (count + 1))) + 1e-8)
        updates += [(mean, new_mean), (square, new_square), (param, param - rate * step)]
    return [(old, new.astype("float32")) for old, new in updates]


def train(folder, steps=8000):
    """Build both graphs, compile them, and alternate discriminator and generator steps."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor import function, shared

    pytensor.config.floatX = "float32"
    random = np.random.default_rng(0)
    g_params = [shared(weight) for weight in weights(random, NOISE, WIDTH, WIDTH, PIXELS)]
    d_params = [shared(weight) for weight in weights(random, (2 * FRAMES - 1) * PIXELS, WIDTH, WIDTH, 1)]

    # Symbols: nothing is computed here. ``fake`` is a formula of ``noise`` and of the generator's weights.
    noise, real = pt.matrix("noise", dtype="float32"), pt.tensor3("real", dtype="float32")
    fake = generator(Symbolic(), noise, g_params)
    real_score, fake_score = discriminator(pt, real, d_params), discriminator(pt, fake, d_params)

    # A relativistic loss compares pairs of a real and a generated clip (Jolicoeur-Martineau, 2019). The R1 penalty
    # limits the gradient at real clips (Mescheder et al., 2018): a gradient inside the loss, of which PyTensor derives
    # the gradient again.
    gradient = pt.grad(real_score.sum(), real)
    d_loss = pt.softplus(fake_score - real_score).mean() + 0.5 * (gradient**2).sum(axis=(1, 2)).mean()
    g_loss = pt.softplus(real_score - fake_score).mean()

    # Compiled to machine code (by Numba) when first called, which takes a minute or two; from then on each call takes
    # noise and real clips, returns the loss, and updates the weights of one network only.
    discriminator_step = function([noise, real], d_loss, updates=adam(pt, shared, d_loss, d_params, 5e-4))
    generator_step = function([noise, real], g_loss, updates=adam(pt, shared, g_loss, g_params, 5e-4))
    generate = function([noise], fake)

    print("compiling ...", flush=True)
    codes = random.normal(size=(BATCH, 2 * NOISE)).astype("float32")
    discriminator_step(codes, real_clips(random, BATCH)), generator_step(codes, real_clips(random, BATCH))

    average = [param.get_value() for param in g_params]
    start = time.perf_counter()
    for step in range(1, steps + 1):
        codes = random.normal(size=(2, BATCH, 2 * NOISE)).astype("float32")
        d_value = discriminator_step(codes[0], real_clips(random, BATCH))
        g_value = generator_step(codes[1], real_clips(random, BATCH))
        average = [0.998 * old + 0.002 * new.get_value() for old, new in zip(average, g_params, strict=True)]
        if step % 500 == 0:
            print(f"step {step}: discriminator {float(d_value):.3f}, generator {float(g_value):.3f}", flush=True)

    for param, value in zip(g_params, average, strict=True):
        param.set_value(value)  # the moving average of the weights generates better clips than the last ones
    codes = np.random.default_rng(1).normal(size=(16, 2 * NOISE)).astype("float32")
    clips = generate(codes)
    Path(folder).mkdir(parents=True, exist_ok=True)
    np.savez(Path(folder) / "pytensor.npz", noise=codes, clips=clips, **{f"w{i}": w for i, w in enumerate(average)})
    print(f"{steps} steps in {time.perf_counter() - start:.0f} s")
    return clips


def check(folder):
    """Load the trained weights into PyTorch, compare its clips with PyTensor's, and save them as a GIF."""
    import torch

    from kinoscope.source.encode.save_clip import save_clip
    from kinoscope.views.video.grid import enlarge, grid

    saved = np.load(Path(folder) / "pytensor.npz")  # arrays only: nothing is unpickled
    params = [torch.from_numpy(saved[f"w{i}"]) for i in range(6)]
    clips = generator(Torch(), torch.from_numpy(saved["noise"]), params).numpy()
    difference = float(abs(clips - saved["clips"]).max())
    print(f"PyTorch and PyTensor differ by {difference:.1e} or less")
    if difference > 1e-4:
        raise SystemExit("the frames of PyTorch and PyTensor differ")
    pixels = (255 * clips.reshape(-1, FRAMES, SIDE, SIDE, 1)).round().astype("uint8").repeat(3, 4)
    save_clip(Path(folder) / "pytensor.gif", enlarge(grid(pixels), 4), 8, "a GAN in PyTensor")
    print(Path(folder) / "pytensor.gif")
    return pixels


if __name__ == "__main__":
    arguments = sys.argv[1:]
    folder = arguments[1] if len(arguments) > 1 else "examples/out"
    if arguments[:1] == ["check"]:
        check(folder)
    else:
        train(folder, int(arguments[2]) if len(arguments) > 2 else 8000)
