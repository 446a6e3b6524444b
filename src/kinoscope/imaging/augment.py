"""Video augmentation: random geometric and colour transforms of training clips.

One sampled transform holds for a whole clip: its frames are cropped, rotated and coloured alike, and only another clip,
or another epoch, gets another one. All geometry is one affine matrix, so that each frame is warped once, and points and
boxes go through the same matrix. All colour changes are one more.

Coordinates are continuous: a frame of width W reaches from 0 to W, and its first pixel's centre is at 0.5.

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
"""Weight of red, green and blue in luma, ITU-R BT.601."""

Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Augmentation strengths. Each value that says "off" disables its transform."""

    crop: float = 0.5
    """Minimum share of the frame's area that is kept, 0 to 1; 1 is off."""
    aspect: float = 1.25
    """Maximum change of the crop's aspect ratio relative to the frame's, as a factor; 1 is off."""
    crop_position: Literal["random", "centre", "corners"] = "random"
    """Position of the crop: anywhere, in the middle, or in one of the four corners."""
    rotate: float = 5.0
    """Maximum rotation in degrees, to either side; 0 is off."""
    scale: float = 1.0
    """Maximum factor of enlargement or reduction, besides the crop; 1 is off."""
    flip: float = 0.5
    """Share of clips that are mirrored, 0 to 1. Set it to 0 where left and right matter."""
    brightness: float = 0.3
    """Maximum relative change of brightness, 0 to 1."""
    contrast: float = 0.3
    """Maximum relative change of contrast, 0 to 1."""
    saturation: float = 0.3
    """Maximum relative change of saturation, 0 to 1."""
    hue: float = 10.0
    """Maximum hue rotation in degrees, to either side, 0 to 180."""
    gray: float = 0.1
    """Share of clips converted to greyscale, 0 to 1."""
    blur: float = 0.0
    """Maximum standard deviation of a Gaussian blur in pixels; half of the clips are blurred; 0 is off."""
    noise: float = 0.0
    """Maximum standard deviation of noise in grey levels, different in each frame; 0 is off."""
    erase: float = 0.0
    """Share of clips in which a rectangle is erased, 0 to 1."""
    reverse: float = 0.0
    """Share of clips that are played backwards, 0 to 1."""
    stride: float = 1.0
    """Maximum factor of the playback speed, faster or slower, 1 to 2; 1 is off."""
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
        if self.crop_position not in ("random", "centre", "corners"):
            raise OptionError(f"crop_position={self.crop_position} is unknown; choose random, centre or corners")

    @classmethod
    def off(cls, **options: float | str) -> Augment:
        """Return an Augment in which everything but ``options`` is off."""
        neutral = {"crop": 1.0, "aspect": 1.0, "scale": 1.0, "stride": 1.0, "crop_position": "random"}
        zeros = {field.name: 0.0 for field in fields(cls)}
        return cls(**(zeros | neutral | options))  # type: ignore[arg-type]

    @property
    def mixes(self) -> bool:
        """Whether a clip is mixed with another."""
        return self.mixup > 0 or self.cutmix > 0


