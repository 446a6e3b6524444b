"""``kinoscope train``: a model of one's own from labelled clips."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from kinoscope.api.deprecations import accept_old_names
from kinoscope.api.train_help import ABOUT, help_of
from kinoscope.api.train_registry import TASKS as ROUND_TASKS
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
"""Trainings that learn from audio."""
NAMES = (
    "options.json", "splits.json", "log.jsonl", "model.json", "model.safetensors", "scores.json", "preview.png",
    "preview.gif", "curves.png", "confusion.png", "worst.png", "checkpoints/last.safetensors",
)  # fmt: skip
"""Files of a run."""

TASKS = tuple(ABOUT)


@dataclass
class TrainResult:
    """What a call of ``train`` came to: a run, learned edges, pairs of streams, rounds, a picture, or a check."""

    run: ClassificationRun | None = None
    edges: TrainSegmentsResult | None = None
    sync: TrainSyncResult | None = None
    rounds: TrainingRun | None = None
    picture: Path | None = None
    health: DatasetReport | None = None

    @property
    def status(self) -> int:
        """0 done; 1 a check found clips that are broken, or in two splits at once."""
        return self.health.status if self.health else 0

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form for ``--json``."""
        if self.health:
            return {"checked": self.health.checked, "counts": self.health.count(), "findings": self.health.rows()}
        if self.picture:
            return {"preview": str(self.picture)}
        if told := self.edges or self.sync or self.rounds:
            return told.to_dict()
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
        "measures": {name: asdict(one) for name, one in run.scores.measures.items()} if run.scores else {},
        "clips_per_second": round(run.speed, 2),
        "waiting": round(run.waiting, 4),
        "log": run.rows,
        "broken": run.broken,
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
        task: what is learned: classify, segments, sync, lipsync, generate or predict.
        data: the clips to learn from; see the help of the task.
        options: key=value, such as epochs=10; see the help of the task.
        out: folder of the run (-o); runs/TASK/NAME1, NAME2... if not given.
        name: what the run is called; as the data if not given.
        preview: write an image of a few clips as training will see them, and stop (classify).
        check: open every clip, report which are unreadable, tiny, there twice, in two splits at once or, where audio is
            learned from, silent, and stop; exit status 1 if some are unreadable or in two splits.
        resume_from: folder of a run that was interrupted; it goes on exactly as if it had not been.
        dry_run: take one step to see whether all fits, and write nothing.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the clips do not do.
        ModelError: weights or a checkpoint cannot be used.
        TrainingError: the loss is no longer a number.
    """
    from kinoscope.training.data.readers import read_dataset

    _demand_task(task)
    if check and task != "classify":
        return TrainResult(health=_check_clips(task, data, quiet))
    _demand_fit(
        task,
        preview=preview and task != "classify",
        dry_run=dry_run and task == "segments",
        resume_from=bool(resume_from) and task == "segments",
    )

    def begin(data: str) -> Path:
        """Return the folder of the run, ready to be written to."""
        if out:
            folder = Path(out)
        else:
            folder = _numbered(Path("runs") / task, name or Path(data).resolve().stem, not dry_run and _is_first())
        if not dry_run:
            _prepare(folder)
        return folder

    if task == "segments":
        from kinoscope.api.train_segments import train_segments

        return TrainResult(edges=train_segments(data, options, quiet=quiet))
    if task == "sync":
        from kinoscope.api.train_sync import train_sync

        named = name or Path(data or "clips").resolve().stem
        folder = Path(resume_from or out or _numbered(Path("runs") / task, named))
        return TrainResult(sync=train_sync(data, options, folder, dry_run, quiet))
    if task in ROUND_TASKS:
        return TrainResult(
            rounds=train_task(task, data, options, begin, resume=resume_from, dry_run=dry_run, quiet=quiet)
        )
    chosen, data = _continue(Path(resume_from), data, options) if resume_from else _begin(data, options)
    dataset = read_dataset(data, chosen.group)
    _check_options(chosen)
    if check:
        return TrainResult(health=_check(dataset, chosen, quiet))
    if preview:
        folder, name = Path(out) if out else Path("runs") / task, name or Path(data).resolve().stem
        return TrainResult(picture=_preview(dataset, chosen, folder, name))
    folder = Path(resume_from) if resume_from else begin(data)
    with _alone(folder, dry_run):
        return TrainResult(run=_train(chosen, dataset, folder, bool(resume_from), dry_run, quiet))


def _demand_task(task: str) -> None:
    if task not in TASKS:
        raise OptionError(f"there is no task {task!r} to train; {suggest(task, TASKS)}choose from {', '.join(TASKS)}")


def _demand_fit(task: str, **asked: bool) -> None:
    """Refuse what a training does not do, and would pass over in silence."""
    for option, given in asked.items():
        if given:
            raise OptionError(f"{option.replace('_', '-')} is not for train {task}; leave it out")


def _begin(data: str | None, words: tuple[str, ...]) -> tuple[ClassificationOptions, str]:
    from kinoscope.training.classification.options import read_words

    if data is None or ("=" in data and not Path(data).exists()):
        raise OptionError(
            "no clips are given; name a folder with one folder for each class, as in train classify clips/"
        )
    return read_words(words), data


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


def _continue(folder: Path, data: str | None, words: tuple[str, ...]) -> tuple[ClassificationOptions, str]:
    """Give the options and the data of a run that goes on; words may repeat its options."""
    from kinoscope.training.classification.options import read_options, read_words

    options, facts = read_options(folder / "options.json")
    if data is not None and "=" in data and not Path(data).exists():
        words, data = (data, *words), None
    return read_words(words, options), data or facts["data"]


def _numbered(root: Path, name: str, make: bool = False) -> Path:
    """Return the first folder of a name and a number that is not there; ``make`` it, before another process does."""
    for number in count(1):
        folder = root / f"{name}{number}"
        if make and not folder.exists():
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
        raise OptionError(f"{folder} holds a run already; go on with --resume-from {folder}, or give another folder")
    if (folder / "model.json").exists():
        raise OptionError(f"{folder} holds a model already; give another folder")
    prepare_folder(folder)
    for name in NAMES:
        require_free(folder / name)


def _alone(folder: Path, dry_run: bool) -> AbstractContextManager[None]:
    """Keep other trainings out of the folder of a run: two at once would mix what they write."""
    return nullcontext() if dry_run or not _is_first() else lock_exclusively(folder)


def _is_first() -> bool:
    """Whether this is the process that writes and talks, of those that torchrun started."""
    return current_launch().rank == 0


def _check(dataset: Dataset, options: ClassificationOptions, quiet: bool) -> DatasetReport:
    from kinoscope.core.errors import DatasetError
    from kinoscope.training.data import checks as health
    from kinoscope.training.data.splits import split

    try:
        splits = split(dataset, options.val, seed=options.seed)
    except DatasetError:  # what is wrong with the clips themselves is told anyway
        splits = None
    with bar("check", quiet) as progress:
        return health.check(dataset, splits, options.workers, progress)


def _check_clips(task: str, data: str | None, quiet: bool) -> DatasetReport:
    """Check clips that need no classes; of those that learn from audio, silent ones are at fault."""
    from kinoscope.training.data import checks as health
    from kinoscope.training.data.readers import read_unlabelled

    if task == "segments" or data is None or data.startswith("synthetic:"):
        raise OptionError(
            f"check opens the clips of a folder, and train {task} has none here; name one, or leave it out"
        )
    with bar("check", quiet) as progress:
        return health.check(read_unlabelled(data)[0], progress=progress, audio=task in AUDIO_TASKS)


def _preview(dataset: Dataset, options: ClassificationOptions, folder: Path, name: str) -> Path:
    from kinoscope.models.trainable.classifiers import find_network
    from kinoscope.training.data.preview import preview

    sampling = options.sampling(find_network(options.net).sampling)
    return preview(dataset, folder / f"{name}-preview.png", sampling, options.variation, seed=options.seed)


def _train(
    options: ClassificationOptions, dataset: Dataset, folder: Path, resume: bool, dry_run: bool, quiet: bool
) -> ClassificationRun:
    from kinoscope.training.classification import train as training

    quiet = quiet or not _is_first()

    def tell(row: Row) -> None:
        if not quiet:
            print(describe(row, options.epochs), file=sys.stderr)

    with bar(folder.name, quiet) as progress:
        return training.train(options, dataset, folder, resume=resume, dry_run=dry_run, progress=progress, told=tell)


def describe(row: Row, epochs: int) -> str:
    """Give the measures of an epoch as a line."""
    parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['train_loss']:.3f}"]
    if "val_loss" in row:
        parts.append(f"val loss {row['val_loss']:.3f}")
    shown = {"val_top1": "top-1", "val_map": "mAP"}
    parts += [f"{text} {100 * row[name]:.1f} %" for name, text in shown.items() if name in row]
    return "  ".join(parts + ([f"{row['seconds']:.1f} s"] if "seconds" in row else []))


train.__doc__ = (train.__doc__ or "").replace(
    "Train a model on your own clips.\n", indent(help_of(), "    ").lstrip(), 1
)
