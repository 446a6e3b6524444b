"""What is done to the pictures of a clip so that a network learns what matters, and not what happens to be so.

One draw holds for a whole clip: its frames are cut, turned and coloured alike, and only another clip, or another epoch,
gets another draw. Everything geometric is one affine matrix, so that each frame is warped once, and points and boxes go
through the same matrix. Everything about colour is one more.

Coordinates are continuous: a picture of width W reaches from 0 to W, and its first pixel's centre is at 0.5.

Crops of random area and shape: Szegedy et al., "Going deeper with convolutions", CVPR 2015. Erasing: Zhong et al.,
"Random erasing data augmentation", AAAI 2020. mixup: Zhang et al., ICLR 2018. CutMix: Yun et al., ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import cv2
import numpy as np

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import OptionError
from kinoscope.core.media import Pixels, Size

LUMA = np.array([0.299, 0.587, 0.114])
"""Weight of red, green and blue in brightness, ITU-R BT.601."""

Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are the first outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How much clips are varied. Each value that says "off" leaves its kind out."""

    crop: float = 0.5
    """Smallest share of the picture's area that is kept, 0 to 1; 1 is off."""
    aspect: float = 1.25
    """How many times wider or narrower than the picture's own shape a crop may be; 1 is off."""
    place: Literal["random", "centre", "corners"] = "random"
    """Where the crop lies: anywhere, in the middle, or in one of the four corners."""
    rotate: float = 5.0
    """Most degrees of turning, to either side; 0 is off."""
    scale: float = 1.0
    """How many times larger or smaller things may become, besides the crop; 1 is off."""
    flip: float = 0.5
    """Share of clips that are mirrored, 0 to 1. Set it to 0 where left and right mean something."""
    brightness: float = 0.3
    """Most change of brightness, as a share of it, 0 to 1."""
    contrast: float = 0.3
    """Most change of contrast, as a share of it, 0 to 1."""
    saturation: float = 0.3
    """Most change of saturation, as a share of it, 0 to 1."""
    hue: float = 10.0
    """Most degrees of hue, to either side, 0 to 180."""
    gray: float = 0.1
    """Share of clips without colour, 0 to 1."""
    blur: float = 0.0
    """Largest standard deviation of a Gaussian blur in pixels; half of the clips are blurred; 0 is off."""
    noise: float = 0.0
    """Largest standard deviation of noise in grey levels, anew in each frame; 0 is off."""
    erase: float = 0.0
    """Share of clips in which a rectangle is painted over, 0 to 1."""
    reverse: float = 0.0
    """Share of clips that are played backwards, 0 to 1."""
    stride: float = 1.0
    """How many times faster or slower a clip may be played, 1 to 2; 1 is off."""
    mixup: float = 0.0
    """Alpha of the Beta distribution of the shares in which two clips are blended; 0 is off."""
    cutmix: float = 0.0
    """Alpha of the Beta distribution of the area that stays when another clip is pasted in; 0 is off."""

    def __post_init__(self) -> None:
        shares = ("flip", "brightness", "contrast", "saturation", "gray", "erase", "reverse")
        limits = dict.fromkeys(shares, (0.0, 1.0)) | {
            "crop": (0.01, 1), "aspect": (1, 10), "scale": (1, 10), "rotate": (0, 180), "hue": (0, 180),
            "blur": (0, 100), "noise": (0, 255), "stride": (1, 2), "mixup": (0, 100), "cutmix": (0, 100),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise OptionError(f"{name}={getattr(self, name):g} is not possible; give {low:g} to {high:g}")
        if self.place not in ("random", "centre", "corners"):
            raise OptionError(f"place={self.place} is unknown; choose random, centre or corners")

    @classmethod
    def off(cls, **options: float | str) -> Augment:
        """Leave everything out but what ``options`` ask for."""
        still = {"crop": 1.0, "aspect": 1.0, "scale": 1.0, "stride": 1.0, "place": "random"}
        rest = {field.name: 0.0 for field in fields(cls)}
        return cls(**(rest | still | options))  # type: ignore[arg-type]

    @property
    def mixes(self) -> bool:
        """Whether a clip is given something of another."""
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True, slots=True, eq=False)
class ClipTransform:
    """What is done to all frames of one clip.

    Attributes:
        size: (width, height) of the pictures that come out.
        matrix: (2, 3) float64, from a place in the picture that goes in to its place in the one that comes out.
        colour: (3, 4) float64, from red, green, blue and one to red, green and blue.
        blur: standard deviation in pixels; 0 for none.
        noise: standard deviation in grey levels; 0 for none.
        hole: rectangle that is painted over, or None; ``paint`` is its colour.
        seed: of the noise.
    """

    size: Size
    matrix: Float64Array
    colour: Float64Array
    blur: float = 0.0
    noise: float = 0.0
    hole: Rect | None = None
    paint: tuple[int, int, int] = (0, 0, 0)
    seed: int = 0

    def __call__(self, pixels: Pixels) -> Pixels:
        """Give the (T, h, w, 3) pictures that become of (T, H, W, 3)."""
        out = warp(pixels, self.matrix, self.size)
        if not np.array_equal(self.colour, np.eye(3, 4)):
            out = apply_colour_matrix(out, self.colour)
        if self.blur:
            for picture in out:
                cv2.GaussianBlur(picture, (0, 0), self.blur, dst=picture)
        if self.hole:
            left, top, right, bottom = self.hole
            out[:, top:bottom, left:right] = self.paint
        return add_noise(out, self.noise, self.seed) if self.noise else out

    def points(self, points: Float64Array) -> Float64Array:
        """Give where points (N, 2), of x and y, come to lie."""
        return transform_points(points, self.matrix)

    def boxes(self, boxes: Float64Array) -> Float64Array:
        """Give the boxes (N, 4) around where boxes come to lie, cut at the edges of the picture."""
        return transform_boxes(boxes, self.matrix, self.size)


