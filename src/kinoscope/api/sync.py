"""``kinoscope sync``: the offset between audio and lips, active speakers, and the verified repair of the offset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.errors import OptionError
from kinoscope.core.validation import require_number
from kinoscope.pipeline import inputs
from kinoscope.pipeline.arguments import choose_device, choose_model
from kinoscope.pipeline.inputs import SourceName, one_or_several
from kinoscope.pipeline.options import DECODE_ALL, DecodingOptions
from kinoscope.pipeline.outputs import analysis_folders
from kinoscope.pipeline.sync_measurement import measure_each, sync_options
from kinoscope.pipeline.sync_repair import claim_repaired, demand_one_source, repair
from kinoscope.results.sync import SyncResult


@accept_old_names
@one_or_several
def sync(
    sources: Sequence[SourceName],
    *,
    fix: str | Path | None = None,
    force: bool = False,
    out: str | Path | None = None,
    model: str = "auto",
    audio_track: int | None = None,
    decoding: DecodingOptions = DECODE_ALL,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[SyncResult]:
    """Measure the offset between audio and lips, and who speaks when; and repair the offset.

    Args:
        sources: video files, folders of videos, URLs.
        fix: file to which the repaired video is written: its audio is shifted by the measured offset, its frames are
            copied as they are. For one source only, and never the source itself.
        force: repair even where the confidence of the measurement is low.
        out: folder for timeline.json and report.html of each source (-o); nothing is written if not given.
        model: folder of a model that `kinoscope train sync` wrote; auto is the bundled one.
        audio_track: which of several audio tracks is used, counted from 0; the file's default if not given.
        decoding: the part of a source that is read.
        overwrite: replace kinoscope's own results of another source or command.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The offset of the source; of a list of sources a list, in order. One that cannot be read never stops the
        others.

    Raises:
        OptionError: an option cannot be used; raised before anything is read.
    """
    require_number("audio-track", audio_track, 0)
    source_options = decoding.resolve() | {"audio_track": audio_track}
    if force and fix is None:
        raise OptionError("force is about a repair; give --fix FILE")
    names = inputs.expand(sources)
    if fix is not None:
        demand_one_source(names, Path(fix))
    options = sync_options(source_options, choose_model("sync", model), choose_device(device), overwrite, quiet)
    folders = analysis_folders(names, out, options)
    if fix is None:
        return measure_each(names, folders, options)
    with claim_repaired(names[0], fix, overwrite):
        results = measure_each(names, folders, options)
        repair(results[0], Path(fix), force, options)
        return results
