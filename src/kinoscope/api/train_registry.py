"""Trainings in rounds: which task learns what from a folder of clips. A new one is a function and a row here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.files import lock_exclusively
from kinoscope.core.launcher import current_launch
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.training.distributed import Processes
    from kinoscope.training.logging import Row
    from kinoscope.training.trainer import Trainer, TrainingRun

Described = tuple[str, str, str]
"""Name, default and meaning of an option."""

Broken = dict[str, str]
"""Clip -> why it could not be used."""


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A row of the table.

    Attributes:
        defaults: gives the options for words ``key=value``, before they are read.
        about: gives name, default and meaning of each option.
        learner: reads the clips; gives what learns from them, and which could not be used.
        shown: measure -> how it is called in a line on an epoch.
        then: how the model is used.
    """

    defaults: Callable[[Sequence[str]], Any]
    about: Callable[[], list[Described]]
    learner: Callable[[Any, str, Processes, bool], tuple[Trainer, Broken]]
    shown: Mapping[str, str]
    then: str


def _painting_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.lipsync.options import LipSyncOptions

    return LipSyncOptions()


def _about_painting() -> list[Described]:
    from kinoscope.training.lipsync.options import ABOUT, LipSyncOptions
    from kinoscope.training.options import described

    return described(LipSyncOptions, ABOUT)


def _painter(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Broken]:
    from kinoscope.training.lipsync.data import read_talking_faces
    from kinoscope.training.lipsync.sync_loss import load_expert
    from kinoscope.training.lipsync.train import LipSyncTrainer

    expert = load_expert(options.expert) if options.sync else None
    with bar("read", quiet) as progress:
        talkers, broken = read_talking_faces(Path(data), options.offsets, progress)
    return LipSyncTrainer(options, talkers, data, expert), broken


def _generating_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.generation.options import defaults_of

    return defaults_of(tuple(words))


def _about_generating() -> list[Described]:
    from kinoscope.training.generation.options import ABOUT, GenerationOptions
    from kinoscope.training.options import described

    return described(GenerationOptions, ABOUT)


def _generator(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Broken]:
    from kinoscope.training.data.streams import make_stream
    from kinoscope.training.generation.train import GeneratorTrainer, sampling_of

    feed = make_stream(
        data, sampling_of(options), classes=options.classes, few=options.augment == "strong", seed=options.seed,
        workers=options.workers or None,
    )  # fmt: skip
    return GeneratorTrainer(options, feed, data, processes), feed.broken


def _predicting_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.prediction.options import PredictionOptions

    return PredictionOptions()


def _about_predicting() -> list[Described]:
    from kinoscope.training.options import described
    from kinoscope.training.prediction.options import ABOUT, PredictionOptions

    return described(PredictionOptions, ABOUT)


def _predictor(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Broken]:
    from kinoscope.training.prediction.data import clips_of
    from kinoscope.training.prediction.train import PredictionTrainer

    clips = clips_of(data, options, processes)
    return PredictionTrainer(options, clips, data, processes), clips.broken


TASKS: Mapping[str, TrainingTask] = {
    "lipsync": TrainingTask(
        defaults=_painting_defaults,
        about=_about_painting,
        learner=_painter,
        shown={"l1": "l1", "judge_loss": "judge", "sync": "sync", "val_psnr": "val psnr", "val_opening": "val opening"},
        then="kinoscope lipsync VIDEO SOUND --model {} -o OUT.mp4",
    ),
    "generate": TrainingTask(
        defaults=_generating_defaults,
        about=_about_generating,
        learner=_generator,
        shown={
            "judge_loss": "judge", "maker_loss": "generator", "judge_right": "judge right", "diversity": "diversity",
            "motion": "motion", "varied": "varied",
        },
        then="kinoscope generate {} -n 16 -o OUT.mp4",
    ),
    "predict": TrainingTask(
        defaults=_predicting_defaults,
        about=_about_predicting,
        learner=_predictor,
        shown={
            "loss": "loss", "mse": "squared error", "held_mse": "of the last frame held", "ssim": "ssim",
            "held_ssim": "of the last frame held",
        },
        then="kinoscope predict {} VIDEO -o OUT.mp4",
    ),
}  # fmt: skip


def train_task(
    task: str,
    data: str | None,
    words: Sequence[str],
    folder: Callable[[str], Path],
    *,
    resume: str | Path | None,
    dry_run: bool,
    quiet: bool,
) -> TrainingRun:
    """Read the options and the clips, and train.

    Args:
        folder: gives that of the run, ready to be written to, from the data's name; not asked where it goes on.
    """
    from kinoscope.models.runtime.runner import check_device
    from kinoscope.training.data.grouping import check_group
    from kinoscope.training.distributed import joined
    from kinoscope.training.options import begin_or_go_on
    from kinoscope.training.trainer import fit

    row = TASKS[task]
    options, data = begin_or_go_on(data, words, resume, row.defaults(words), task)
    check_device(options.device)
    check_group(getattr(options, "group", ""))
    quiet = quiet or current_launch().rank > 0

    def tell(measures: Row) -> None:
        if not quiet:
            print(describe(measures, options.epochs, row.shown), file=sys.stderr)

    with joined(options.device) as processes:
        learner, broken = row.learner(options, data, processes, quiet)
        out = Path(processes.share(str(Path(resume) if resume else folder(data))))
        writes = not dry_run and current_launch().rank == 0
        with lock_exclusively(out) if writes else nullcontext(), bar(out.name, quiet) as progress:
            run = fit(learner, out, data=data, resume=resume is not None, dry_run=dry_run, progress=progress, told=tell)
    run.broken = broken
    return run


def describe(row: Row, epochs: int, shown: Mapping[str, str]) -> str:
    """Give the measures of an epoch as a line."""
    parts = [f"epoch {row['epoch']}/{epochs}"] + [
        f"{text} {row[name]:.3f}" for name, text in shown.items() if name in row
    ]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))
