"""Limits on the memory and time that a source may need, so that no small file takes a machine down."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from kinoscope.core.errors import OptionError, SourceError

MIN_AUDIO_RATE = 1_000
"""Samples per second below which a stream is not taken for audio: resampling would multiply each sample by hundreds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what is read; a source that exceeds them is refused before it is decoded.

    Attributes:
        pixels: of one frame or image, as stored and as displayed; 8K video has 33 million.
        channels: of audio.
        rate: samples per second of audio.
        hours: of audio, after which reading stops; silence takes next to no bytes.
    """

    pixels: int = 2**27
    channels: int = 64
    rate: int = 768_000
    hours: float = 100

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Return the limits in a text such as ``pixels=300e6,hours=200``; the others keep their defaults.

        Raises:
            OptionError: a limit is unknown, or a value is no positive number.
        """
        chosen: dict[str, Any] = dict(_entry(part) for part in text.split(",") if part.strip())
        return cls(**chosen)

    def check_frame(self, path: str, width: int, height: int) -> None:
        """Raise SourceError if a frame is larger than allowed."""
        if width * height > self.pixels:
            size = f"{path} is {width}x{height}, {_count(width * height)} pixels"
            raise SourceError(f"{size}, more than the limit of {_count(self.pixels)}; {_advice('pixels')}")

    def check_audio(self, path: str, channels: int, rate: int) -> None:
        """Raise SourceError if audio has more channels or samples per second than allowed, or too few to be audio."""
        if channels > self.channels:
            description = f"{path} has {channels} channels of audio"
            raise SourceError(f"{description}, more than the limit of {self.channels}; {_advice('channels')}")
        description = f"{path} has audio of {rate} samples a second"
        if rate > self.rate:
            raise SourceError(f"{description}, more than the limit of {self.rate}; {_advice('rate')}")
        if 0 < rate < MIN_AUDIO_RATE:  # 0 if the container does not declare it
            raise SourceError(f"{description}; {MIN_AUDIO_RATE} or more are needed")

    def too_long(self, path: str) -> SourceError:
        """Return the error of audio that is longer than allowed."""
        return SourceError(f"{path} has more audio than the limit of {self.hours:g} hours; {_advice('hours')}")

    def undecodable(self, path: str, what: str) -> SourceError:
        """Return the error of a file without a decodable frame; FFmpeg does not report the cause."""
        why = f"it is damaged, or larger than the limit of {_count(self.pixels)} pixels"
        return SourceError(f"{path} {what}: {why}; copy or download it again, or {_advice('pixels')}")


DEFAULT_LIMITS = Limits()
"""The limits unless others are requested."""


def _entry(part: str) -> tuple[str, int | float]:
    name, _, value = (piece.strip() for piece in part.partition("="))
    kinds = {field.name: int if field.type == "int" else float for field in fields(Limits)}
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if name not in kinds or not (number > 0 and isfinite(number)):
        known = ", ".join(f"{field.name}={field.default:g}" for field in fields(Limits))
        raise OptionError(f"limit {part.strip()!r} is unknown or no positive number; those there are: {known}")
    return name, kinds[name](number)


def _count(pixels: int) -> str:
    return f"{pixels:,}"


def _advice(name: str) -> str:
    return f"raise that with --bounds {name}=NUMBER"
