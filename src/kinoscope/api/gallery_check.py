"""How well a gallery tells its people apart: distances of genuine and of impostor pairs, and thresholds by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinoscope.core.errors import GalleryError, SourceError
from kinoscope.core.metrics.verification import equal_error_rate, operating_point, threshold_at_far
from kinoscope.galleries import MATCH_THRESHOLDS, Gallery, GallerySample

Pair = tuple[float, str]
"""The distance of two, and who is compared."""

Pairs = tuple[list[Pair], list[Pair]]
"""Genuine pairs and impostor pairs."""


def check_gallery(
    known: Gallery, clips: Path | None, far: float, kind: str, out: Path | None, device: str, quiet: bool
) -> dict[str, Any]:
    """Measure how well a kind of look tells names apart, and write the curves where ``out`` is given.

    Raises:
        GalleryError: there are fewer than two names to tell apart and no clips.
        SourceError: there is no video in the folder of clips.
    """
    same, other = pairs_within_gallery(known, kind)
    if clips is not None:
        more = pairs_with_videos(known, clips, device, quiet)
        same, other = same + more[0], other + more[1]
    genuine, impostor = ([distance for distance, _ in pairs] for pairs in (same, other))
    owners = [who for _, who in same], [who for _, who in other]
    if not impostor:
        raise GalleryError("there is nobody to tell apart: enroll a second name, or give a folder of videos of others")
    told: dict[str, Any] = {"kind": kind, "genuine": len(genuine), "impostor": len(impostor)}
    told["equal_error"] = _known(equal_error_rate(genuine, impostor))
    told["default"] = operating_point(genuine, impostor, MATCH_THRESHOLDS[kind], owners).to_dict()
    told["at_far"] = {"far_wanted": far} | threshold_at_far(genuine, impostor, far, owners).to_dict()
    if out is not None:
        from kinoscope.views.plots.training import error_rates

        error_rates(genuine, impostor, out / "errors.png", MATCH_THRESHOLDS[kind])
        told["written"] = [str(out / "errors.png")]
    return told


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def pairs_within_gallery(known: Gallery, kind: str) -> Pairs:
    """Compare each look with all names, its own without it."""
    genuine: list[Pair] = []
    impostor: list[Pair] = []
    for look in known.samples:
        if look.kind == kind:
            rest = Gallery([other for other in known.samples if other is not look], known.models)
            same, other = _sort(rest, kind, look.embedding, look.name)
            genuine, impostor = genuine + same, impostor + other
    return genuine, impostor


def pairs_with_videos(known: Gallery, folder: Path, device: str, quiet: bool) -> Pairs:
    """Compare whoever is longest in each video with all names; its folder says who that is.

    Raises:
        SourceError: there is no video.
    """
    from kinoscope.pipeline.enrollment import extract_samples, open_extractor
    from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES and path.is_file()
    )
    if not files:
        raise SourceError(f"{folder} holds no video; give a folder that holds a folder of videos a name")
    eye = open_extractor("face", device)
    genuine: list[Pair] = []
    impostor: list[Pair] = []
    for path in files:
        try:
            looks = extract_samples(eye, path.parent.name, path, True, quiet)
        except GalleryError:  # there is no face in it, so nobody to compare
            continue
        same, other = _sort(known, "face", _pool(looks), path.parent.name)
        genuine, impostor = genuine + same, impostor + other
    return genuine, impostor


def _pool(looks: list[GallerySample]) -> Any:
    weights = [look.quality for look in looks]
    return np.average([look.embedding for look in looks], axis=0, weights=weights).astype(np.float32)


def _sort(known: Gallery, kind: str, embedding: Any, name: str) -> Pairs:
    """Part the pairs of an embedding with all names into that with its own and those with others."""
    pairs = list(zip(known.names(kind), known.distances(kind, embedding[None])[0].tolist(), strict=True))
    genuine, impostor = ([(far, name) for other, far in pairs if (other == name) is own] for own in (True, False))
    return genuine, impostor
