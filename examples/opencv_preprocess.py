"""Preprocess a video with OpenCV: crop, rotate and flip every frame, and write the result.

    python examples/opencv_preprocess.py [VIDEO] [OUT.mp4]

Cropping selects the relevant region, rotating levels the horizon (or augments the data), flipping doubles the data if
left and right have no meaning. All three are one matrix: a crop moves the origin, a rotation turns about the centre, a
flip mirrors the x axis. OpenCV then resamples every pixel only once.

Without VIDEO, a sample video of a street is downloaded.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from kinoscope import open_source
from kinoscope.core.media import Frame
from kinoscope.models.samples import sample
from kinoscope.source.encode.writer import Writer

CROP = 0.1
"""Share of the frame that is cropped at each edge."""

DEGREES = 5.0
"""Rotation, counterclockwise."""


def crop_matrix(width: int, height: int) -> np.ndarray:
    """Return the matrix that moves the corner of the crop to the origin, and scales it to the whole frame."""
    scale = 1 / (1 - 2 * CROP)
    return np.array([[scale, 0, -scale * CROP * width], [0, scale, -scale * CROP * height], [0, 0, 1]])


def rotation_matrix(width: int, height: int) -> np.ndarray:
    """Return the matrix of a rotation about the centre of the frame."""
    rotation = cv2.getRotationMatrix2D((width / 2, height / 2), DEGREES, 1.0)
    return np.vstack([rotation, [0, 0, 1]])


def flip_matrix(width: int) -> np.ndarray:
    """Return the matrix of a horizontal flip: the last column (width - 1) becomes the first (0)."""
    return np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])


def preprocess(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp a frame (H, W, 3) by a matrix; pixels from outside the frame repeat its edge."""
    height, width = pixels.shape[:2]
    return cv2.warpAffine(pixels, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def main(video: str = "", out: str = "preprocessed.mp4") -> None:
    with open_source(video or sample("bikes.mp4"), end=3) as source:
        width, height = source.info.size
        # Matrices are applied from the right: first the crop, then the rotation, then the flip.
        matrix = flip_matrix(width) @ rotation_matrix(width, height) @ crop_matrix(width, height)
        with Writer(out, (width, height), source.info.rate) as writer:
            count = 0
            for frame in source.frames():
                writer.write(Frame(preprocess(frame.pixels, matrix), frame.time, frame.index))
                count += 1
    print(f"{count} frames of {width}x{height}, cropped, rotated by {DEGREES:g} degrees and flipped: {Path(out)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
