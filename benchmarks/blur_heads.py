"""In how many frames a head that moves fast, or comes in at an edge, stays visible in what ``--blur faces`` leaves.

    python benchmarks/blur_heads.py FOLDER_OF_PHOTOS [--ways right40,left60] [--photos 2]

Heads cut out of photos of one face each are moved over a drawn background, 1280x720 at 25 frames a second: 160x200
pixels large, they cross it at 40, 60 and 80 pixels a frame, or come in slowly at an edge. Where the head is in each
frame is known. A frame is open if less than half of the head's part that is in the picture is hidden, and a sliver of
less than a tenth of the head does not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from measure import machine

import kinoscope
from kinoscope.core.arrays import Float64Array
from kinoscope.core.media import Frame, Pixels
from kinoscope.models.inference.faces import FaceDetector
from kinoscope.source.encode.writer import Writer
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.redaction_plan import plan

SIZE, HEAD, RATE = (1280, 720), (160, 200), 25
SLIVER, HALF = 0.1, 0.5

Way = Callable[[int], tuple[float, float]]


def crossing(step: int) -> Way:
    """Return the way of what crosses the picture, waits outside for a second, and comes back."""
    length = -(-(SIZE[0] + HEAD[0]) // abs(step)) + RATE

    def place(frame: int) -> tuple[float, float]:
        turn, at = divmod(frame, length)
        x = -HEAD[0] + abs(step) * at
        return (x if (step > 0) == (turn % 2 == 0) else SIZE[0] - HEAD[0] - x), 260.0

    return place


def entering(dx: float, dy: float) -> Way:
    """Return the way of what comes in slowly at an edge, and stays inside."""
    x = -HEAD[0] if dx > 0 else SIZE[0] if dx < 0 else 500
    y = -HEAD[1] if dy > 0 else SIZE[1] if dy < 0 else 260
    return lambda frame: (x + dx * frame, y + dy * frame)


WAYS: dict[str, tuple[Way, int]] = {
    "right40": (crossing(40), 100),
    "right60": (crossing(60), 100),
    "right80": (crossing(80), 100),
    "left80": (crossing(-80), 100),
    "slow_left": (entering(4, 0), 69),
    "slow_right": (entering(-4, 0), 69),
    "slow_top": (entering(0, 4), 69),
    "slow_bottom": (entering(0, -4), 69),
}


def head(photo: Path) -> tuple[Pixels, Float64Array]:
    """Return a head of size ``HEAD`` (H, W, 3) and how much of each pixel it is (H, W)."""
    picture = cv2.imread(str(photo))[..., ::-1].copy()
    found = FaceDetector()(picture, (picture.shape[1], picture.shape[0]))
    x1, y1, x2, y2 = found.boxes[found.scores.argmax()]
    middle, half = ((x1 + x2) / 2, (y1 + y2) / 2), 0.62 * max(x2 - x1, (y2 - y1) * HEAD[0] / HEAD[1])
    corners = np.array([[middle[0] - half, middle[1] - half * HEAD[1] / HEAD[0]]], np.float32)
    scale = HEAD[0] / (2 * half)
    matrix = np.array([[scale, 0, -scale * corners[0, 0]], [0, scale, -scale * corners[0, 1]]])
    pixels = cv2.warpAffine(picture, matrix, HEAD, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[: HEAD[1], : HEAD[0]]
    oval = ((x + 0.5) / HEAD[0] * 2 - 1) ** 2 + ((y + 0.5) / HEAD[1] * 2 - 1) ** 2
    return pixels, np.clip((1 - oval) * 8, 0, 1)


def background() -> Pixels:
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.uniform(70, 170, (9, 16, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 4, (SIZE[1], SIZE[0], 1)), 0, 255).astype(np.uint8)


def shown(pixels: Pixels, mask: Float64Array, x: float, y: float) -> tuple[Pixels, Float64Array]:
    """Return the head moved to a place in an empty picture, and its mask there."""
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(pixels, matrix, SIZE), cv2.warpAffine(mask, matrix, SIZE)


def measure(photo: Path, way: Way, frames: int) -> tuple[int, int, float, float]:
    """Return frames that are open, frames with a head, the mean share hidden, and CPU seconds a second of video."""
    pixels, mask = head(photo)
    ground, places = background(), [way(n) for n in range(frames)]
    masks = []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "head.mp4"
        with Writer(video, SIZE, RATE) as writer:
            for n, (x, y) in enumerate(places):
                moved, there = shown(pixels, mask, x, y)
                masks.append(there > 0.5)
                mixed = (ground * (1 - there[..., None]) + moved * there[..., None]).round().astype(np.uint8)
                writer.write(Frame(mixed, Fraction(n, RATE), n, Fraction(1, RATE)))
        begin = time.process_time()
        (done,) = kinoscope.analyze(
            video, out=Path(folder) / "out", tasks="shots", blur="faces", report=False, quiet=True
        )
        cost = time.process_time() - begin
    if done.error or not done.timeline:
        raise SystemExit(str(done.error))
    covers = plan(done.timeline, ["faces"]).masks
    lookup = IntervalLookup((cover.start, cover.end, cover) for cover in covers)
    whole, opened, some, share = (mask > 0.5).sum(), [], 0, 0.0
    for n, there in enumerate(masks):
        hidden = np.zeros_like(there)
        for cover in lookup.at(n / RATE):
            x1, y1, x2, y2 = np.maximum(cover.at(n / RATE), 0).astype(int).tolist()
            hidden[y1 : y2 + 1, x1 : x2 + 1] = True
        share += hidden.mean() / frames
        if there.sum() >= SLIVER * whole:
            some += 1
            if (hidden & there).sum() < HALF * there.sum():
                opened.append(n)
    if opened:
        print(f"<!-- {photo.stem}: open at frames {opened} -->", flush=True)
    return len(opened), some, share, cost / (frames / RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(WAYS))
    parser.add_argument("--first", type=int, default=99, help="so many photos only")
    options = parser.parse_args()
    photos = sorted(path for path in options.photos.iterdir() if path.suffix in (".jpg", ".png"))[: options.first]
    print(machine())
    print("| way | heads | frames open | frames with a head | picture hidden | CPU s a video s |")
    print("|---|---|---|---|---|---|")
    for name in options.ways:
        rows = np.array([measure(photo, *WAYS[name]) for photo in photos])
        opened, some, share, cost = rows[:, 0].sum(), rows[:, 1].sum(), rows[:, 2].mean(), rows[:, 3].mean()
        print(f"| {name} | {len(rows)} | {opened:.0f} | {some:.0f} | {share:.1%} | {cost:.1f} |", flush=True)


if __name__ == "__main__":
    main()
