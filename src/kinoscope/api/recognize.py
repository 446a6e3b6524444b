"""``kinoscope recognize``: the people and objects of a gallery in videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.validation import require_positive
from kinoscope.galleries import MATCH_THRESHOLDS, read_gallery
from kinoscope.pipeline import inputs, recognition
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.inputs import SourceName, one_or_several
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.pipeline.outputs import claim_folders, run_each
from kinoscope.results.recognize import RecognizeResult
from kinoscope.views.timeline import Timeline


@accept_old_names
@one_or_several
def recognize(
    sources: Sequence[SourceName],
    *,
    gallery: str | Path,
    threshold: float | None = None,
    out: str | Path | None = None,
    decoding: DecodingOptions = DECODE_ALL,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[RecognizeResult]:
    """Recognize people and objects of a gallery in videos: when they appear, and with what confidence.

    Args:
        sources: video files, images, folders of either, URLs, camera:0.
        gallery: file that `kinoscope enroll` wrote.
        threshold: maximum distance of two faces of one person; 0.45 if not given. `kinoscope gallery check` measures
            which threshold suits your gallery.
        out: folder for a timeline.json of each source (-o); nothing is written if not given.
        decoding: the part of a source that is read.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The recognized names of the source; of a list of sources a list, in order. One that cannot be read never stops
        the others.

    Raises:
        GalleryError: the gallery cannot be used; raised before anything is read.
        OptionError: an option cannot be used.
    """
    require_positive("threshold", threshold, MATCH_THRESHOLDS["face"])
    choose_device(device)
    opened = read_gallery(gallery)
    source_options = decoding.resolve()
    names = inputs.expand(sources)

    def analyze(source: str, progress: ProgressCallback | None) -> Timeline:
        return recognition.recognize_source(source, opened, threshold, source_options, device, progress)

    results = [RecognizeResult(name) for name in names]
    return run_each(results, claim_folders("recognize", names, out, overwrite, private=True), analyze, quiet)
