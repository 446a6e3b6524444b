"""``kinoscope train sync``: train a network of lips and audio on talking clips alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.files import lock_exclusively, prepare_folder, require_free
from kinoscope.core.validation import require_known
from kinoscope.views.console.progress import bar

if TYPE_CHECKING:
    from kinoscope.nets.syncnet import SyncNet
    from kinoscope.training.sync.data import TalkingClip
    from kinoscope.training.sync.train import SyncOptions

OPTIONS = {
    "table": ("", "CSV with the columns clip, person and offset (seconds by which the audio of a clip is late)"),
    "align": (
        "auto",
        "auto (without a table, clips are first aligned by the model that comes with kinoscope) or none",
    ),
    "pairs": (
        "points,points,pixels",
        "input of each pair of streams: points or pixels of a mouth, separated by commas",
    ),
    "steps": ("500", "optimizer steps for each pair of streams"),
    "batch": ("24", "segments of clips in one step"),
    "val": ("0.2", "share of the people that is held out for validation; 0 learns from all"),
    "seed": ("0", "of everything random"),
    "device": ("auto", "auto, cpu or cuda"),
}
"""Options of ``train sync``: default and description of each."""

LOG_INTERVAL = 10
"""Steps over which the logged loss is averaged."""

WINDOW_FRAMES = (15, 25, 50, 125)
"""Frames of the windows that are evaluated."""


@dataclass
class TrainSyncResult:
    """Result of the training of a sync model.

    Attributes:
        folder: of the model; None for a dry run.
        clips: numbers of training and validation clips.
        people: likewise.
        score: share of windows whose shift is found within a frame, by their length in frames.
        losses: mean loss of the last steps of each pair.
        unreadable: clip -> why it could not be used.
    """

    folder: Path | None
    clips: tuple[int, int]
    people: tuple[int, int]
    score: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return a dictionary for JSON."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "clips": {"train": self.clips[0], "val": self.clips[1]},
            "people": {"train": self.people[0], "val": self.people[1]},
            "within_a_frame": self.score,
            "chance": round(3 / 31, 4),
            "losses": [round(loss, 4) for loss in self.losses],
            "unreadable": self.unreadable,
        }


def train_sync(
    data: str | None, words: Sequence[str], folder: Path, dry_run: bool = False, quiet: bool = False
) -> TrainSyncResult:
    """Train pairs of streams and save them to a folder.

    Each pair is saved as soon as it is finished; a run that is started again with the same folder resumes with the next
    one.

    Raises:
        OptionError: an option cannot be used.
        DatasetError: the clips cannot be used.
        TrainingError: the loss is no longer finite.
    """
    from kinoscope.models.runtime.runner import check_device

    options = parse_options(words)
    if data is None or "=" in data:
        raise OptionError("train sync needs a folder of talking clips, as in train sync clips/")
    check_device(options["device"])
    clips, unreadable = _read(Path(data), options, quiet)
    people = _val_people(clips, float(options["val"]))
    if not dry_run:
        _prepare(folder)
    train = [clip for clip in clips if clip.person not in people]
    val = [clip for clip in clips if clip.person in people]
    plans = _plans(options, 1 if dry_run else int(options["steps"]))
    counts = len({clip.person for clip in train}), len(people)
    described = f"{len(train)} clips of {counts[0]} people in {Path(data).name}"
    with nullcontext() if dry_run else lock_exclusively(folder):
        pairs, losses = _train_pairs(train, described, plans, None if dry_run else folder, quiet)
        score = {} if dry_run else _score(list(zip([plan.kind for plan in plans], pairs, strict=True)), val)
        if not dry_run:
            _save(folder, pairs, plans, described, score)
    return TrainSyncResult(None if dry_run else folder, (len(train), len(val)), counts, score, losses, unreadable)


def _prepare(folder: Path) -> None:
    """Create the folder.

    Raises:
        OptionError: another training's model is in it.
        OutputError: a file is in the way.
    """
    if (folder / "options.json").exists() or ((folder / "model.json").exists() and not (folder / "pairs").exists()):
        raise OptionError(f"{folder} holds the model of another training; give another folder")
    prepare_folder(folder)
    for name in ("model.json", "model.safetensors"):
        require_free(folder / name)


def parse_options(words: Sequence[str]) -> dict[str, str]:
    """Parse ``key=value`` options.

    Raises:
        OptionError: there is no such option, or its value cannot be used.
    """
    from kinoscope.models.inference.sync import MOUTH_KINDS

    options = {name: default for name, (default, _) in OPTIONS.items()}
    for word in words:
        key, _, value = word.partition("=")
        require_known(key, OPTIONS, "option of train sync")
        options[key] = value
    for name in ("steps", "batch", "seed"):
        if not options[name].isdecimal() or (name != "seed" and int(options[name]) < 2):
            raise OptionError(
                f"{name} {options[name]} is not possible; give a whole number, such as {OPTIONS[name][0]}"
            )
    if options["align"] not in ("auto", "none"):
        raise OptionError(f"align {options['align']} is not known; choose auto or none")
    for kind in options["pairs"].split(","):
        require_known(kind, MOUTH_KINDS, "kind of pair")
    try:
        fits = 0 <= float(options["val"]) < 1
    except ValueError:
        fits = False
    if not fits:
        raise OptionError(f"val {options['val']} is not possible; give a share from 0 to under 1, such as 0.2")
    return options


def _read(data: Path, options: dict[str, str], quiet: bool) -> tuple[list[TalkingClip], dict[str, str]]:
    from kinoscope.training.sync.data import ClipRow, clips_in, read_table, read_talking_clips

    known = read_table(Path(options["table"])) if options["table"] else {}
    if not known and options["align"] == "auto":
        with bar("aligning", quiet) as progress:
            paths = clips_in(data, {})
            for number, path in enumerate(paths):
                known[path.name] = ClipRow(None, _measure_offset(path))
                if progress:
                    progress(number + 1, len(paths))
    with bar("reading", quiet) as progress:
        return read_talking_clips(data, known, progress)


def _measure_offset(path: Path) -> float:
    """Return by how many seconds the audio of a clip is late, 0 if that is not reliable."""
    from kinoscope.pipeline.sync_measurement import measure, sync_options

    return measure(str(path), sync_options(quiet=True)).certain_offset or 0.0


def _val_people(clips: Sequence[TalkingClip], share: float) -> set[str]:
    """Choose the people held out for validation: every third, fifth, ... in order of name."""
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


def _plans(options: dict[str, str], steps: int) -> list[SyncOptions]:
    from kinoscope.models.runtime.runner import torch_device
    from kinoscope.training.sync.train import SyncOptions

    device, batch, seed = torch_device(options["device"]), int(options["batch"]), int(options["seed"])
    return [
        SyncOptions(kind=kind, steps=steps, batch=batch, seed=seed + number, device=device)
        for number, kind in enumerate(options["pairs"].split(","))
    ]


def _train_pairs(
    clips: Sequence[TalkingClip], data: str, plans: Sequence[SyncOptions], folder: Path | None, quiet: bool
) -> tuple[list[SyncNet], list[float]]:
    """Train each pair, or load it from the folder where an earlier run saved it; return them and their last losses."""
    from kinoscope.training.sync.train import read_pair, save_pair

    pairs, losses = [], []
    for number, plan in enumerate(plans, 1):
        folder_of_pair = folder / "pairs" / str(number) if folder else None
        trained = read_pair(folder_of_pair, plan, data) if folder_of_pair else None
        if trained is None:
            trained = _train_pair(clips, plan, folder_of_pair, f"pair {number} of {len(plans)}", quiet)
            if folder_of_pair:
                save_pair(folder_of_pair, plan, data, *trained)
        pairs.append(trained[0])
        losses.append(trained[1])
    return pairs, losses


def _train_pair(
    clips: Sequence[TalkingClip], plan: SyncOptions, folder_of_pair: Path | None, title: str, quiet: bool
) -> tuple[SyncNet, float]:
    """Train a pair; its losses go into a log beside it."""
    from kinoscope.training.logging import Log
    from kinoscope.training.sync.train import train_pair

    log = Log(folder_of_pair) if folder_of_pair else None
    losses: list[float] = []
    with bar(f"{title} ({plan.kind})", quiet) as progress:

        def on_step(step: int, loss: float) -> None:
            losses.append(loss)
            if log and step % LOG_INTERVAL == 0:
                log.write({"epoch": step, "loss": round(sum(losses[-LOG_INTERVAL:]) / LOG_INTERVAL, 5)})
            if progress:
                progress(step, plan.steps)

        pair = train_pair(clips, plan, on_step)
    if log:
        log.close()
    return pair, sum(losses[-50:]) / len(losses[-50:])


def _score(pairs: Sequence[tuple[str, SyncNet]], clips: Sequence[TalkingClip]) -> dict[str, float]:
    from kinoscope.training.sync.train import window_agreement

    shares = {str(length): window_agreement(pairs, clips, length) for length in WINDOW_FRAMES}
    return {length: round(share, 4) for length, share in shares.items() if share is not None}


def _save(
    folder: Path, pairs: Sequence[SyncNet], plans: Sequence[SyncOptions], data: str, score: dict[str, float]
) -> None:
    from kinoscope.models.inference.sync import SyncModelMetadata, bundled_calibration, save_sync_model

    kinds = tuple(plan.kind for plan in plans)
    save_sync_model(
        folder, pairs, SyncModelMetadata(pairs=kinds, calibration=bundled_calibration(), data=data, score=score)
    )
