"""``kinoscope train``: train a model on your own clips."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from kinoscope.api.deprecations import accept_old_names
from kinoscope.api.train_help import ABOUT, help_of
from kinoscope.api.train_registry import TASKS as GENERIC_TASKS
from kinoscope.api.train_registry import train_task
from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.files import lock_exclusively, prepare_folder, require_free
from kinoscope.core.launcher import current_launch
from kinoscope.core.validation import suggest
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.api.train_segments import TrainSegmentsResult
    from kinoscope.api.train_sync import TrainSyncResult
    from kinoscope.training.classification.options import ClassificationOptions
    from kinoscope.training.classification.state import ClassificationRun
    from kinoscope.training.data.checks import DatasetReport
    from kinoscope.training.data.dataset import Dataset
    from kinoscope.training.logging import Row
    from kinoscope.training.trainer import TrainingRun

AUDIO_TASKS = ("sync", "lipsync")
"""Trainings that use audio."""
RUN_FILES = (
    "options.json", "splits.json", "log.jsonl", "model.json", "model.safetensors", "scores.json", "preview.png",
    "preview.gif", "curves.png", "confusion.png", "worst.png", "checkpoints/last.safetensors",
)  # fmt: skip
"""Files of a run."""

TASKS = tuple(ABOUT)


@dataclass
class TrainResult:
    """Result of ``train``: a classification run, learned segment boundaries, a sync model, another run, a preview, or a
    check.
    """

    run: ClassificationRun | None = None
    segments: TrainSegmentsResult | None = None
    sync: TrainSyncResult | None = None
    training: TrainingRun | None = None
    preview_path: Path | None = None
    report: DatasetReport | None = None

    @property
    def status(self) -> int:
        """0 for success; 1 if a check found clips that are unreadable, or in two splits."""
        return self.report.status if self.report else 0

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        if self.report:
            return {"checked": self.report.checked, "counts": self.report.count(), "findings": self.report.rows()}
        if self.preview_path:
            return {"preview": str(self.preview_path)}
        if result := self.segments or self.sync or self.training:
            return result.to_dict()
        return _plain(self.run) if self.run else {}


def _plain(run: ClassificationRun) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "folder": None if run.folder is None else str(run.folder),
        "dry_run": run.folder is None,
        "clips": {"train": run.clips[0], "val": run.clips[1]},
        "parameters": {"all": run.parameters[0], "learned": run.parameters[1]},
        "epochs": len(run.rows),
        "best": run.best,
        "measures": {name: asdict(measure) for name, measure in run.scores.measures.items()} if run.scores else {},
        "clips_per_second": round(run.speed, 2),
        "waiting": round(run.waiting, 4),
        "log": run.rows,
        "unreadable": run.unreadable,
        "options": run.options.to_dict(),
        "written": [str(path) for path in run.written],
    }


@accept_old_names
def train(
    task: str,
    data: str | None = None,
    *options: str,
    out: str | Path | None = None,
    name: str | None = None,
    preview: bool = False,
    check: bool = False,
    resume_from: str | Path | None = None,
    dry_run: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Train a model on your own clips.

    Args:
        task: classify, segments, sync, lipsync, generate or predict.
        data: the clips to learn from; see the help of the task.
        options: key=value, such as epochs=10; see the help of the task.
        out: folder of the run (-o); runs/TASK/NAME1, NAME2... if not given.
        name: name of the run; that of the data if not given.
        preview: write an image of a few clips as training will see them, and stop (classify).
        check: open every clip, report which are unreadable, tiny, duplicates, in two splits or, for trainings that use
            audio, silent, and stop; exit status 1 if some are unreadable or in two splits.
        resume_from: folder of an interrupted run; it continues exactly as if it had not been interrupted.
        dry_run: take one step to check that everything fits, and write nothing.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the clips cannot be used.
        ModelError: weights or a checkpoint cannot be used.
        TrainingError: the loss is no longer finite.
    """
    from kinoscope.training.data.readers import read_dataset

    _demand_task(task)
    if check and task != "classify":
        return TrainResult(report=_check_clips(task, data, quiet))
    _demand_fit(
        task,
        preview=preview and task != "classify",
        dry_run=dry_run and task == "segments",
        resume_from=bool(resume_from) and task == "segments",
    )

    begin = partial(_new_folder, task, out, name, dry_run)
    if task == "segments":
        from kinoscope.api.train_segments import train_segments

        return TrainResult(segments=train_segments(data, options, quiet=quiet))
    if task == "sync":
        from kinoscope.api.train_sync import train_sync

        folder = Path(
            resume_from or out or _numbered(Path("runs") / task, name or Path(data or "clips").resolve().stem)
        )
        return TrainResult(sync=train_sync(data, options, folder, dry_run, quiet))
    if task in GENERIC_TASKS:
        run = train_task(task, data, options, begin, resume=resume_from, dry_run=dry_run, quiet=quiet)
        return TrainResult(training=run)
    chosen, data = _resume_options(Path(resume_from), data, options) if resume_from else _begin(data, options)
    dataset = read_dataset(data, chosen.group)
    _check_options(chosen)
    if check:
        return TrainResult(report=_check(dataset, chosen, quiet))
    if preview:
        folder, name = Path(out) if out else Path("runs") / task, name or Path(data).resolve().stem
        return TrainResult(preview_path=_preview(dataset, chosen, folder, name))
    with _alone(folder := Path(resume_from) if resume_from else begin(data), dry_run):
        return TrainResult(run=_train(chosen, dataset, folder, bool(resume_from), dry_run, quiet))


def _new_folder(task: str, out: str | Path | None, name: str | None, dry_run: bool, data: str) -> Path:
    """Create and return the folder of a run."""
    if out:
        folder = Path(out)
    else:
        folder = _numbered(Path("runs") / task, name or Path(data).resolve().stem, not dry_run and _is_first())
    if not dry_run:
        _prepare(folder)
    return folder


