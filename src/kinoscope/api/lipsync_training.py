"""``kinoscope train lipsync``: a painter of mouths from clips of people who talk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.progress import bar

if TYPE_CHECKING:
    from kinoscope.learn.log import Row
    from kinoscope.learn.painting_options import PaintingOptions
    from kinoscope.learn.rounds import Rounds

SHOWN = {"l1": "l1", "judge_loss": "judge", "sync": "sync", "val_psnr": "val psnr", "val_opening": "val opening"}
"""Measure -> how it is called in a line."""


def choose(data: str | None, words: Sequence[str], resume: str | Path | None) -> tuple[PaintingOptions, str]:
    """Give the options of a training, and its data; of one that goes on, as it began."""
    from kinoscope.learn.choices import begin_or_go_on
    from kinoscope.learn.painting_options import PaintingOptions

    return begin_or_go_on(data, words, resume, PaintingOptions(), "lipsync")


def train_lipsync(
    options: PaintingOptions, data: str, folder: Path, resume: bool, dry_run: bool, quiet: bool
) -> Rounds:
    """Read the clips and train; see ``learn.painting``."""
    from kinoscope.learn.lip_expert import load_expert
    from kinoscope.learn.painting_run import train_painter
    from kinoscope.learn.talkers import read_talkers

    expert = load_expert(options.expert) if options.sync else None
    with bar("read", quiet) as progress:
        talkers, broken = read_talkers(Path(data), options.offsets, progress)

    def tell(row: Row) -> None:
        if not quiet:
            print(describe(row, options.epochs), file=sys.stderr)

    with bar(folder.name, quiet) as progress:
        run = train_painter(
            options,
            talkers,
            folder,
            data=data,
            resume=resume,
            dry_run=dry_run,
            expert=expert,
            progress=progress,
            told=tell,
        )
    run.broken = broken
    return run


def describe(row: Row, epochs: int) -> str:
    """Give the measures of an epoch as a line."""
    parts = [f"epoch {row['epoch']}/{epochs}"] + [
        f"{text} {row[name]:.3f}" for name, text in SHOWN.items() if name in row
    ]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))
