"""Explanation of what a model predicts for a clip: the window, its explanation, and the files that show it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.addresses import Address, short_name
from kinoscope.core.arrays import Float64Array
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import Interrupted, OptionError, SourceError
from kinoscope.core.files import atomic_write, claim_output, command_id, prepare_folder
from kinoscope.core.media import Frame, Pixels, Size
from kinoscope.core.results import PARTIAL_STATUSES
from kinoscope.core.sampling import Sampling
from kinoscope.core.validation import require_known
from kinoscope.pipeline import inputs
from kinoscope.results.explain import ExplainResult
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.models.card import Card

MAX_DISPLAY_SIDE = 640
"""Pixels of the longer side of displayed frames; smaller ones are not enlarged."""

FILES = "explanation.html", "explanation.json", "overlay.mp4", "sheet.png"
"""Names of the written files."""


@dataclass(frozen=True)
class ClipWindow:
    """A window of a video.

    Attributes:
        pixels: the input of the network, (T, H, W, 3).
        frames: the same frames in display size, (T, H, W, 3).
        times: (T,) in seconds.
        windows: number of windows among which it was selected.
    """

    pixels: Pixels
    frames: Pixels
    times: Float64Array
    windows: int


def explain_clip(
    model: str,
    clip: str | Path,
    *,
    methods: Sequence[str] = ("grad-cam", "grad-cam++"),
    target: str | None = None,
    start: Fraction | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = True,
) -> ExplainResult:
    """Explain what a model predicts for a clip or, of a longer video, for the window in which it is most probable.

    Args:
        model: folder of a trained model, or a card that classifies clips.
        methods: keys of ``explanation.explain.METHODS``.
        target: name of the class to explain; the most probable if None.
        start: where the window begins, in seconds; None to search.
        out: folder for the files of the explanation; None writes nothing.

    Raises:
        OptionError: a method or the class is unknown, or ``start`` is outside the clip.
        ModelError: the model cannot be used, or has no feature maps for a method.
        SourceError: the clip cannot be read.
        OutputError: the files cannot be written.
        MissingExtra: a method needs a package that is not installed.
    """
    from kinoscope.explanation.explain import explain
    from kinoscope.models.runtime.openvino import build_torch_module
    from kinoscope.models.runtime.runner import torch_device

    card, path = _demand_explainable(model, methods, target), Address(clip)
    with _claimed(model, clip, out, overwrite):
        net = build_torch_module(card).to(torch_device(device))
        with bar(f"{short_name(path)}: read", quiet) as progress:
            window = find_window(card, model, path, target, start, progress)
        if out is not None:
            prepare_folder(out)
        with bar(f"{short_name(path)}: explain", quiet) as progress:
            explanation = explain(
                net,
                card,
                window.pixels,
                window.times,
                name=card.name,
                target=target,
                methods=methods,
                progress=progress,
            )
        end = float(window.times[-1] + 1 / _sampling(card).rate)
        result = ExplainResult(path, explanation, float(window.times[0]), end, window.windows, window.frames)
        if out is not None:
            result.written = write_explanation_files(result, Path(out))
        return result


def _claimed(model: str, clip: str | Path, out: str | Path | None, overwrite: bool) -> AbstractContextManager[None]:
    """Claim the folder of the files; without ``out``, nothing is written."""
    if out is None:
        return nullcontext()
    read = [clip, *inputs.files_of(str(clip))]
    return claim_output(out, command_id("explain", [model, clip]), read, names=FILES, overwrite=overwrite)


def _demand_explainable(model: str, methods: Sequence[str], target: str | None) -> Card:
    """Return the card of a model, if it has the class and the methods are known."""
    from kinoscope.explanation.explain import METHODS
    from kinoscope.models.inference.classifier import find_classifier

    for name in methods:
        require_known(name, METHODS, "method")
    if not methods:
        raise OptionError(f"no method is given; choose from {', '.join(METHODS)}")
    card = find_classifier(model)
    if target is not None:
        require_known(target, card.labels, "class")
    return card


def _sampling(card: Card) -> Sampling:
    """Return the frame sampling of a card."""
    from kinoscope.models.inference.classifier import get_sampling

    return get_sampling(card)


def find_window(
    card: Card,
    model: str,
    path: str,
    label: str | None,
    start: Fraction | None,
    progress: ProgressCallback | None = None,
) -> ClipWindow:
    """Read a clip or, of a longer video, the window in which a class is most probable.

    Args:
        model: path or name of the card.
        label: the class; None for the class with the highest probability in any window.
        start: where the window begins, in seconds; None to search.

    Raises:
        SourceError: the clip cannot be read.
        OptionError: ``start`` is outside the clip.
    """
    from kinoscope.training.data.frame_cache import opened

    sampling = _sampling(card)
    with opened(path) as source:
        if source.info.live:
            raise SourceError(f"{path} is live; record it first, or give a file")
        first, end = map(float, source.span())
    if start is not None:
        begin = float(start)
        if not first <= begin < end:
            raise OptionError(f"start {begin:g} s lies outside {path}, which lasts from {first:g} to {end:g} s")
        return read_window(path, sampling, begin, (first, end), 1)
    if end - first <= sampling.seconds:
        return read_window(path, sampling, first, (first, end), 1)
    begin, count = _find_probable_window(card, model, path, label, progress)
    return read_window(path, sampling, min(max(begin, first), end), (first, end), count)


def _find_probable_window(
    card: Card, model: str, path: str, label: str | None, progress: ProgressCallback | None
) -> tuple[float, int]:
    """Return the start in seconds of the window in which a class is most probable, and the number of windows.

    Raises:
        Interrupted: Ctrl-C stopped the search.
        SourceError: no window can be classified.
    """
    from kinoscope.pipeline import engine
    from kinoscope.tasks.classify import Classify
    from kinoscope.training.data.frame_cache import opened

    with opened(path) as source:
        timeline = engine.run(source, [Classify(model=model, threads=0)], progress=progress)
    if timeline.decode.interrupted:
        raise Interrupted(f"{path}: interrupted; nothing is explained yet")
    report, sampling = timeline.tasks["classify"], _sampling(card)
    if report.status not in ("ok", *PARTIAL_STATUSES) or "classify.times" not in timeline.features:
        raise SourceError(f"{path}: {report.reason or 'no frame can be decoded'}; give another video")
    middles, scores = timeline.features["classify.times"], timeline.features["classify.scores"]
    target = scores.max(1) if label is None else scores[:, card.labels.index(label)]
    ticks = np.round((middles - middles[0]) * sampling.rate)
    return float(middles[0] - sampling.seconds / 2 + ticks[target.argmax()] / sampling.rate), len(middles)


def read_window(path: str, sampling: Sampling, start: float, span: tuple[float, float], windows: int) -> ClipWindow:
    """Read the frames of the window that begins at ``start``; a short clip is extended by reflection in time."""
    from kinoscope.imaging.reflect_time import reflect_times
    from kinoscope.training.data.frame_cache import MAX_FRAME_SECONDS, opened

    window_times = sampling.times(start)
    times = reflect_times(window_times, *span)
    order = np.argsort(times, kind="stable")
    # The frame that is on screen at the first time began before it.
    with opened(path, max(span[0], times.min() - MAX_FRAME_SECONDS)) as source:
        size = display_size(source.info.size)
        targets = [Fraction(time + 1e-6) for time in times[order].tolist()]
        pairs = [(frame.pixels(sampling.size), frame.pixels(size)) for frame in source.at(targets)]
    if len(pairs) != len(times):
        raise SourceError(f"{path} has no frame from {start:g} s on; its declared duration may be wrong")
    inverse = np.argsort(order)
    pixels, frames = (np.stack(rows)[inverse] for rows in zip(*pairs, strict=True))
    return ClipWindow(pixels, frames, window_times, windows)


def display_size(size: Size) -> Size:
    """Return the (width, height) in which frames of a size are displayed; both even, as video codecs require."""
    scale = min(1.0, MAX_DISPLAY_SIDE / max(size))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in size)
    return width, height


def write_explanation_files(result: ExplainResult, folder: Path) -> list[Path]:
    """Write the page, the numbers, the video and the contact sheet, and return their paths."""
    from kinoscope.source.encode.writer import Writer
    from kinoscope.views.pages.explanation import write_explanation
    from kinoscope.views.video.contact_sheet import save_image
    from kinoscope.views.video.heatmap import explanation_frames, explanation_sheet

    assert result.frames is not None
    explanation, frames = result.explanation, result.frames
    page, plain, video, sheet = (folder / name for name in FILES)
    with atomic_write(plain) as path:
        path.write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n")
    save_image(sheet, explanation_sheet(explanation, frames))
    overlay, times = explanation_frames(explanation, frames), explanation.times
    rate = Fraction(len(times) - 1) / Fraction(times[-1] - times[0]) if len(times) > 1 else 1
    rate = Fraction(rate).limit_denominator(1001)
    with Writer(video, (overlay.shape[2], overlay.shape[1]), rate, quality=16) as writer:
        for number, pixels in enumerate(overlay):
            writer.write(Frame(pixels, number / rate, number, 1 / rate))
    write_explanation(explanation, frames, result.source, page, result.windows)
    return [page, plain, video, sheet]
