"""Registry of the trainings that use the generic training loop. A new one is a function and a row here."""

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

OptionRow = tuple[str, str, str]
"""Name, default and description of an option."""

Unreadable = dict[str, str]
"""Clip -> why it could not be used."""


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A row of the registry.

    Attributes:
        defaults: returns the default options for ``key=value`` words, before these are parsed.
        options: returns name, default and description of each option.
        build: reads the clips; returns the trainer, and which clips could not be used.
        columns: metric -> its name in the line of an epoch.
        usage: the command that uses the model.
    """

    defaults: Callable[[Sequence[str]], Any]
    options: Callable[[], list[OptionRow]]
    trainer: Callable[[Any, str, Processes, bool], tuple[Trainer, Unreadable]]
    columns: Mapping[str, str]
    usage: str


def _lipsync_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.lipsync.options import LipSyncOptions

    return LipSyncOptions()


def _lipsync_options() -> list[OptionRow]:
    from kinoscope.training.lipsync.options import DESCRIPTIONS, LipSyncOptions
    from kinoscope.training.options import describe_options

    return describe_options(LipSyncOptions, DESCRIPTIONS)


def _lipsync_trainer(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Unreadable]:
    from kinoscope.training.lipsync.data import read_talking_faces
    from kinoscope.training.lipsync.sync_loss import load_expert
    from kinoscope.training.lipsync.train import LipSyncTrainer

    expert = load_expert(options.expert) if options.sync else None
    with bar("read", quiet) as progress:
        faces, unreadable = read_talking_faces(Path(data), options.offsets, progress)
    return LipSyncTrainer(options, faces, data, expert), unreadable


def _generation_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.generation.options import default_options

    return default_options(tuple(words))


def _generation_options() -> list[OptionRow]:
    from kinoscope.training.generation.options import DESCRIPTIONS, GenerationOptions
    from kinoscope.training.options import describe_options

    return describe_options(GenerationOptions, DESCRIPTIONS)


def _generation_trainer(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Unreadable]:
    from kinoscope.training.data.streams import make_stream
    from kinoscope.training.generation.train import GeneratorTrainer, clip_sampling

    clips = make_stream(
        data, clip_sampling(options), classes=options.classes, allow_few=options.augment == "strong", seed=options.seed,
        workers=options.workers or None,
    )  # fmt: skip
    return GeneratorTrainer(options, clips, data, processes), clips.unreadable


def _prediction_defaults(words: Sequence[str]) -> Any:
    from kinoscope.training.prediction.options import PredictionOptions

    return PredictionOptions()


def _prediction_options() -> list[OptionRow]:
    from kinoscope.training.options import describe_options
    from kinoscope.training.prediction.options import DESCRIPTIONS, PredictionOptions

    return describe_options(PredictionOptions, DESCRIPTIONS)


def _prediction_trainer(options: Any, data: str, processes: Processes, quiet: bool) -> tuple[Trainer, Unreadable]:
    from kinoscope.training.prediction.data import read_prediction_clips
    from kinoscope.training.prediction.train import PredictionTrainer

    clips = read_prediction_clips(data, options, processes)
    return PredictionTrainer(options, clips, data, processes), clips.unreadable


TASKS: Mapping[str, TrainingTask] = {
    "lipsync": TrainingTask(
        defaults=_lipsync_defaults,
        options=_lipsync_options,
        trainer=_lipsync_trainer,
        columns={
            "l1": "l1", "disc_loss": "disc loss", "sync": "sync", "val_psnr": "val psnr", "val_opening": "val opening",
        },
        usage="kinoscope lipsync VIDEO AUDIO --model {} -o OUT.mp4",
    ),
    "generate": TrainingTask(
        defaults=_generation_defaults,
        options=_generation_options,
        trainer=_generation_trainer,
        columns={
            "disc_loss": "disc loss", "gen_loss": "gen loss", "disc_accuracy": "disc accuracy",
            "diversity": "diversity", "motion": "motion", "augment_probability": "augment",
        },
        usage="kinoscope generate {} -n 16 -o OUT.mp4",
    ),
    "predict": TrainingTask(
        defaults=_prediction_defaults,
        options=_prediction_options,
        trainer=_prediction_trainer,
        columns={
            "loss": "loss", "mse": "squared error", "last_frame_mse": "of the last frame", "ssim": "ssim",
            "last_frame_ssim": "of the last frame",
        },
        usage="kinoscope predict {} VIDEO -o OUT.mp4",
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
    """Parse the options, read the clips, and train.

    Args:
        folder: creates and returns the folder of the run from the name of the data; not called when a run is resumed.
    """
    from kinoscope.models.runtime.runner import check_device
    from kinoscope.training.data.grouping import check_group
    from kinoscope.training.distributed import process_group
    from kinoscope.training.options import new_or_resumed_options
    from kinoscope.training.trainer import fit

    row = TASKS[task]
    options, data = new_or_resumed_options(data, words, resume, row.defaults(words), task)
    check_device(options.device)
    check_group(getattr(options, "group", ""))
    quiet = quiet or current_launch().rank > 0

    def on_epoch(metrics: Row) -> None:
        if not quiet:
            print(describe(metrics, options.epochs, row.columns), file=sys.stderr)

    with process_group(options.device) as processes:
        trainer, unreadable = row.trainer(options, data, processes, quiet)
        out = Path(processes.broadcast(str(Path(resume) if resume else folder(data))))
        writes = not dry_run and current_launch().rank == 0
        with lock_exclusively(out) if writes else nullcontext(), bar(out.name, quiet) as progress:
            run = fit(
                trainer,
                out,
                data=data,
                resume=resume is not None,
                dry_run=dry_run,
                progress=progress,
                on_epoch=on_epoch,
            )
    run.unreadable = unreadable
    return run


def describe(row: Row, epochs: int, columns: Mapping[str, str]) -> str:
    """Return the metrics of an epoch as a line."""
    parts = [f"epoch {row['epoch']}/{epochs}"] + [
        f"{text} {row[name]:.3f}" for name, text in columns.items() if name in row
    ]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))
