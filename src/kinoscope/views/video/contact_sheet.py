"""Contact sheets: clips as rows of frames, each row with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from kinoscope.core.errors import OutputError
from kinoscope.core.files import atomic_write
from kinoscope.core.image_metadata import embed_comment, provenance_text
from kinoscope.core.media import Pixels
from kinoscope.views.video.primitives import Colour, TextRenderer

BACKGROUND: Colour = (255, 255, 255)
TEXT_COLOUR: Colour = (32, 32, 32)
GAP = 2
"""Pixels between frames."""


def draw_contact_sheet(rows: Sequence[tuple[str, Pixels]], columns: int = 8, width: int = 128) -> Pixels:
    """Draw each clip as a caption and, below it, a row of ``columns`` frames spaced evenly from first to last.

    Args:
        rows: caption and frames (T, H, W, 3) of each clip; an empty caption takes no space.
        columns: frames in a row; a clip with fewer shows each of them once.
        width: of a frame in the sheet, in pixels.

    Returns:
        (H, W, 3) uint8 pixels.
    """
    total = columns * (width + GAP) + GAP
    strips = [
        strip for caption, pixels in rows for strip in (_caption(caption, total), _row(pixels, columns, width, total))
    ]
    return np.concatenate([*strips, np.full((GAP, total, 3), BACKGROUND, np.uint8)])


def _caption(text: str, width: int) -> Pixels:
    renderer = TextRenderer(15)
    line = np.full((renderer.height if text else 0, width, 3), BACKGROUND, np.uint8)
    if text:
        renderer.write(line, renderer.fit(text, width - 4 * GAP), 2 * GAP, 0, TEXT_COLOUR)
    return line


def _row(pixels: Pixels, columns: int, width: int, total: int) -> Pixels:
    indices = np.linspace(0, len(pixels) - 1, min(columns, len(pixels))).round().astype(int)
    height = max(1, round(width * pixels.shape[1] / pixels.shape[2]))
    method = cv2.INTER_AREA if width < pixels.shape[2] else cv2.INTER_CUBIC
    row = np.full((height + GAP, total, 3), BACKGROUND, np.uint8)
    for column, index in enumerate(indices):
        left = GAP + column * (width + GAP)
        row[GAP:, left : left + width] = cv2.resize(pixels[index], (width, height), interpolation=method)
    return row


def save_image(path: Path, pixels: Pixels, generator: str | None = None) -> None:
    """Write (H, W, 3) RGB pixels as a PNG or JPEG file, by the suffix of the path.

    Args:
        generator: name of the model and its seed, if the image is generated; the metadata of the file then says so.

    Raises:
        OutputError: the suffix is another, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise OutputError(f"cannot write {path}: give a name that ends in .png, .jpg or .jpeg")
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    written = data.tobytes() if generator is None else embed_comment(data.tobytes(), provenance_text(generator))
    with atomic_write(path) as temporary:
        temporary.write_bytes(written)
