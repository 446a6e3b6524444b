"""Contact sheets: clips as rows of pictures, each with a caption."""

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
"""Pixels between pictures."""


def draw_contact_sheet(rows: Sequence[tuple[str, Pixels]], columns: int = 8, width: int = 128) -> Pixels:
    """Draw each clip as a caption and, below it, ``columns`` of its pictures spread evenly from first to last.

    Args:
        rows: caption and (T, H, W, 3) pictures of each clip; an empty caption takes no room.
        columns: pictures in a row; a clip of fewer shows each of them once.
        width: of a picture, in pixels.

    Returns:
        (H, W, 3) pixels.
    """
    full = columns * (width + GAP) + GAP
    parts = [part for caption, pixels in rows for part in (_caption(caption, full), _row(pixels, columns, width, full))]
    return np.concatenate([*parts, np.full((GAP, full, 3), BACKGROUND, np.uint8)])


def _caption(text: str, width: int) -> Pixels:
    pen = TextRenderer(15)
    line = np.full((pen.height if text else 0, width, 3), BACKGROUND, np.uint8)
    if text:
        pen.write(line, pen.fit(text, width - 4 * GAP), 2 * GAP, 0, TEXT_COLOUR)
    return line


def _row(pixels: Pixels, columns: int, width: int, full: int) -> Pixels:
    picks = np.linspace(0, len(pixels) - 1, min(columns, len(pixels))).round().astype(int)
    height = max(1, round(width * pixels.shape[1] / pixels.shape[2]))
    method = cv2.INTER_AREA if width < pixels.shape[2] else cv2.INTER_CUBIC
    row = np.full((height + GAP, full, 3), BACKGROUND, np.uint8)
    for column, pick in enumerate(picks):
        left = GAP + column * (width + GAP)
        row[GAP:, left : left + width] = cv2.resize(pixels[pick], (width, height), interpolation=method)
    return row


def save_image(path: Path, pixels: Pixels, made_by: str | None = None) -> None:
    """Write (H, W, 3) pixels as a PNG or JPEG, as the ending of the name says.

    Args:
        made_by: what made them, where no camera did; the file then says that they were generated.

    Raises:
        OutputError: the ending is another, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise OutputError(f"cannot write {path}: give a name that ends in .png, .jpg or .jpeg")
    _, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    written = data.tobytes() if made_by is None else embed_comment(data.tobytes(), provenance_text(made_by))
    with atomic_write(path) as temporary:
        temporary.write_bytes(written)
