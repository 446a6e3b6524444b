"""Count the frames in which a head that moves fast, or enters at an edge, stays visible after ``--blur faces``.

    python benchmarks/blur_heads.py FOLDER_OF_PHOTOS [--motions right40,left60] [--first 2]

Heads cut out of photos of one face each move over a synthetic background, 1280x720 at 25 frames a second: 160x200
pixels large, they cross it at 40, 60 and 80 pixels a frame, or enter slowly at an edge. The position of the head in
each frame is known. A head is visible in a frame if less than half of its part inside the frame is masked; less than a
tenth of the head does not count.
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
from kinoscope.pipeline.options import OutputOptions, RedactionOptions
from kinoscope.source.encode.writer import Writer
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.redaction_plan import plan

SIZE, HEAD, RATE = (1280, 720), (160, 200), 25
MIN_INSIDE, MIN_MASKED = 0.1, 0.5
"""Share of a head that must be inside the frame to count; share of that part that must be masked."""

Motion = Callable[[int], tuple[float, float]]
"""Number of a frame -> top left corner (x, y) of the head."""


def crossing(step: int) -> Motion:
    """Return the motion that crosses the frame by ``step`` pixels a frame, waits outside for a second, and returns."""
    length = -(-(SIZE[0] + HEAD[0]) // abs(step)) + RATE

    def position(frame: int) -> tuple[float, float]:
        turn, at = divmod(frame, length)
        x = -HEAD[0] + abs(step) * at
        return (x if (step > 0) == (turn % 2 == 0) else SIZE[0] - HEAD[0] - x), 260.0

    return position


def entering(dx: float, dy: float) -> Motion:
    """Return the motion that enters at an edge by (dx, dy) pixels a frame, and stays inside."""
    x = -HEAD[0] if dx > 0 else SIZE[0] if dx < 0 else 500
    y = -HEAD[1] if dy > 0 else SIZE[1] if dy < 0 else 260
    return lambda frame: (x + dx * frame, y + dy * frame)


MOTIONS: dict[str, tuple[Motion, int]] = {
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
    """Return the pixels (H, W, 3) of a head of size ``HEAD``, and its matte (H, W) in [0, 1]."""
    image = cv2.imread(str(photo))[..., ::-1].copy()
    found = FaceDetector()(image, (image.shape[1], image.shape[0]))
    x1, y1, x2, y2 = found.boxes[found.scores.argmax()]
    middle, half = ((x1 + x2) / 2, (y1 + y2) / 2), 0.62 * max(x2 - x1, (y2 - y1) * HEAD[0] / HEAD[1])
    corners = np.array([[middle[0] - half, middle[1] - half * HEAD[1] / HEAD[0]]], np.float32)
    scale = HEAD[0] / (2 * half)
    matrix = np.array([[scale, 0, -scale * corners[0, 0]], [0, scale, -scale * corners[0, 1]]])
    pixels = cv2.warpAffine(image, matrix, HEAD, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[: HEAD[1], : HEAD[0]]
    oval = ((x + 0.5) / HEAD[0] * 2 - 1) ** 2 + ((y + 0.5) / HEAD[1] * 2 - 1) ** 2
    return pixels, np.clip((1 - oval) * 8, 0, 1)


def background() -> Pixels:
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.uniform(70, 170, (9, 16, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 4, (SIZE[1], SIZE[0], 1)), 0, 255).astype(np.uint8)


def translate(pixels: Pixels, matte: Float64Array, x: float, y: float) -> tuple[Pixels, Float64Array]:
    """Translate the head and its matte to (x, y) in an empty frame."""
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(pixels, matrix, SIZE), cv2.warpAffine(matte, matrix, SIZE)


def measure(photo: Path, motion: Motion, frames: int) -> tuple[int, int, float, float]:
    """Return frames with a visible head, frames with a head, the mean masked share, and CPU s a second of video."""
    pixels, matte = head(photo)
    backdrop, positions = background(), [motion(n) for n in range(frames)]
    heads = []
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "head.mp4"
        with Writer(video, SIZE, RATE) as writer:
            for n, (x, y) in enumerate(positions):
                moved, alpha = translate(pixels, matte, x, y)
                heads.append(alpha > 0.5)
                blended = (backdrop * (1 - alpha[..., None]) + moved * alpha[..., None]).round().astype(np.uint8)
                writer.write(Frame(blended, Fraction(n, RATE), n, Fraction(1, RATE)))
        begin = time.process_time()
        done = kinoscope.analyze(
            video, out=Path(folder) / "out", tasks="shots", redaction=RedactionOptions(blur="faces"),
            output=OutputOptions(report=False, quiet=True),
        )  # fmt: skip
        cost = time.process_time() - begin
    if done.error or not done.timeline:
        raise SystemExit(str(done.error))
    masks = plan(done.timeline, ["faces"]).masks
    lookup = IntervalLookup((mask.start, mask.end, mask) for mask in masks)
    head_pixels, visible, with_head, share = (matte > 0.5).sum(), [], 0, 0.0
    for n, inside in enumerate(heads):
        masked = np.zeros_like(inside)
        for mask in lookup.at(n / RATE):
            x1, y1, x2, y2 = np.maximum(mask.at(n / RATE), 0).astype(int).tolist()
            masked[y1 : y2 + 1, x1 : x2 + 1] = True
        share += masked.mean() / frames
        if inside.sum() >= MIN_INSIDE * head_pixels:
            with_head += 1
            if (masked & inside).sum() < MIN_MASKED * inside.sum():
                visible.append(n)
    if visible:
        print(f"<!-- {photo.stem}: visible in frames {visible} -->", flush=True)
    return len(visible), with_head, share, cost / (frames / RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--motions", type=lambda text: text.split(","), default=list(MOTIONS))
    parser.add_argument("--first", type=int, default=99, help="maximum number of photos")
    options = parser.parse_args()
    photos = sorted(path for path in options.photos.iterdir() if path.suffix in (".jpg", ".png"))[: options.first]
    print(machine())
    print("| motion | heads | frames visible | frames with a head | frame masked | CPU s a video s |")
    print("|---|---|---|---|---|---|")
    for name in options.motions:
        rows = np.array([measure(photo, *MOTIONS[name]) for photo in photos])
        visible, with_head, share, cost = rows[:, 0].sum(), rows[:, 1].sum(), rows[:, 2].mean(), rows[:, 3].mean()
        print(f"| {name} | {len(rows)} | {visible:.0f} | {with_head:.0f} | {share:.1%} | {cost:.1f} |", flush=True)


if __name__ == "__main__":
    main()
