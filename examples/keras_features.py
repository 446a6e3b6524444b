"""Extract features of video frames with a CNN in Keras, and evaluate them.

    pip install 'kinoscope[keras]'
    python examples/keras_features.py [VIDEO]

A convolutional network maps a frame of many thousand numbers to a short vector of features. Here a small Keras CNN is
trained, on nothing but the video itself, to predict the part of the video that a frame is from. Its penultimate layer
then yields the features of a frame, and features of frames of the same part are more similar than those of different
parts, which the last lines measure on held-out frames.

Keras 3 runs on PyTorch here; the same lines run on TensorFlow with KERAS_BACKEND=tensorflow.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras import layers

from kinoscope import open_source
from kinoscope.models.samples import sample

SIZE, PARTS = (64, 48), 4


def read(video: str) -> np.ndarray:
    """Read the frames of a video, resized: (N, H, W, 3) in [0, 1]."""
    with open_source(video or sample("bikes.mp4"), end=10) as source:
        return np.stack([frame.pixels(SIZE) for frame in source.lazy_frames()]).astype("float32") / 255


def build() -> keras.Model:
    """Build a CNN of three convolutions of stride 2, and global average pooling to 32 features."""
    frames = keras.Input((SIZE[1], SIZE[0], 3))
    x = frames
    for filters in (8, 16, 32):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    parts = layers.Dense(PARTS, activation="softmax")(features)
    return keras.Model(frames, parts)


def similarity(features: np.ndarray, parts: np.ndarray) -> tuple[float, float]:
    """Return the mean cosine similarity of features of the same part, and of different parts."""
    centred = features - features.mean(0)
    unit = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9)
    cosines, same = unit @ unit.T, parts[:, None] == parts
    np.fill_diagonal(same, False)
    return float(cosines[same].mean()), float(cosines[parts[:, None] != parts].mean())


def main(video: str = "") -> None:
    keras.utils.set_random_seed(0)
    frames = read(video)
    parts = np.arange(len(frames)) * PARTS // len(frames)
    learned = np.arange(len(frames)) % 2 == 0  # every second frame is held out
    model = build()
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(frames[learned], parts[learned], batch_size=16, epochs=15, verbose=0)
    extractor = keras.Model(model.input, model.get_layer("features").output)
    features = extractor.predict(frames[~learned], verbose=0)
    same, other = similarity(features, parts[~learned])
    accuracy = float(model.evaluate(frames[~learned], parts[~learned], verbose=0)[1])
    print(f"{len(features)} held-out frames -> features of length {features.shape[1]}")
    print(f"accuracy of the part of the video: {100 * accuracy:.0f} % (chance {100 / PARTS:.0f} %)")
    print(f"cosine similarity of features: {same:.2f} within a part, {other:.2f} across parts")


if __name__ == "__main__":
    main(*sys.argv[1:])