def sample_transform(augment: Augment, source: Size, size: Size, generator: np.random.Generator) -> ClipTransform:
    """Draw what is done to one clip whose pictures are of size ``source`` and come out in ``size``."""
    # Every kind draws its numbers whether or not it is on: switching one off leaves the others as they were.
    matrix = _geometry(augment, source, size, generator)
    colour = _colours(augment, generator)
    blurred, sigma, noise, erased = generator.random(4)
    hole, paint = _hole(size, generator), generator.integers(0, 256, 3).tolist()
    return ClipTransform(
        size, matrix, colour,
        blur=augment.blur * sigma if blurred < 0.5 else 0.0,
        noise=augment.noise * noise,
        hole=hole if erased < augment.erase else None,
        paint=(paint[0], paint[1], paint[2]),
        seed=int(generator.integers(2**63)),
    )  # fmt: skip


def _geometry(augment: Augment, source: Size, size: Size, generator: np.random.Generator) -> Float64Array:
    """Turn, scale and mirror the picture about the middle of a crop, which fills the picture that comes out."""
    area, shape, zoom, turn, flip = generator.random(5)
    share = augment.crop + (1 - augment.crop) * area
    wide = augment.aspect ** (2 * shape - 1)
    # A side of the crop is at most the picture's.
    sides = np.minimum(np.sqrt([share * wide, share / wide]), 1.0)
    middle = sides / 2 + (1 - sides) * _corner(augment.place, generator)
    angle, times = augment.rotate * (2 * turn - 1), augment.scale ** (2 * zoom - 1)
    about = translation(*-middle * source)
    fill = scaling(*(np.array(size) / (sides * source)))
    mirror = scaling(-1 if flip < augment.flip else 1, 1)
    return (translation(*np.array(size) / 2) @ fill @ mirror @ rotation(angle) @ scaling(times, times) @ about)[:2]


def _corner(place: str, generator: np.random.Generator) -> Float64Array:
    """Give where the crop lies in the room that it leaves: x and y, (0, 0) at the upper left, (1, 1) opposite."""
    drawn = generator.random(2)
    if place == "centre":
        return np.array([0.5, 0.5])
    return drawn.round() if place == "corners" else drawn


def translation(x: float, y: float) -> Float64Array:
    """Give the (3, 3) matrix that moves by x and y."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def scaling(x: float, y: float) -> Float64Array:
    """Give the (3, 3) matrix that stretches by x and y."""
    return np.diag([x, y, 1.0])


def rotation(degrees: float) -> Float64Array:
    """Give the (3, 3) matrix that turns counter-clockwise, as it looks where y points down."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def _colours(augment: Augment, generator: np.random.Generator) -> Float64Array:
    """Give one (3, 4) matrix for brightness, contrast, saturation, hue and colourless clips.

    All of them are affine in red, green and blue: hue turns about the axis of the greys, the others move along it or
    towards it. Contrast is about the middle grey.
    """
    bright, contrast, saturation = 2 * generator.random(3) - 1
    hue, gray = generator.random(2)
    grey = np.tile(LUMA, (3, 1))
    vivid = 0.0 if gray < augment.gray else 1 + augment.saturation * saturation
    colour = grey + vivid * (_hue(augment.hue * (2 * hue - 1)) - grey)
    strength = 1 + augment.contrast * contrast
    light = 1 + augment.brightness * bright
    return np.hstack([light * strength * colour, np.full((3, 1), light * 127.5 * (1 - strength))])


def _hue(degrees: float) -> Float64Array:
    """Give the (3, 3) matrix that turns colours about the axis of the greys and keeps their luma."""
    if not degrees:
        return np.eye(3)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    # Two axes of colour difference (the I and Q of NTSC) turn; luma stays.
    axes = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    turned: Float64Array = np.linalg.inv(axes) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ axes
    return turned


def _hole(size: Size, generator: np.random.Generator) -> Rect:
    """Give a rectangle of a tenth to a third of the area, up to twice as wide as high or the other way."""
    area, shape, x, y = generator.random(4)
    share, wide = 0.1 + 0.23 * area, 2 ** (2 * shape - 1)
    width = min(size[0], round(size[0] * float(np.sqrt(share * wide))))
    height = min(size[1], round(size[1] * float(np.sqrt(share / wide))))
    left, top = int(x * (size[0] - width + 1)), int(y * (size[1] - height + 1))
    return left, top, left + width, top + height


