"""The page of an explanation: the clip with switchable heat over it, curves in step, and how far to trust it all."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kinoscope.core.addresses import short_name
from kinoscope.core.explanation import MAX_SANE_CORRELATION, Explanation, Heatmap
from kinoscope.core.files import atomic_write
from kinoscope.core.media import Pixels
from kinoscope.views.pages.page import compose
from kinoscope.views.video.heatmap import colormap

SCRIPTS = ("player", "graph", "trust", "main")
"""As ``compose`` takes them."""
JPEG_QUALITY = 88
"""Of the JPEG pictures, of 100."""
MAX_CLASSES = 10
"""Classes whose probability is shown, the likeliest first."""


def write_explanation(found: Explanation, pictures: Pixels, source: str, path: Path, windows: int = 1) -> None:
    """Write an explanation as one self-contained HTML page.

    Args:
        found: what was found.
        pictures: (T, H, W, 3), of the clip, as large as they are to be shown.
        source: the clip's name.
        path: the file to write.
        windows: how many windows of a longer video were looked at to find this one.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(found, pictures, source, windows), encoding="utf-8")


def render(found: Explanation, pictures: Pixels, source: str, windows: int = 1) -> str:
    """Give the page as text."""
    data = found.to_dict() | {
        "source": short_name(source),
        "windows": windows,
        "alike": MAX_SANE_CORRELATION,
        "classes": dict(list(found.to_dict()["probabilities"].items())[:MAX_CLASSES]),
        "palette": colormap().ravel().tolist(),
        "images": [_encode(picture, ".jpg") for picture in pictures],
        "heat": {name: _heatmap_column(heat) for name, heat in found.maps.items()},
        "heat_size": [pictures.shape[2], pictures.shape[1]],
    }
    return compose("explanation", SCRIPTS, f"{found.label} in {short_name(source)}", data, column=True)


def _heatmap_column(heat: Heatmap) -> dict[str, Any]:
    """Give heat (T, H, W) as one grey picture, (T * H, W), with 255 at the hottest place."""
    count, height, width = heat.shape
    grey = (255 * heat.clip(0, 1)).round().astype(np.uint8).reshape(count * height, width)
    return {"width": width, "height": height, "png": _encode(grey, ".png")}


def _encode(pixels: Pixels, suffix: str) -> str:
    turned = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(suffix, turned, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else [])
    return base64.b64encode(data.tobytes()).decode()
