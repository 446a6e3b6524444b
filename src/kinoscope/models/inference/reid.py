"""Appearance embeddings of persons and objects for re-identification.

Two halves, each of length 1: EfficientNet-Lite0's pooled feature (an ImageNet feature discriminates categories and
shapes well, and persons badly), and a histogram of the colours from top to bottom, which discriminates clothes. The
latter is a histogram of hue and saturation in horizontal stripes, as Gray and Tao, "Viewpoint Invariant Pedestrian
Recognition with an Ensemble of Localized Features", ECCV 2008, divide persons into stripes.
"""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.models import load

STRIPES = 6
HUES, SATURATIONS, GREYS = 12, 3, 8
"""Bins of the histogram of each stripe: hue and saturation of colours, brightness of dark and grey pixels."""
MIN_SATURATION, MIN_VALUE = 48, 40
"""Minimum saturation and value, of 255, of a pixel whose hue is used."""
HISTOGRAM_HEIGHT = 96
"""Height in pixels of the crop from which the histograms are computed; half as wide."""
SIDE_MARGIN = 0.1
"""Share of the width ignored on each side, which is mostly background."""
COLOUR_SHARE = 0.3
"""Share of the colours in the squared length of an embedding."""

VERSION = "stripes-1"
"""Changes with all of the above: embeddings of different versions are not comparable."""


class AppearanceEmbedder:
    """An embedder of crops of persons and objects; embeddings have length 1.

    Attributes:
        digest: identifies the weights and the colour description.
        length: D of the embeddings.
    """

    length = 1280 + STRIPES * (HUES * SATURATIONS + GREYS)

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("scenes", model, device, threads=threads)
        self.card = self.runner.card

    @property
    def digest(self) -> str:
        """Identifier of everything that determines the embeddings."""
        return f"{self.card.digest}-{VERSION}"

    @property
    def name(self) -> str:
        """The card's name and the version of the colour description."""
        return f"{self.card.name}, {VERSION}"

    def __call__(self, crops: list[Pixels]) -> Float32Array:
        """Embed crops, each (H, W, C) RGB of any size: (N, D), each of length 1."""
        rows = [self._embed(crop) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, self.length), np.float32)

    def _embed(self, crop: Pixels) -> Float32Array:
        import cv2

        size = self.card.size or (224, 224)
        square = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        feature = self.runner(square[None])[0][0]
        parts = _unit(feature) * np.sqrt(1 - COLOUR_SHARE), _unit(colour_histogram(crop)) * np.sqrt(COLOUR_SHARE)
        return np.concatenate(parts).astype(np.float32)


def colour_histogram(crop: Pixels) -> Float32Array:
    """Return the colour histograms of a crop (H, W, C) RGB from top to bottom: (D,) square roots of pixel shares."""
    import cv2

    margin = int(SIDE_MARGIN * crop.shape[1])
    inner = crop[:, margin : crop.shape[1] - margin]
    small = cv2.resize(inner, (HISTOGRAM_HEIGHT // 2, HISTOGRAM_HEIGHT), interpolation=cv2.INTER_AREA)
    hue, saturation, value = np.moveaxis(cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.int64), 2, 0)
    # The hue of dark or grey pixels is noise.
    coloured = (saturation >= MIN_SATURATION) & (value >= MIN_VALUE)
    chroma = (hue * HUES // 180) * SATURATIONS + (saturation - MIN_SATURATION) * SATURATIONS // (256 - MIN_SATURATION)
    bins = np.where(coloured, chroma, HUES * SATURATIONS + value * GREYS // 256)
    stripes = np.split(bins, STRIPES)
    shares = [np.bincount(stripe.ravel(), minlength=HUES * SATURATIONS + GREYS) / stripe.size for stripe in stripes]
    return np.sqrt(np.concatenate(shares)).astype(np.float32)


def _unit(vector: Float32Array) -> Float32Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def decode_jpeg(crop: bytes) -> Pixels:
    """Return the pixels (H, W, C) RGB of a JPEG file."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(crop, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None, "not a JPEG that kinoscope wrote"
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