def warp(pixels: Pixels, matrix: Float64Array, size: Size) -> Pixels:
    """Warp each of (T, H, W, 3) pictures once, into (T, h, w, 3) of ``size``; beyond the edges they are mirrored."""
    out = np.empty((len(pixels), size[1], size[0], 3), np.uint8)
    # OpenCV counts from the centre of the first pixel.
    half = translation(0.5, 0.5)
    centred = (np.linalg.inv(half) @ np.vstack([matrix, [0, 0, 1]]) @ half)[:2]
    for source, picture in zip(pixels, out, strict=True):
        cv2.warpAffine(source, centred, size, picture, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    return out


def resize_clip(pixels: Pixels, size: Size) -> Pixels:
    """Give the whole pictures (T, H, W, 3) stretched to ``size``: what a trained network is shown later."""
    height, width = pixels.shape[1:3]
    if (width, height) == size:
        return pixels
    shrinks = size[0] <= width and size[1] <= height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    out = np.empty((len(pixels), size[1], size[0], 3), np.uint8)
    for source, picture in zip(pixels, out, strict=True):
        cv2.resize(source, size, picture, interpolation=method)
    return out


def apply_colour_matrix(pixels: Pixels, colour: Float64Array) -> Pixels:
    """Put the colours of (T, H, W, 3) pictures through a (3, 4) matrix, rounded and kept within [0, 255]."""
    frames, height, width, _ = pixels.shape
    changed = cv2.transform(pixels.reshape(frames * height, width, 3), colour)
    return np.asarray(changed, np.uint8).reshape(pixels.shape)


def add_noise(pixels: Pixels, deviation: float, seed: int) -> Pixels:
    """Add noise, other in each frame, to (T, H, W, 3) pictures in place."""
    generator = np.random.default_rng(seed)
    frames, height, width, _ = pixels.shape
    # One field of noise, of which each frame is given another part: as good as new, and much faster.
    field = np.rint(generator.standard_normal((height + 32, width + 32, 3), np.float32) * deviation).astype(np.int16)
    for picture, (x, y) in zip(pixels, generator.integers(0, 33, (frames, 2)), strict=True):
        cv2.add(picture, field[y : y + height, x : x + width], picture, dtype=cv2.CV_8U)
    return pixels


def transform_points(points: Float64Array, matrix: Float64Array) -> Float64Array:
    """Put points (N, 2), of x and y, through a (2, 3) matrix."""
    return np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]


def transform_boxes(boxes: Float64Array, matrix: Float64Array, size: Size) -> Float64Array:
    """Give the boxes (N, 4) around the corners of boxes put through a (2, 3) matrix, cut at the edges of ``size``.

    A box that comes to lie outside has no area left.
    """
    corners = np.asarray(boxes, float).reshape(-1, 4)[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    carried = corners @ matrix[:, :2].T + matrix[:, 2]
    limits = np.array(size, float)
    return np.hstack([carried.min(1).clip(0, limits), carried.max(1).clip(0, limits)])


@dataclass(frozen=True, slots=True)
class ClipMix:
    """What one clip is given of another.

    Attributes:
        share: how much of its own a clip keeps, 0 to 1.
        patch: the rectangle in which the other is seen; None blends the two all over.
    """

    share: float = 1.0
    patch: Rect | None = None

    def __call__(self, pixels: Pixels, other: Pixels) -> Pixels:
        """Mix two clips (T, H, W, 3)."""
        if self.patch is None:
            frames, height, width, _ = pixels.shape
            flat = frames * height, width, 3
            mixed = cv2.addWeighted(pixels.reshape(flat), self.share, other.reshape(flat), 1 - self.share, 0)
            return np.asarray(mixed, np.uint8).reshape(pixels.shape)
        left, top, right, bottom = self.patch
        mixed = pixels.copy()
        mixed[:, top:bottom, left:right] = other[:, top:bottom, left:right]
        return mixed

    def targets(self, targets: Float32Array, other: Float32Array) -> Float32Array:
        """Mix the targets (K,) in the same shares."""
        share = np.float32(self.share)
        return np.asarray(share * targets + (1 - share) * other, np.float32)


def sample_mix(augment: Augment, size: Size, generator: np.random.Generator) -> ClipMix:
    """Draw how a clip is mixed with another; where both ways are on, each comes as often."""
    which, x, y = generator.random(3)
    if augment.cutmix > 0 and (augment.mixup == 0 or which < 0.5):
        keep = generator.beta(augment.cutmix, augment.cutmix)
        width, height = (round(side * float(np.sqrt(1 - keep))) for side in size)
        left, top = int(x * (size[0] - width + 1)), int(y * (size[1] - height + 1))
        kept = 1 - width * height / (size[0] * size[1])
        return ClipMix(kept, (left, top, left + width, top + height))
    return ClipMix(float(generator.beta(augment.mixup, augment.mixup)) if augment.mixup > 0 else 1.0)
