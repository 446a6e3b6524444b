"""``kinoscope search``: search for moments in the videos of a library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_known, require_number
from kinoscope.pipeline.arguments import choose_device, split_names
from kinoscope.pipeline.library_search import search_library
from kinoscope.pipeline.search_exports import EXPORTS
from kinoscope.results.search import SearchResult


@accept_old_names
def search(
    query: str = "",
    *,
    library: str | Path,
    like: str | Path | None = None,
    out: str | Path | None = None,
    limit: int = 50,
    export: str | Sequence[str] | None = None,
    overwrite: bool = False,
    device: str = "auto",
) -> SearchResult:
    """Find moments in all videos of a library.

    A query consists of labels (person), names (Ada), speech (says "hello world", or by meaning about "cooking"),
    relations (person near car, person with car, person without car, and, or, not) and conditions
    (after 10 s, before 1:30, between 10 s and 20 s, longer than 5 s, in "street*.mp4").

    Args:
        query: text of the query; may be left out with --like.
        library: library that `kinoscope analyze --library` filled.
        like: only moments that are similar to an image, or to a moment of a video (video.mp4@12.5, in seconds).
        out: folder for found.html (-o); runs/search if not given.
        limit: maximum number of moments that are reported, the best first.
        export: also write them as a cut list (otio, edl) or concatenated to one video (mp4); several formats
            separated by commas.
        overwrite: replace kinoscope's own results of another library or command there.
        device: auto (a GPU if there is one), cpu or cuda.

    Returns:
        The moments, the best first, and the files written.

    Raises:
        OptionError: the query or an option is not understood.
        LibraryError: there is no such library, or nothing in it has that name.
        MissingExtra, WeightsMissing: a model that the query needs is not available.
    """
    exports = [require_known(name, EXPORTS, "export of moments") for name in split_names(export, "export")]
    if not query.strip() and like is None:
        raise OptionError('there is no query; give one, such as "person near car", or --like IMAGE')
    require_number("limit", limit, 1)
    choose_device(device)
    folder = Path("runs/search" if out is None else out)
    return search_library(
        library, query, like=like, folder=folder, limit=limit, exports=exports, overwrite=overwrite, device=device
    )
