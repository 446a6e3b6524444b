"""Drawn people: coloured squares that stand for faces, and a detector and an embedder in place of the networks."""

from types import SimpleNamespace

import cv2
import numpy as np

from kinoscope.models.inference.faces import TEMPLATE
from kinoscope.models.inference.faces import FaceDetections as Found

PEOPLE = {"ann": (220, 60, 60), "bob": (60, 220, 60), "eve": (60, 60, 220)}
SIZE, FACE = (320, 240), 60

ANN, BOB = {"ann": (40, 80)}, {"bob": (200, 90)}
"""Person -> where she or he is drawn, for ``draw``."""


class ColourFinder:
    """A detector of the coloured squares that stand for faces; unexpected ones are found on a search only."""

    def __init__(self, *_):
        self.searches = []

    def __call__(self, picture, shown, expected=None, search=True):
        self.searches.append(search)
        rows = [box for colour in PEOPLE.values() for box in self.squares(picture, colour)]
        boxes = np.array(rows, np.float64).reshape(-1, 4) * shown[0] / picture.shape[1]
        boxes = np.array([box for box in boxes if search or self.is_near(box, expected)]).reshape(-1, 4)
        points = boxes[:, None, :2] + TEMPLATE / 150 * (boxes[:, 2:] - boxes[:, :2])[:, None, :]
        return Found(boxes, np.full(len(boxes), 0.999), points)

    def squares(self, picture, colour):
        mask = (np.abs(picture.astype(int) - colour).max(axis=2) < 40).astype(np.uint8)
        _, _, found, _ = cv2.connectedComponentsWithStats(mask)
        return [(x, y, x + w, y + h) for x, y, w, h, area in found[1:] if area > 100]

    def is_near(self, box, expected):
        return any(np.abs(box - other).max() < FACE / 2 for other in expected)


class ColourEmbedder:
    """An embedder of a face as its mean colour: people are about one apart."""

    card = SimpleNamespace(name="colours", licence="MIT", digest="c0ffee")
    runner = SimpleNamespace(card=card, runtime="fake")

    def __init__(self, *_, **__):
        self.embedded = []

    def __call__(self, chips):
        self.embedded.append(len(chips))
        return np.pad(chips.mean((1, 2)) / 255, ((0, 0), (0, 125))).astype(np.float32)


def draw(people, background=40):
    """Draw people at (x, y); their squares are grained, so that they are sharp."""
    picture = np.full((SIZE[1], SIZE[0], 3), background, np.uint8)
    grain = np.random.default_rng(0).integers(-20, 20, (FACE, FACE, 1))
    for name, (x, y) in people.items():
        picture[y : y + FACE, x : x + FACE] = np.array(PEOPLE[name]) + grain
    return picture
