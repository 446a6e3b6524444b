"""The base class of the models that ``kinoscope.load_model`` returns, and the frames that they take."""

from __future__ import annotations

import os
from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any, Self

from kinoscope.core.media import Frame, Pixels
from kinoscope.source.frames import FrameSequence

if TYPE_CHECKING:
    from kinoscope.results.export import ExportResult


class LoadedModel:
    """A model that is ready to use, from any thread: calls wait for one another.

    A copy is the model itself, so that a task of one's own may hold one.

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
        self._lock = RLock()  # a network and its buffers serve one call at a time

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __repr__(self) -> str:
        shown = ", ".join(self.labels[:5]) + (f" and {len(self.labels) - 5} more" if len(self.labels) > 5 else "")
        parts = [repr(self.reference), *([f"labels: {shown}"] if shown else []), *filter(None, [self.runtime])]
        return f"{type(self).__name__}({'; '.join(parts)})"

    def export(self, format: str, out: str | os.PathLike[str], *, overwrite: bool = False) -> ExportResult:
        """Write the model to a file for ONNX Runtime, OpenVINO or torch.jit, as ``kinoscope.export`` does."""
        from kinoscope.pipeline.model_export import export_model

        return export_model(self.reference, format, out, overwrite)


def is_single(frames: Any) -> bool:
    """Return whether an input is one frame (H, W, 3), not several."""
    return isinstance(frames, Frame) or getattr(frames, "ndim", 0) == 3


def read_frames(frames: Any) -> Iterator[Pixels]:
    """Yield the frames (H, W, 3) of an array (N, H, W, 3), of an iterable, or of one frame; none is copied.

    Raises:
        SourceError: one has another type or shape.
    """
    return iter(FrameSequence([frames] if is_single(frames) else frames))


def frames_of(frames: Any) -> list[Pixels]:
    """Return the frames that ``read_frames`` yields."""
    return list(read_frames(frames))
