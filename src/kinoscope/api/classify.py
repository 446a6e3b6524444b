"""``kinoscope classify``: the classes of clips, and the segments of long videos, by a trained classifier."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope import __version__
from kinoscope.core.addresses import short_name
from kinoscope.core.errors import KinoscopeError, SourceError, wrap_error
from kinoscope.core.results import Event
from kinoscope.core.validation import require_number
from kinoscope.pipeline import inputs
from kinoscope.pipeline.arguments import choose_limits, choose_time_range
from kinoscope.pipeline.outputs import ClaimFolder, SourceStatus, claim_folders
from kinoscope.views.console.progress import bar
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from kinoscope.source.base import Source


@dataclass
class ClassifyResult(SourceStatus):
    """The classes of one source.

    Attributes:
        top: the most probable classes of the whole source, with their probabilities.
        segments: the class over time, of a video that is longer than the model's clips.
        timeline: the whole result; None if ``error`` is set.
    """

    source: str
    top: list[tuple[str, float]] = field(default_factory=list)
    segments: list[Event] = field(default_factory=list)
    timeline: Timeline | None = None
    error: KinoscopeError | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain types for JSON."""
        plain: dict[str, Any] = {"source": self.source, "top": [list(pair) for pair in self.top]}
        plain["segments"] = [
            {
                "label": event.label,
                "start": round(event.start, 6),
                "end": round(event.end, 6),
                "score": round(event.score, 4),
            }
            for event in self.segments
        ]
        return plain | ({"error": str(self.error)} if self.error else {})


def classify(
    *sources: str | Path,
    model: str,
    top: int = 5,
    out: str | Path | None = None,
    start: str | float | None = None,
    end: str | float | None = None,
    bounds: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[ClassifyResult]:
    """Classify clips: the most probable classes of each, and of a long video also which class is shown when.

    Args:
        sources: video files, folders of videos or frames, strips of square frames, URLs, camera:0.
        model: folder of a model that `kinoscope train` wrote, or a card that classifies clips.
        top: number of classes that are reported for each source.
        out: folder for a timeline.json of each source (-o); nothing is written if not given.
        start: where to begin, in seconds or as a clock (00:01:02.5).
        end: where to stop, likewise.
        bounds: limits on what is read, separated by commas, such as hours=200: pixels of a frame (134217728 if not
            given), channels of audio (64), rate of audio in samples per second (768000), and hours (100).
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The classes of each source, in order. One that cannot be read never stops the others.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used; raised before anything is read.
    """
    from kinoscope.models.inference.classifier import find_classifier
    from kinoscope.models.runtime.runner import make_runner

    require_number("top", top, 1)
    limits = choose_time_range(start, end) | choose_limits(bounds)
    make_runner(find_classifier(model), device)  # an unusable model is reported before anything is read
    names = inputs.expand(sources, strips=True)
    results: list[ClassifyResult] = []
    for name, claim in zip(names, claim_folders("classify", names, out, overwrite), strict=True):
        result = ClassifyResult(name)
        with bar(short_name(name), quiet) as progress:
            _classify(result, claim, model, top, limits, device, progress)
        results.append(result)
    return results


def _classify(
    result: ClassifyResult, claim: ClaimFolder, model: str, top: int, limits: dict[str, Any], device: str, progress: Any
) -> None:
    """Fill the result of one source; an error ends up in it."""
    try:
        with claim() as save:
            result.timeline = classify_source(result.source, model, device, limits, top, progress)
            save(result.timeline)
    except Exception as error:
        result.error = wrap_error(error, result.source)
        return
    result.top = [(name, probability) for name, probability in result.timeline.tasks["classify"].extra["top"]]
    if len(result.timeline.features["classify.times"]) > 1:
        result.segments = result.timeline.events("classify")


def classify_source(
    source: str,
    model: str,
    device: str = "auto",
    limits: dict[str, Any] | None = None,
    top: int = 5,
    progress: Any = None,
    learned: bool = True,
) -> Timeline:
    """Run a classifier over a source with a sliding window, and return the timeline.

    Args:
        learned: see ``Classify``.

    Raises:
        KinoscopeError: no frame could be classified.
    """
    from kinoscope.pipeline import engine
    from kinoscope.tasks.classify import Classify

    task = Classify(model=model, device=device, threads=0, top=top, refine=learned)
    with _opened(source, limits or {}) as opened:
        timeline = engine.run(opened, [task], timeline=Timeline(version=__version__), progress=progress)
    report = timeline.tasks["classify"]
    if "top" not in report.extra:
        why = report.reason or next(iter(timeline.decode.errors), "no frame can be decoded")
        raise SourceError(f"{source}: {why}; give a video")
    return timeline


def _opened(path: str, limits: dict[str, Any]) -> Source:
    """Open a source; an image that is a row of square frames is a strip, any other image a video of one frame."""
    from kinoscope.source import open_clip, open_source
    from kinoscope.source.image_strip import is_image_file

    if is_image_file(path):
        with suppress(SourceError):
            return open_clip(path, **limits)
    return open_source(path, **limits)
