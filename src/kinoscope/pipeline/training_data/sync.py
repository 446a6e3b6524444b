"""Data of the training of a sync model: talking clips, whose audio is first aligned if no table says how."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from kinoscope.core.errors import DatasetError
from kinoscope.pipeline.sync_measurement import measure, sync_options
from kinoscope.training.sync.data import ClipRow, TalkingClip, clips_in, read_table, read_talking_clips
from kinoscope.training.sync.options import SyncOptions
from kinoscope.training.sync.train import SyncTrainer
from kinoscope.training.trainer import ProgressBars, TrainingSetup


def build(options: SyncOptions, setup: TrainingSetup) -> SyncTrainer:
    """Read the talking clips, hold out some people, and return the trainer.

    Raises:
        DatasetError: the clips cannot be used.
    """
    clips, unreadable = _read(Path(setup.data), options, setup.bars)
    people = val_people(clips, options.val)
    train = [clip for clip in clips if clip.person not in people]
    val = [clip for clip in clips if clip.person in people]
    trainer = SyncTrainer(options, train, val, setup.data, setup.processes)
    trainer.unreadable = unreadable
    return trainer


def _read(data: Path, options: SyncOptions, bars: ProgressBars) -> tuple[list[TalkingClip], dict[str, str]]:
    known = read_table(Path(options.table)) if options.table else {}
    if not known and options.align == "auto":
        with bars("aligning") as progress:
            paths, quiet = clips_in(data, {}), sync_options(quiet=True)
            for number, path in enumerate(paths):
                known[path.name] = ClipRow(None, measure(str(path), quiet).certain_offset or 0.0)
                if progress:
                    progress(number + 1, len(paths))
    with bars("reading") as progress:
        return read_talking_clips(data, known, progress)


def val_people(clips: Sequence[TalkingClip], share: float) -> set[str]:
    """Choose the people held out for validation: every third, fifth, ... in order of name.

    Raises:
        DatasetError: there are too few.
    """
    people = sorted({clip.person for clip in clips})
    if share == 0:
        return set()
    if len(people) < 3:
        raise DatasetError(
            f"{len(people)} people talk in the clips, too few to hold some out for validation; "
            "give val=0 to learn from all, or a table with the column person"
        )
    count = min(max(1, round(share * len(people))), len(people) - 2)
    return set(people[:: max(1, math.ceil(len(people) / count))][:count])
