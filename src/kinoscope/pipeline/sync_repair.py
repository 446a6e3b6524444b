"""Repair of the offset between audio and lips: the audio is shifted, and the result is measured again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from kinoscope.core.errors import OptionError, SyncError, wrap_error
from kinoscope.core.files import claim_output, command_id
from kinoscope.core.results import Event
from kinoscope.pipeline.analysis import AnalysisOptions
from kinoscope.pipeline.sync_measurement import measure
from kinoscope.results.sync import MIN_REPAIR_CONFIDENCE, SyncResult


def demand_one_source(names: Sequence[str], fix: Path) -> None:
    """Raise OptionError unless there is one source to repair, and ``fix`` is another file."""
    if len(names) != 1:
        raise OptionError(f"fix repairs one video, and {len(names)} are given; repair them one by one")
    if fix.exists() and Path(names[0]).exists() and fix.samefile(names[0]):
        raise OptionError(f"{fix} is the video itself, which is never overwritten; give another name to fix")


def claim_repaired(source: str, fix: str | Path, overwrite: bool) -> AbstractContextManager[None]:
    """Claim the file of a repaired video, before anything is measured.

    Raises:
        OutputError: the file is not kinoscope's own, or holds the repair of another video.
    """
    return claim_output(fix, command_id("sync --fix", [source]), [source], overwrite=overwrite)


def repair(result: SyncResult, fix: Path, force: bool, options: AnalysisOptions) -> None:
    """Write the repaired video, and measure it again; an error ends up in the result.

    Nothing is written if the user stopped the measurement (Ctrl-C).

    Args:
        result: of the measurement of the video.
        fix: the file to write.
        force: repair even if the confidence of the measurement is low.
        options: of the measurement.
    """
    from kinoscope.source.encode.shift_audio import shift_audio

    if result.timeline and result.timeline.decode.interrupted:
        return
    try:
        delay, stretch = correction(_demand_offset(result, force))
        remuxed = shift_audio(result.source, fix, delay, stretch, options.source_options.get("audio_track"))
        result.fixed, result.left_out = fix, remuxed.left_out
        result.written.append(fix)
        result.after = measure(str(fix), options)
    except Exception as error:
        result.error = wrap_error(error, result.source)


def _demand_offset(result: SyncResult, force: bool) -> Event:
    """Return the offset that a repair can use.

    Raises:
        SyncError: there is none, its confidence is low, or there are several.
    """
    if result.error:
        raise result.error
    if not result.offsets:
        raise SyncError(f"{result.source} is not repaired: its offset is not measurable ({result.reason})")
    if len(result.offsets) > 1:
        raise SyncError(
            f"{result.source} is not repaired: its offset changes at {result.offsets[1].start:.2f} s; "
            "cut it there (kinoscope convert --start --end) and repair the parts"
        )
    if not force:
        _demand_confidence(result.source, result.offsets[0])
    return result.offsets[0]


def _demand_confidence(source: str, offset: Event) -> None:
    """Raise SyncError unless an offset is certain enough for a repair."""
    if "hits" in offset.extra:
        raise SyncError(
            f"{source} is not repaired: hits show how the offset changes, but its zero only to 100 ms; "
            "check it, and give --force to repair it anyway"
        )
    if offset.score < MIN_REPAIR_CONFIDENCE:
        raise SyncError(
            f"{source} is not repaired: the confidence is {100 * offset.score:.0f} %, below "
            f"{100 * MIN_REPAIR_CONFIDENCE:.0f} %; check it, and give --force to repair it anyway"
        )


def correction(event: Event) -> tuple[float, float]:
    """Return the delay in seconds and the stretch factor about time 0 that correct the audio.

    The audio of the frame at time t plays at t + at + rate * t, and has to play at t.
    """
    if "drift" not in event.extra:
        return -float(event.extra["offset"]), 1.0
    rate = float(event.extra["drift"])
    at = float(event.extra["at_start"]) - rate * event.start
    return -at / (1 + rate), 1 / (1 + rate)
