"""The base class of the models that ``kinoscope.load_model`` returns, and the frames that they take."""

from __future__ import annotations

from typing import Any

from kinoscope.core.media import Frame, Pixels
from kinoscope.source.frames import FrameSequence


class LoadedModel:
    """A model that is ready to use.

    Attributes:
        name: of its card or of its folder.
        reference: name or folder under which the verbs take it.
        device: auto, cpu or cuda.
        labels: names of its classes, by index; empty if it has none.
        runtime: runtime and precision of its networks, such as ``openvino-fp32``.
    """

    def __init__(
        self, name: str, reference: str, device: str = "auto", labels: tuple[str, ...] = (), runtime: str = ""
    ) -> None:
        self.name, self.reference, self.device, self.labels, self.runtime = name, reference, device, labels, runtime

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:5]) + (f" and {len(self.labels) - 5} more" if len(self.labels) > 5 else "")
        parts = [repr(self.reference), *([f"labels: {shown}"] if shown else []), *filter(None, [self.runtime])]
        return f"{type(self).__name__}({'; '.join(parts)})"


def is_single(frames: Any) -> bool:
    """Return whether an input is one frame (H, W, 3), not several."""
    return isinstance(frames, Frame) or getattr(frames, "ndim", 0) == 3


def frames_of(frames: Any) -> list[Pixels]:
    """Return the frames (H, W, 3) of an array (N, H, W, 3), of an iterable, or of one frame; none is copied.

    Raises:
        SourceError: one has another type or shape.
    """
    return list(FrameSequence([frames] if is_single(frames) else frames))