def _demand_task(task: str) -> None:
    if task not in TASKS:
        raise OptionError(f"there is no task {task!r} to train; {suggest(task, TASKS)}choose from {', '.join(TASKS)}")


def _demand_fit(task: str, **asked: bool) -> None:
    """Refuse options that a training does not have, rather than ignore them."""
    for option, given in asked.items():
        if given:
            raise OptionError(f"{option.replace('_', '-')} is not for train {task}; leave it out")


def _begin(data: str | None, words: tuple[str, ...]) -> tuple[ClassificationOptions, str]:
    from kinoscope.training.classification.options import parse_options

    if data is None or ("=" in data and not Path(data).exists()):
        raise OptionError(
            "no clips are given; name a folder with one folder for each class, as in train classify clips/"
        )
    return parse_options(words), data


def _check_options(options: ClassificationOptions) -> None:
    """Check what needs more than the options themselves, before any clip is opened."""
    from kinoscope.models.formats.trained_model import read_trained_model
    from kinoscope.models.runtime.runner import check_device
    from kinoscope.models.trainable.classifiers import network_options
    from kinoscope.training.data.grouping import check_group

    network_options(options.net, options.net_options)
    check_group(options.group)
    check_device(options.device)
    try:
        if options.start not in ("auto", "none"):
            read_trained_model(Path(options.start))
    except ModelError as error:
        raise ModelError(f"start={options.start}: {error}") from None


def _resume_options(folder: Path, data: str | None, words: tuple[str, ...]) -> tuple[ClassificationOptions, str]:
    """Return the options and the data of a run to resume; ``words`` may repeat its options."""
    from kinoscope.training.classification.options import parse_options, read_saved_options

    options, metadata = read_saved_options(folder / "options.json")
    if data is not None and "=" in data and not Path(data).exists():
        words, data = (data, *words), None
    return parse_options(words, options), data or metadata["data"]


def _numbered(root: Path, name: str, create: bool = False) -> Path:
    """Return the first numbered folder that does not exist; with ``create``, create it before another process does."""
    for number in count(1):
        folder = root / f"{name}{number}"
        if create and not folder.exists():
            prepare_folder(root)
            with suppress(FileExistsError):
                folder.mkdir()
                break
        elif not folder.exists():
            break
    return folder


def _prepare(folder: Path) -> None:
    if not _is_first():
        return
    if (folder / "options.json").exists():
        raise OptionError(
            f"{folder} holds a run already; resume it with --resume-from {folder}, or give another folder"
        )
    if (folder / "model.json").exists():
        raise OptionError(f"{folder} holds a model already; give another folder")
    prepare_folder(folder)
    for name in RUN_FILES:
        require_free(folder / name)


def _alone(folder: Path, dry_run: bool) -> AbstractContextManager[None]:
    """Lock the folder of a run: two trainings at once would mix their files."""
    return nullcontext() if dry_run or not _is_first() else lock_exclusively(folder)


def _is_first() -> bool:
    """Return whether this is the first of the processes that torchrun started: it writes files and logs."""
    return current_launch().rank == 0


def _check(dataset: Dataset, options: ClassificationOptions, quiet: bool) -> DatasetReport:
    from kinoscope.core.errors import DatasetError
    from kinoscope.training.data import checks
    from kinoscope.training.data.splits import split

    try:
        splits = split(dataset, options.val, seed=options.seed)
    except DatasetError:  # what is wrong with the clips themselves is reported anyway
        splits = None
    with bar("check", quiet) as progress:
        return checks.check(dataset, splits, options.workers, progress)


def _check_clips(task: str, data: str | None, quiet: bool) -> DatasetReport:
    """Check clips that need no labels; for trainings that use audio, silent clips are errors."""
    from kinoscope.training.data import checks
    from kinoscope.training.data.readers import read_unlabelled

    if task == "segments" or data is None or data.startswith("synthetic:"):
        raise OptionError(
            f"check opens the clips of a folder, and train {task} has none here; name one, or leave it out"
        )
    with bar("check", quiet) as progress:
        return checks.check(read_unlabelled(data)[0], progress=progress, audio=task in AUDIO_TASKS)


def _preview(dataset: Dataset, options: ClassificationOptions, folder: Path, name: str) -> Path:
    from kinoscope.models.trainable.classifiers import find_network
    from kinoscope.training.data.preview import preview

    sampling = options.sampling(find_network(options.net).sampling)
    return preview(dataset, folder / f"{name}-preview.png", sampling, options.augmentation, seed=options.seed)


def _train(
    options: ClassificationOptions, dataset: Dataset, folder: Path, resume: bool, dry_run: bool, quiet: bool
) -> ClassificationRun:
    from kinoscope.training.classification import train as training

    quiet = quiet or not _is_first()

    def on_epoch(row: Row) -> None:
        if not quiet:
            print(describe(row, options.epochs), file=sys.stderr)

    with bar(folder.name, quiet) as progress:
        return training.train(
            options, dataset, folder, resume=resume, dry_run=dry_run, progress=progress, on_epoch=on_epoch
        )


def describe(row: Row, epochs: int) -> str:
    """Return the metrics of an epoch as a line."""
    parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['train_loss']:.3f}"]
    if "val_loss" in row:
        parts.append(f"val loss {row['val_loss']:.3f}")
    shares = {"val_top1": "top-1", "val_map": "mAP"}
    parts += [f"{text} {100 * row[name]:.1f} %" for name, text in shares.items() if name in row]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))


train.__doc__ = (train.__doc__ or "").replace(
    "Train a model on your own clips.\n", indent(help_of(), "    ").lstrip(), 1
)
