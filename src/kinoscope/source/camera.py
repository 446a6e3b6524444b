"""Cameras of this machine, through Video4Linux."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from kinoscope.core.errors import SourceError
from kinoscope.source.decode.container import error_message
from kinoscope.source.video import VideoSource

CAMERA_PATH = re.compile(r"^(?:camera:(\d+)|/dev/video(\d+))$")
"""Forms of a camera's path."""


def is_camera(path: str) -> bool:
    """Return whether ``path`` names a camera: ``camera:0`` or ``/dev/video0``."""
    return CAMERA_PATH.match(path) is not None


class CameraSource(VideoSource):
    """A camera. It can neither seek nor end by itself, so only ``end`` limits it."""

    def __init__(
        self, path: str, end: Fraction | None = None, rate: Fraction | None = None, on_error: str = "skip"
    ) -> None:
        super().__init__(path, None, end, rate, on_error, open_camera, live=True)


def open_camera(path: str) -> InputContainer:
    """Open a camera.

    Raises:
        SourceError: the device does not exist, or it cannot be used; the message names the existing ones.
    """
    match = CAMERA_PATH.match(path)
    device = f"/dev/video{(match[1] or match[2]) if match else 0}"
    if not Path(device).exists():
        devices = sorted(str(entry) for entry in Path("/dev").glob("video[0-9]*"))
        advice = f"those here are {', '.join(devices)}" if devices else "there is none on this machine"
        raise SourceError(f"camera {device} does not exist; {advice}")
    try:
        return av.open(device, format="video4linux2", timeout=10.0)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(
            f"cannot open camera {device}: {error_message(error)}; check that no other program uses it"
        ) from None
