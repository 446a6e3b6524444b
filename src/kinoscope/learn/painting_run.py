"""A training of a painter of mouths, from its first epoch to its last: measures, previews, checkpoints, the model.

Everything random depends on the seed and the epoch, and a checkpoint is written where an epoch ends; so a run that was
interrupted goes on exactly as if it had not been.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kinoscope.core.errors import DatasetError, ModelError, OptionError
from kinoscope.core.media import Pixels
from kinoscope.learn.adversarial import PATIENCE
from kinoscope.learn.checkpoints import (
    PLACE,
    fill_optimizer,
    flatten_optimizer,
    read_checkpoint,
    save_checkpoint,
    within,
)
from kinoscope.learn.log import Log, Row
from kinoscope.learn.options import save_options
from kinoscope.learn.painting import (
    Expert,
    Features,
    Painting,
    Teacher,
    begin,
    is_painted,
    learn,
    openings,
    repaint,
    split_of,
    validate,
    warn,
)
from kinoscope.learn.painting_options import FREE, PaintingOptions
from kinoscope.models.painter import TASK, PainterFacts, Talker, save_painter
from kinoscope.models.painting import painted_part
from kinoscope.models.runner import torch_device
from kinoscope.models.trained import FACTS, WEIGHTS
from kinoscope.views.sheet import save_picture

PREVIEW = "preview.png"
"""What is real, what is painted and what it was painted from, after the last epoch."""

SHOWN = 8
"""Pictures in a preview."""

MOST_GAIN = 1.6
"""Most by which lips move more than they are heard to."""

STAGES = 4
"""Stages of EfficientNet-Lite0 that are compared: its maps at a half to an eighth of the size."""


@dataclass(kw_only=True)
class PaintingRun:
    """What a training came to.

    Attributes:
        folder: where all of it lies; None of a dry run.
        rows: the measures of each epoch. pictures: how many there are to learn from, and to measure on.
        parameters: of voice and painter. broken: clips that could not be used, and why.
        advice: what stalls, and its cure; None where nothing does.
        written: the files.
    """

    folder: Path | None
    options: PaintingOptions
    rows: list[Row] = field(default_factory=list)
    pictures: tuple[int, int] = (0, 0)
    parameters: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    advice: str | None = None
    written: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "dry_run": self.folder is None,
            "pictures": {"train": self.pictures[0], "val": self.pictures[1]},
            "parameters": self.parameters,
            "epochs": len(self.rows),
            "log": self.rows,
            "broken": self.broken,
            "advice": self.advice,
            "options": self.options.to_dict(),
            "written": [str(path) for path in self.written],
        }


def train_painter(
    options: PaintingOptions,
    talkers: Sequence[Talker],
    out: Path,
    *,
    data: str = "",
    resume: bool = False,
    dry_run: bool = False,
    expert: Expert | None = None,
    progress: Callable[[float, float], None] | None = None,
    told: Callable[[Row], None] | None = None,
) -> PaintingRun:
    """Train a painter and keep it in ``out``.

    Args:
        talkers: to learn from; the last share ``options.val`` of each is only measured on.
        data: name of the clips. resume: go on with the run in ``out``. dry_run: take one step and write nothing.
        expert: frozen judge of lips and sound; see ``painting.Expert``.
        progress: told of each step. told: told of the measures of each epoch.

    Raises:
        DatasetError: the clips are too short to learn from.
        ModelError: the checkpoint cannot be used.
        OptionError: the options are not those of the run.
        OutputError: something cannot be written; what was kept before is still there.
        TrainingError: a loss is no longer a number; what was kept before is still there.
    """
    run = PaintingRun(folder=None if dry_run else out, options=options, pictures=_count(talkers, options))
    mask = torch.from_numpy(painted_part())[None, None].to(torch_device(options.device))
    teacher = Teacher(options, mask, load_features() if options.features else None, expert)
    state = begin(options)
    run.parameters = sum(parameter.numel() for parameter in state.nets.parameters())
    if dry_run:
        short = PaintingOptions(**(options.to_dict() | {"steps": 1, "alone": 0}))
        run.rows = [learn(state, talkers, Teacher(short, mask, teacher.features, expert))]
        return run
    if resume:
        restore(out / PLACE, state, options)
    try:
        _go(run, state, talkers, teacher, data, progress, told)
    except KeyboardInterrupt:
        kept = f"what epoch {state.epoch} gave is kept" if state.epoch else "no epoch was done"
        raise KeyboardInterrupt(f"interrupted: {kept}; go on with --resume {out}") from None
    names = ("options.json", "log.jsonl", FACTS, WEIGHTS, PREVIEW)
    run.written = [out / name for name in names if (out / name).exists()]
    return run


def _count(talkers: Sequence[Talker], options: PaintingOptions) -> tuple[int, int]:
    """Count pictures to learn from and to measure on.

    Raises:
        DatasetError: there are too few.
    """
    if not any(is_painted(talker, options) for talker in talkers):
        raise DatasetError(
            f"there is no clip {options.paint} to paint; choose from {', '.join(t.name for t in talkers)}"
        )
    learned = sum(split_of(talker, options.val) for talker in talkers)
    if learned < 2 * options.batch:
        raise DatasetError(f"there are {learned} pictures of faces to learn from; give clips of a minute or more")
    return learned, sum(map(len, talkers)) - learned


def _go(
    run: PaintingRun,
    state: Painting,
    talkers: Sequence[Talker],
    teacher: Teacher,
    data: str,
    progress: Callable[[float, float], None] | None,
    told: Callable[[Row], None] | None,
) -> None:
    """Go through the epochs."""
    assert run.folder is not None
    out, options = run.folder, teacher.options
    if state.epoch == 0:
        save_options(out / "options.json", options, {"task": TASK, "data": data})
    log = Log(out, state.epoch)
    total = float(options.epochs * options.steps)
    try:
        while state.epoch < options.epochs:
            began = time.perf_counter()
            row: Row = dict(learn(state, talkers, teacher, (lambda s: progress(s, total)) if progress else None))
            with state.average.inside(state.nets):
                row |= validate(state, talkers, teacher)
                state.epoch += 1
                save_painter(out, state.nets, _facts(state, talkers, options, row, data))
                shown = preview(state, talkers, teacher)
            row = {"epoch": state.epoch} | row | {"seconds": round(time.perf_counter() - began, 3)}
            save_picture(out / PREVIEW, shown)
            log.picture("real, painted, painted from", shown, state.epoch)
            log.write(row)
            save(out / PLACE, state, options)
            run.rows, run.advice = log.rows, warn(state, row)
            if told:
                told(row)
    finally:
        log.close()


def _facts(state: Painting, talkers: Sequence[Talker], options: PaintingOptions, row: Row, data: str) -> PainterFacts:
    score = {name: round(float(value), 5) for name, value in row.items() if name.startswith("val_")}
    return PainterFacts(width=options.width, gain=_gain(state.voice, talkers, options.val), data=data, score=score)


@torch.inference_mode()
def _gain(voice: nn.Module, talkers: Sequence[Talker], val: float) -> float:
    """Give by how much more lips open than they are heard to, on pictures that were not learned from."""
    rows = [openings(voice, talker, split_of(talker, val)) for talker in talkers if split_of(talker, val) < len(talker)]
    heard, seen = (float(np.mean([part[i].std() for part in rows])) if rows else 1.0 for i in (0, 1))
    return round(float(np.clip(seen / max(heard, 1e-6), 1, MOST_GAIN)), 3)


@torch.inference_mode()
def preview(state: Painting, talkers: Sequence[Talker], teacher: Teacher) -> Pixels:
    """Draw pictures that were not learned from: real, painted with their own lips, and what they were painted from."""
    state.voice.eval()
    state.painter.eval()
    talker = max((one for one in talkers if is_painted(one, teacher.options)), key=len)
    end = split_of(talker, teacher.options.val)
    picks = np.unique(np.linspace(min(end, len(talker) - 1), len(talker) - 1, SHOWN).round().astype(int))
    made, real = repaint(state, talker, picks, teacher.mask, end)
    looks = talker.looks(end)
    near = [looks.like(talker.places[at], float(talker.times[at]))[0] for at in picks]
    rows = [real, made, looks.pictures[near].float() / 255]
    return np.concatenate([_beside(row) for row in rows])


def _beside(pictures: Tensor) -> Pixels:
    """Lay pictures (N, 3, H, W) in 0 to 1 side by side: (H, N * W, 3)."""
    pixels = (pictures.clamp(0, 1) * 255).round().byte().permute(2, 0, 3, 1).cpu()
    return np.asarray(pixels.reshape(pixels.shape[0], -1, 3).numpy(), np.uint8)


def load_features() -> Features:
    """Give the frozen first stages of EfficientNet-Lite0 as maps to compare.

    Raises:
        WeightsMissing: they cannot be had.
    """
    from kinoscope.models import find
    from kinoscope.models.store import fetch

    card = find("efficientnet-lite0")
    net: Any = card.net(fetch(card))  # type: ignore[misc]
    net.eval().requires_grad_(False)

    def maps(pictures: Tensor) -> list[Tensor]:
        x, found = pictures * (255 / 128) - 127 / 128, []
        for stage in net.trunk.stages[:STAGES]:
            x = stage.to(x.device)(x)
            found.append(x)
        return found

    return maps


def save(path: Path, state: Painting, options: PaintingOptions) -> None:
    """Write a checkpoint; what was there before stays if it cannot be written.

    Raises:
        OutputError: it cannot be written.
    """
    parts = {
        "nets": state.nets.state_dict(),
        "judge": state.match.judge.state_dict(),
        "optimizer": flatten_optimizer(state.optimizer),
        "judge_optimizer": flatten_optimizer(state.match.optimizer),
        "average": state.average.tensors,
    }
    tensors = {f"{part}.{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
    facts = {
        "task": TASK,
        "options": options.to_dict(),
        "epoch": state.epoch,
        "step": state.step,
        "turn": state.match.turn,
        "averaged": state.average.steps,
        "synced": state.synced[-PATIENCE:],
    }
    save_checkpoint(path, tensors, facts)


def restore(path: Path, state: Painting, options: PaintingOptions) -> None:
    """Bring a state to where a checkpoint was.

    Raises:
        ModelError: the checkpoint is damaged, or of another task or network.
        OptionError: the options are not those of the run.
    """
    tensors, facts = read_checkpoint(path)
    if facts["task"] != TASK:
        raise ModelError(f"{path} is of task {facts['task']}, not {TASK}; resume it with that task")
    now = json.loads(json.dumps(options.to_dict()))
    for name, value in facts["options"].items():
        if name not in FREE and now.get(name) != value:
            raise OptionError(f"the run has {name}={value}, not {now.get(name)}; leave {name} out, or start a new run")
    try:
        state.nets.load_state_dict(within(tensors, "nets"))
        state.match.judge.load_state_dict(within(tensors, "judge"))
        fill_optimizer(state.optimizer, within(tensors, "optimizer"))
        fill_optimizer(state.match.optimizer, within(tensors, "judge_optimizer"))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} is of another network ({str(error).splitlines()[0]}); start the training anew"
        ) from None
    state.average.tensors = {name: one.to(state.device) for name, one in within(tensors, "average").items()}
    state.average.steps = facts["averaged"]
    state.epoch, state.step, state.match.turn = facts["epoch"], facts["step"], facts["turn"]
    state.synced = list(facts["synced"])
