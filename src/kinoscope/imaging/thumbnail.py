"""JPEG thumbnails of a part of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinoscope.core.media import Pixels


def thumbnail(
    pixels: Pixels, box: Sequence[float], margin: float = 0.15, max_side: int = 200, quality: int = 85
) -> bytes:
    """Crop a box from a frame and return it as a JPEG file.

    Args:
        pixels: (H, W, C) uint8, RGB.
        box: x1, y1, x2, y2 in pixels of that frame.
        margin: share of the box's longer side that is added around it, as far as the frame reaches.
        max_side: longer side of the result in pixels; a smaller crop keeps its size.
        quality: of the JPEG, 0 to 100.
    """
    import cv2

    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = box
    padding = margin * max(x2 - x1, y2 - y1)
    left, top = min(max(0, int(x1 - padding)), width - 1), min(max(0, int(y1 - padding)), height - 1)
    crop = pixels[top : max(top + 1, round(y2 + padding)), left : max(left + 1, round(x2 + padding))]
    scale = max_side / max(crop.shape[:2])
    if scale < 1:
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
