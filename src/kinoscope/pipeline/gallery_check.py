"""Verification scores of a gallery: distances of genuine and of impostor pairs, and the thresholds that follow."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import GalleryError, SourceError
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.metrics.verification import equal_error_rate, operating_point, threshold_at_far
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, GallerySample
from kinoscope.pipeline.enrollment import extract_samples, open_extractor

Pair = tuple[float, str]
"""The distance of two embeddings, and the name of the compared person."""

Pairs = tuple[list[Pair], list[Pair]]
"""Genuine pairs and impostor pairs."""

CURVES = "errors.png"
"""File of the error curves."""


def claim_curves(path: Path, out: str | Path | None, overwrite: bool) -> AbstractContextManager[None]:
    """Claim the folder of the error curves of a gallery; without ``out``, nothing is claimed.

    Raises:
        OutputError: the folder holds other files.
    """
    by = command_id("gallery check", [path])
    return nullcontext() if out is None else claim_output(out, by, [path], names=[CURVES], overwrite=overwrite)


def compare_all(gallery: Gallery, kind: str, videos: Path | None, device: str, quiet: bool) -> Pairs:
    """Return the genuine and the impostor pairs of a gallery, and of the people in videos with it.

    Args:
        gallery: whose samples are compared.
        kind: of samples.
        videos: folder with a folder of videos for each name, which are compared too.
        device: auto, cpu or cuda.
        quiet: show no progress.

    Raises:
        GalleryError: there are fewer than two names and no videos.
        SourceError: the folder contains no video.
    """
    genuine, impostor = pairs_within_gallery(gallery, kind)
    if videos is not None:
        more = pairs_with_videos(gallery, videos, device, quiet)
        genuine, impostor = genuine + more[0], impostor + more[1]
    if not impostor:
        raise GalleryError("there is no other person to compare: enroll a second name, or give a folder of videos")
    return genuine, impostor


def verification_scores(pairs: Pairs, kind: str, far: float) -> dict[str, Any]:
    """Return the error rates of pairs at the default threshold, and at that of a false accept rate."""
    genuine, impostor = _distances(pairs)
    owners = [name for _, name in pairs[0]], [name for _, name in pairs[1]]
    scores: dict[str, Any] = {"kind": kind, "genuine": len(genuine), "impostor": len(impostor)}
    scores["equal_error"] = _none_if_nan(equal_error_rate(genuine, impostor))
    scores["default"] = operating_point(genuine, impostor, MATCH_THRESHOLDS[kind], owners).to_dict()
    return scores | {"at_far": {"far_wanted": far} | threshold_at_far(genuine, impostor, far, owners).to_dict()}


def write_curves(pairs: Pairs, kind: str, folder: Path) -> Path:
    """Plot both error rates over the threshold, and return the path."""
    from kinoscope.views.plots.training import error_rates

    error_rates(*_distances(pairs), folder / CURVES, MATCH_THRESHOLDS[kind])
    return folder / CURVES


def _distances(pairs: Pairs) -> tuple[list[float], list[float]]:
    genuine, impostor = pairs
    return [distance for distance, _ in genuine], [distance for distance, _ in impostor]


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def pairs_within_gallery(gallery: Gallery, kind: str) -> Pairs:
    """Compare each sample with all names; it is left out of its own."""
    genuine: list[Pair] = []
    impostor: list[Pair] = []
    for sample in gallery.samples:
        if sample.kind == kind:
            rest = Gallery([other for other in gallery.samples if other is not sample], gallery.models)
            own, others = _compare(rest, kind, sample.embedding, sample.name)
            genuine, impostor = genuine + own, impostor + others
    return genuine, impostor


def pairs_with_videos(gallery: Gallery, folder: Path, device: str, quiet: bool) -> Pairs:
    """Compare the main person of each video, whom its folder names, with all names of the gallery.

    Raises:
        SourceError: the folder contains no video.
    """
    from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not paths:
        raise SourceError(f"{folder} contains no video; give a folder that holds a folder of videos for each name")
    extractor = open_extractor("face", device)
    genuine: list[Pair] = []
    impostor: list[Pair] = []
    for path in paths:
        try:
            samples = extract_samples(extractor, path.parent.name, path, True, quiet)
        except GalleryError:  # it shows no face to compare
            continue
        own, others = _compare(gallery, "face", _mean_embedding(samples), path.parent.name)
        genuine, impostor = genuine + own, impostor + others
    return genuine, impostor


def _mean_embedding(samples: list[GallerySample]) -> Any:
    """Return the mean of the embeddings (D,), weighted by quality."""
    weights = [sample.quality for sample in samples]
    return np.average([sample.embedding for sample in samples], axis=0, weights=weights).astype(np.float32)


def _compare(gallery: Gallery, kind: str, embedding: Any, name: str) -> Pairs:
    """Return the pairs of an embedding with its own name, and with all other names."""
    distances = gallery.distances(kind, embedding[None])[0].tolist()
    pairs = list(zip(gallery.names(kind), distances, strict=True))
    genuine = [(distance, name) for other, distance in pairs if other == name]
    impostor = [(distance, name) for other, distance in pairs if other != name]
    return genuine, impostor
