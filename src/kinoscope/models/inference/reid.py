"""How persons and things look: an embedding by which two pictures of the same lie close together.

Two halves, each of length 1: what it is, EfficientNet-Lite0's pooled feature (an ImageNet feature tells kinds and
shapes well, and one person from another badly), and its colours from top to bottom, which tell shirts and trousers. The
latter is a histogram of hue and saturation in horizontal stripes, as Gray and Tao, "Viewpoint Invariant Pedestrian
Recognition with an Ensemble of Localized Features", ECCV 2008, cut persons into stripes.
"""

from __future__ import annotations

import numpy as np

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Pixels
from kinoscope.models import load

STRIPES = 6
HUES, SATURATIONS, GREYS = 12, 3, 8
"""Bins of the histogram of each stripe: colours are told by hue and saturation, what is dark or grey by brightness."""
MIN_SATURATION, MIN_VALUE = 48, 40
"""Saturation and value, of 255, under which the hue is not told."""
HISTOGRAM_HEIGHT = 96
"""Height in pixels of the picture of which the histograms are made; half as wide."""
SIDE_MARGIN = 0.1
"""Share of the width left out on each side, where there is more of the background."""
COLOUR_SHARE = 0.3
"""Share of the colours in the squared length of an embedding."""

VERSION = "stripes-1"
"""Changes with all the above: embeddings of another version cannot be compared."""


class AppearanceEmbedder:
    """Give pictures of persons and things embeddings of length 1.

    Attributes:
        digest: stands for the weights and for how the colours are described.
        length: D of the embeddings.
    """

    length = 1280 + STRIPES * (HUES * SATURATIONS + GREYS)

    def __init__(self, model: str = "auto", device: str = "auto", threads: int | None = 1) -> None:
        self.runner = load("scenes", model, device, threads=threads)
        self.card = self.runner.card

    @property
    def digest(self) -> str:
        """What stands for all that makes the embeddings."""
        return f"{self.card.digest}-{VERSION}"

    @property
    def name(self) -> str:
        """The card's name and what goes beside it."""
        return f"{self.card.name}, {VERSION}"

    def __call__(self, pictures: list[Pixels]) -> Float32Array:
        """Embed pictures, each (H, W, C) RGB of any size: (N, D), each of length 1."""
        rows = [self._embed(picture) for picture in pictures]
        return np.stack(rows) if rows else np.zeros((0, self.length), np.float32)

    def _embed(self, picture: Pixels) -> Float32Array:
        import cv2

        size = self.card.size or (224, 224)
        square = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        feature = self.runner(square[None])[0][0]
        parts = _unit(feature) * np.sqrt(1 - COLOUR_SHARE), _unit(colour_histogram(picture)) * np.sqrt(COLOUR_SHARE)
        return np.concatenate(parts).astype(np.float32)


def colour_histogram(picture: Pixels) -> Float32Array:
    """Describe the colours of a picture (H, W, C) RGB from top to bottom: (D,) square roots of shares of pixels."""
    import cv2

    aside = int(SIDE_MARGIN * picture.shape[1])
    inner = picture[:, aside : picture.shape[1] - aside]
    small = cv2.resize(inner, (HISTOGRAM_HEIGHT // 2, HISTOGRAM_HEIGHT), interpolation=cv2.INTER_AREA)
    hue, saturation, value = np.moveaxis(cv2.cvtColor(small, cv2.COLOR_RGB2HSV).astype(np.int64), 2, 0)
    # Of what is dark or grey, the hue is noise.
    coloured = (saturation >= MIN_SATURATION) & (value >= MIN_VALUE)
    chroma = (hue * HUES // 180) * SATURATIONS + (saturation - MIN_SATURATION) * SATURATIONS // (256 - MIN_SATURATION)
    bins = np.where(coloured, chroma, HUES * SATURATIONS + value * GREYS // 256)
    stripes = np.split(bins, STRIPES)
    shares = [np.bincount(stripe.ravel(), minlength=HUES * SATURATIONS + GREYS) / stripe.size for stripe in stripes]
    return np.sqrt(np.concatenate(shares)).astype(np.float32)


def _unit(vector: Float32Array) -> Float32Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def decode_jpeg(picture: bytes) -> Pixels:
    """Give the pixels (H, W, C) RGB of a JPEG file."""
    import cv2

    bgr = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None, "it is a picture that kinoscope made"
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
