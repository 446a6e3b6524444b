"""The page of an explanation: the clip with selectable heatmaps, synchronized curves, and faithfulness checks."""

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
"""Of the JPEG images, 0 to 100."""
MAX_CLASSES = 10
"""Classes whose probability is shown, the most probable first."""


def write_explanation(explanation: Explanation, frames: Pixels, source: str, path: Path, windows: int = 1) -> None:
    """Write an explanation as one self-contained HTML page.

    Args:
        explanation: of the clip.
        frames: (T, H, W, 3) of the clip, at the size at which they are shown.
        source: name of the clip.
        path: the file to write.
        windows: number of windows of a longer video from which this one was selected.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as partial:
        partial.write_text(render(explanation, frames, source, windows), encoding="utf-8")


def render(explanation: Explanation, frames: Pixels, source: str, windows: int = 1) -> str:
    """Return the page as text."""
    plain = explanation.to_dict()
    data = plain | {
        "source": short_name(source),
        "windows": windows,
        "max_sane_correlation": MAX_SANE_CORRELATION,
        "classes": dict(list(plain["probabilities"].items())[:MAX_CLASSES]),
        "colormap": colormap().ravel().tolist(),
        "images": [_encode(frame, ".jpg") for frame in frames],
        "heatmaps": {name: _heatmap_column(maps) for name, maps in explanation.maps.items()},
        "frame_size": [frames.shape[2], frames.shape[1]],
    }
    return compose("explanation", SCRIPTS, f"{explanation.label} in {short_name(source)}", data, column=True)


def _heatmap_column(heatmaps: Heatmap) -> dict[str, Any]:
    """Return heatmaps (T, H, W) as one grey image (T * H, W), with 255 at the maximum."""
    count, height, width = heatmaps.shape
    grey = (255 * heatmaps.clip(0, 1)).round().astype(np.uint8).reshape(count * height, width)
    return {"width": width, "height": height, "png": _encode(grey, ".png")}


def _encode(pixels: Pixels, suffix: str) -> str:
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(suffix, bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else [])
    return base64.b64encode(data.tobytes()).decode()
