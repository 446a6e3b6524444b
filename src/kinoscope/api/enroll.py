"""``kinoscope enroll``: people and objects that are recognized by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known
from kinoscope.galleries import SampleKind, check_name
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.enrollment import enroll_samples
from kinoscope.results.enroll import EnrollResult
from kinoscope.source.names import SourceObject, name_sources


@accept_old_names
def enroll(
    gallery: str | Path,
    name: str,
    sources: SourceObject | Sequence[SourceObject],
    *,
    kind: SampleKind = "face",
    largest: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> EnrollResult:
    """Add a person or an object to a gallery, so that `analyze --gallery` and `recognize` know them by name.

    Either all sources are enrolled, or none. The gallery is one file; it is created if it does not exist.

    Args:
        gallery: the gallery's file, such as people.gallery.
        name: of the person or the object. Samples are added to a name that is there already.
        sources: images, videos, or folders of them, each of this one person or object.
        kind: face; person: from head to foot with the clothes, so good for a day; object: should fill the image, so
            crop it.
        largest: of several faces in an image take the largest, of several people in a video the one who is
            visible for the most time.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The new samples, and those that a person should check.

    Raises:
        GalleryError: a source shows no person, or several; or the gallery cannot be used.
        SourceError: a source cannot be read.
    """
    check_name(name)
    names, _ = name_sources(sources)
    if not names:
        raise OptionError(f"no source is given for {name}; give an image or a video")
    require_known(kind, get_args(SampleKind), "kind")
    return enroll_samples(Path(gallery), name, names, kind, largest, choose_device(device), quiet)
