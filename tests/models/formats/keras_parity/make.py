"""Make the golden files of the Keras parity test with real TensorFlow: a small CNN, trained, and its features.

make keras-parity        # in a virtual environment of its own; TensorFlow is no dependency of kinoscope
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

import keras
import numpy as np

HERE = Path(__file__).parent


def clips(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy images (N, 24, 32, 3) in 0..255 with a bright square in the upper (0) or lower (1) half."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 120, (count, 24, 32, 3)).astype(np.uint8)
    labels = generator.integers(0, 2, count)
    for picture, label in zip(pixels, labels, strict=True):
        top, left = generator.integers(0, 4) + 12 * label, generator.integers(0, 24)
        picture[top : top + 8, left : left + 8] = generator.integers(180, 255, 3)
    return pixels, labels


def main() -> None:
    keras.utils.set_random_seed(0)
    pictures = keras.Input((24, 32, 3))
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(pictures)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    maps = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    head = keras.layers.Dense(2)(keras.layers.Flatten()(maps))
    model = keras.Model(pictures, head)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    pixels, labels = clips(512, 0)
    history = model.fit(pixels / 255.0, labels, epochs=8, verbose=0)
    backbone = keras.Model(pictures, maps)
    backbone.save(HERE / "cnn.keras")
    test, _ = clips(4, 1)
    features = backbone(test / 255.0, training=False).numpy()
    np.savez_compressed(HERE / "features.npz", pixels=test, features=features)
    print(f"TensorFlow, accuracy {history.history['accuracy'][-1]:.2f}, features {features.shape}")


if __name__ == "__main__":
    main()