@dataclass(frozen=True, slots=True, eq=False)
class ClipTransform:
    """The transform of all frames of one clip.

    Attributes:
        size: (width, height) of the output frames.
        matrix: (2, 3) float64, from a point in the input frame to the point in the output frame.
        colour: (3, 4) float64, from red, green, blue and one to red, green and blue.
        blur: standard deviation in pixels; 0 for none.
        noise: standard deviation in grey levels; 0 for none.
        hole: rectangle that is erased, or None; ``paint`` is its colour.
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
        """Return the transformed frames, (T, h, w, 3) from (T, H, W, 3)."""
        out = warp(pixels, self.matrix, self.size)
        if not np.array_equal(self.colour, np.eye(3, 4)):
            out = apply_colour_matrix(out, self.colour)
        if self.blur:
            for frame in out:
                cv2.GaussianBlur(frame, (0, 0), self.blur, dst=frame)
        if self.hole:
            left, top, right, bottom = self.hole
            out[:, top:bottom, left:right] = self.paint
        return add_noise(out, self.noise, self.seed) if self.noise else out

    def points(self, points: Float64Array) -> Float64Array:
        """Return the transformed points (N, 2), x and y."""
        return transform_points(points, self.matrix)

    def boxes(self, boxes: Float64Array) -> Float64Array:
        """Return the bounding boxes (N, 4) of the transformed boxes, clipped to the frame."""
        return transform_boxes(boxes, self.matrix, self.size)


def sample_transform(augment: Augment, source: Size, size: Size, rng: np.random.Generator) -> ClipTransform:
    """Sample the transform of one clip whose frames are of size ``source`` and whose output is of ``size``."""
    # Every transform draws its numbers whether or not it is on: switching one off leaves the others unchanged.
    matrix = _geometry(augment, source, size, rng)
    colour = _colours(augment, rng)
    blur_draw, sigma, noise, erase_draw = rng.random(4)
    hole, paint = _hole(size, rng), rng.integers(0, 256, 3).tolist()
    return ClipTransform(
        size, matrix, colour,
        blur=augment.blur * sigma if blur_draw < 0.5 else 0.0,
        noise=augment.noise * noise,
        hole=hole if erase_draw < augment.erase else None,
        paint=(paint[0], paint[1], paint[2]),
        seed=int(rng.integers(2**63)),
    )  # fmt: skip


def _geometry(augment: Augment, source: Size, size: Size, rng: np.random.Generator) -> Float64Array:
    """Return the affine matrix that rotates, scales and mirrors about the middle of a crop, which fills the output."""
    area, shape, zoom, turn, flip = rng.random(5)
    area_share = augment.crop + (1 - augment.crop) * area
    aspect = augment.aspect ** (2 * shape - 1)
    # A side of the crop is at most the frame's.
    sides = np.minimum(np.sqrt([area_share * aspect, area_share / aspect]), 1.0)
    middle = sides / 2 + (1 - sides) * _sample_crop_position(augment.crop_position, rng)
    angle, zoom_factor = augment.rotate * (2 * turn - 1), augment.scale ** (2 * zoom - 1)
    centre = translation(*-middle * source)
    fill = scaling(*(np.array(size) / (sides * source)))
    mirror = scaling(-1 if flip < augment.flip else 1, 1)
    return (
        translation(*np.array(size) / 2) @ fill @ mirror @ rotation(angle) @ scaling(zoom_factor, zoom_factor) @ centre
    )[:2]


def _sample_crop_position(crop_position: str, rng: np.random.Generator) -> Float64Array:
    """Return the position of the crop within its free space: x and y, (0, 0) at the upper left, (1, 1) opposite."""
    position = rng.random(2)
    if crop_position == "centre":
        return np.array([0.5, 0.5])
    return position.round() if crop_position == "corners" else position


def translation(x: float, y: float) -> Float64Array:
    """Return the (3, 3) translation by x and y."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)


def scaling(x: float, y: float) -> Float64Array:
    """Return the (3, 3) scaling by x and y."""
    return np.diag([x, y, 1.0])


