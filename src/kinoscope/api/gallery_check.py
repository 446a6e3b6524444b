"""Verification scores of a gallery: distances of genuine and of impostor pairs, and the thresholds that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import GalleryError, SourceError
from kinoscope.core.metrics.verification import equal_error_rate, operating_point, threshold_at_far
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, GallerySample

Pair = tuple[float, str]
"""The distance of two embeddings, and the name of the compared person."""

Pairs = tuple[list[Pair], list[Pair]]
"""Genuine pairs and impostor pairs."""


def check_gallery(
    gallery: Gallery, videos: Path | None, far: float, kind: str, out: Path | None, device: str, quiet: bool
) -> dict[str, Any]:
    """Return error rates and thresholds of the samples of one kind, and write the curves if ``out`` is given.

    Args:
        videos: folder with a folder of videos for each name, which are compared too.
        far: false accept rate for which the threshold is reported.

    Raises:
        GalleryError: there are fewer than two names and no videos.
        SourceError: the folder contains no video.
    """
    genuine_pairs, impostor_pairs = pairs_within_gallery(gallery, kind)
    if videos is not None:
        more = pairs_with_videos(gallery, videos, device, quiet)
        genuine_pairs, impostor_pairs = genuine_pairs + more[0], impostor_pairs + more[1]
    genuine, impostor = ([distance for distance, _ in pairs] for pairs in (genuine_pairs, impostor_pairs))
    owners = [name for _, name in genuine_pairs], [name for _, name in impostor_pairs]
    if not impostor:
        raise GalleryError("there is no other person to compare: enroll a second name, or give a folder of videos")
    result: dict[str, Any] = {"kind": kind, "genuine": len(genuine), "impostor": len(impostor)}
    result["equal_error"] = _none_if_nan(equal_error_rate(genuine, impostor))
    result["default"] = operating_point(genuine, impostor, MATCH_THRESHOLDS[kind], owners).to_dict()
    result["at_far"] = {"far_wanted": far} | threshold_at_far(genuine, impostor, far, owners).to_dict()
    if out is not None:
        from kinoscope.views.plots.training import error_rates

        error_rates(genuine, impostor, out / "errors.png", MATCH_THRESHOLDS[kind])
        result["written"] = [str(out / "errors.png")]
    return result


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
    from kinoscope.pipeline.enrollment import extract_samples, open_extractor
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
