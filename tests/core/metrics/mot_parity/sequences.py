"""Random sequences, each from a seed: what a tracker may do wrong, in random measure. numpy alone is needed."""

import numpy as np

SEEDS = range(12)


def sequence(seed):
    """Ground truth and a result, as rows of frame, id, x, y, width, height."""
    rng = np.random.default_rng(seed)
    objects, length = int(rng.integers(1, 12)), int(rng.integers(1, 60))
    miss, alarm, swap, shake = rng.uniform(0, (0.5, 1.5, 0.1, 12))
    starts = rng.uniform(0, (300, 200), (objects, 2))
    speeds, sizes = rng.normal(0, 3, (objects, 2)), rng.uniform(20, 80, (objects, 2))
    spans = np.sort(rng.integers(0, length, (objects, 2)), axis=1)
    names = list(range(1, objects + 1))
    truth, found = [], []
    for frame in range(length):
        if objects > 1 and rng.random() < swap:
            i, j = rng.choice(objects, 2, replace=False)
            names[i], names[j] = names[j], names[i]
        if rng.random() < swap:
            names[int(rng.integers(objects))] = int(rng.integers(100, 200)) + 100 * frame
        for n in range(objects):
            if spans[n, 0] <= frame <= spans[n, 1]:
                box = [*(starts[n] + frame * speeds[n]), *sizes[n]]
                truth.append([frame + 1, n + 1, *box])
                if rng.random() >= miss:
                    found.append([frame + 1, names[n], *(box + rng.normal(0, shake, 4) * (1, 1, 0.3, 0.3))])
        for k in range(int(rng.poisson(alarm))):
            found.append([frame + 1, 90 - k, *rng.uniform(0, (300, 200)), *rng.uniform(20, 80, 2)])
    return np.array(truth).reshape(-1, 6), np.array(found).reshape(-1, 6)