def rotation(degrees: float) -> Float64Array:
    """Return the (3, 3) rotation, counter-clockwise on screen, where y points down."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def _colours(augment: Augment, rng: np.random.Generator) -> Float64Array:
    """Return one (3, 4) matrix for brightness, contrast, saturation, hue and greyscale.

    All of them are affine in red, green and blue: hue rotates about the axis of the greys, the others move along it or
    towards it. Contrast is about the middle grey.
    """
    brightness, contrast, saturation = 2 * rng.random(3) - 1
    hue, gray = rng.random(2)
    grey = np.tile(LUMA, (3, 1))
    saturation_factor = 0.0 if gray < augment.gray else 1 + augment.saturation * saturation
    colour = grey + saturation_factor * (_hue(augment.hue * (2 * hue - 1)) - grey)
    strength = 1 + augment.contrast * contrast
    light = 1 + augment.brightness * brightness
    return np.hstack([light * strength * colour, np.full((3, 1), light * 127.5 * (1 - strength))])


def _hue(degrees: float) -> Float64Array:
    """Return the (3, 3) matrix that rotates colours about the axis of the greys and keeps their luma."""
    if not degrees:
        return np.eye(3)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    # The two axes of colour difference (I and Q of NTSC) rotate; luma stays.
    axes = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    rotated: Float64Array = np.linalg.inv(axes) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ axes
    return rotated


def _hole(size: Size, rng: np.random.Generator) -> Rect:
    """Return a rectangle of a tenth to a third of the area, with an aspect ratio of up to 2 either way."""
    area, shape, x, y = rng.random(4)
    share, aspect = 0.1 + 0.23 * area, 2 ** (2 * shape - 1)
    width = min(size[0], round(size[0] * float(np.sqrt(share * aspect))))
    height = min(size[1], round(size[1] * float(np.sqrt(share / aspect))))
    left, top = int(x * (size[0] - width + 1)), int(y * (size[1] - height + 1))
    return left, top, left + width, top + height


def warp(pixels: Pixels, matrix: Float64Array, size: Size) -> Pixels:
    """Warp each of (T, H, W, 3) frames once, into (T, h, w, 3) of ``size``; beyond the borders they are reflected."""
    out = np.empty((len(pixels), size[1], size[0], 3), np.uint8)
    # OpenCV's coordinates start at the centre of the first pixel.
    half = translation(0.5, 0.5)
    pixel_matrix = (np.linalg.inv(half) @ np.vstack([matrix, [0, 0, 1]]) @ half)[:2]
    for source, output in zip(pixels, out, strict=True):
        cv2.warpAffine(source, pixel_matrix, size, output, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    return out


def resize_clip(pixels: Pixels, size: Size) -> Pixels:
    """Resize whole frames (T, H, W, 3) to ``size`` without cropping: the input of a trained network at inference."""
    height, width = pixels.shape[1:3]
    if (width, height) == size:
        return pixels
    shrinks = size[0] <= width and size[1] <= height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    out = np.empty((len(pixels), size[1], size[0], 3), np.uint8)
    for source, output in zip(pixels, out, strict=True):
        cv2.resize(source, size, output, interpolation=method)
    return out


def apply_colour_matrix(pixels: Pixels, colour: Float64Array) -> Pixels:
    """Apply a (3, 4) matrix to the colours of (T, H, W, 3) frames, rounded and clipped to [0, 255]."""
    frames, height, width, _ = pixels.shape
    transformed = cv2.transform(pixels.reshape(frames * height, width, 3), colour)
    return np.asarray(transformed, np.uint8).reshape(pixels.shape)


def add_noise(pixels: Pixels, deviation: float, seed: int) -> Pixels:
    """Add noise, different in each frame, to (T, H, W, 3) frames in place."""
    rng = np.random.default_rng(seed)
    frames, height, width, _ = pixels.shape
    # One field of noise, of which each frame gets another part: as good as new noise, and much faster.
    field = np.rint(rng.standard_normal((height + 32, width + 32, 3), np.float32) * deviation).astype(np.int16)
    for frame, (x, y) in zip(pixels, rng.integers(0, 33, (frames, 2)), strict=True):
        cv2.add(frame, field[y : y + height, x : x + width], frame, dtype=cv2.CV_8U)
    return pixels


def transform_points(points: Float64Array, matrix: Float64Array) -> Float64Array:
    """Apply a (2, 3) matrix to points (N, 2), x and y."""
    return np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]


def transform_boxes(boxes: Float64Array, matrix: Float64Array, size: Size) -> Float64Array:
    """Return the bounding boxes (N, 4) of boxes after a (2, 3) matrix, clipped to ``size``.

    A box that falls outside has no area left.
    """
    corners = np.asarray(boxes, float).reshape(-1, 4)[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    transformed = corners @ matrix[:, :2].T + matrix[:, 2]
    limits = np.array(size, float)
    return np.hstack([transformed.min(1).clip(0, limits), transformed.max(1).clip(0, limits)])


@dataclass(frozen=True, slots=True)
class ClipMix:
    """Parameters of mixing one clip with another.

    Attributes:
        share: weight of the clip itself, 0 to 1.
        patch: the rectangle in which the other is pasted; None blends the two everywhere.
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
        """Mix the targets (K,) in the same proportion."""
        share = np.float32(self.share)
        return np.asarray(share * targets + (1 - share) * other, np.float32)


def sample_mix(augment: Augment, size: Size, rng: np.random.Generator) -> ClipMix:
    """Sample how a clip is mixed with another; where mixup and cutmix are both on, each is equally likely."""
    which, x, y = rng.random(3)
    if augment.cutmix > 0 and (augment.mixup == 0 or which < 0.5):
        area_share = rng.beta(augment.cutmix, augment.cutmix)
        width, height = (round(side * float(np.sqrt(1 - area_share))) for side in size)
        left, top = int(x * (size[0] - width + 1)), int(y * (size[1] - height + 1))
        share = 1 - width * height / (size[0] * size[1])
        return ClipMix(share, (left, top, left + width, top + height))
    return ClipMix(float(rng.beta(augment.mixup, augment.mixup)) if augment.mixup > 0 else 1.0)
