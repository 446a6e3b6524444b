"""The loop of all trainings, with a trainer of one number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinoscope.core.errors import ModelError, OptionError, TrainingError
from kinoscope.pipeline.run_folder import prepare_run
from kinoscope.results.train import TrainingRun
from kinoscope.training.checkpoint import LAST_CHECKPOINT, Part, read_checkpoint, save_checkpoint
from kinoscope.training.distributed import Processes
from kinoscope.training.logging import Row, read_log
from kinoscope.training.optim import ExponentialMovingAverage
from kinoscope.training.options import StepOptions
from kinoscope.training.trainer import Trainer, _Recorder, fit


@dataclass(frozen=True, kw_only=True)
class SlopeOptions(StepOptions):
    """Options of the training of a slope."""


class SlopeTrainer(Trainer):
    """Learn the slope of a line."""

    task = "slope"
    options: SlopeOptions

    def __init__(self, options: SlopeOptions, processes: Processes | None = None) -> None:
        super().__init__(options, processes)
        torch.manual_seed(options.seed)
        self.net = nn.Linear(1, 1)
        self.optimizer = torch.optim.Adam(self.net.parameters(), 0.1)
        self.average = ExponentialMovingAverage(options.ema)
        self.average.start(self.net)
        self.calls: list[str] = []
        self.seen = 0

    def parts(self) -> Mapping[str, Part]:
        return {"net": self.net, "optimizer": self.optimizer, "average": self.average}

    def state_values(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def restore_values(self, values: Mapping[str, Any]) -> None:
        self.seen = values["seen"]

    def batches(self) -> Iterator[Tensor]:
        torch.manual_seed(100 * self.options.seed + self.epoch)
        for _ in range(self.options.steps):
            yield torch.rand(self.options.batch, 1)

    def train_step(self, x: Tensor) -> Row:
        loss = (self.net(x) - 2 * x).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.average.update(self.net)
        self.seen += len(x)
        return {"loss": float(loss.detach())}

    def begin(self, folder: Path) -> None:
        self.calls.append("begin")

    def evaluate_and_save(self, folder: Path, row: Row) -> tuple[Row, None]:
        self.calls.append(f"evaluate {self.epoch}")
        return {"slope": float(self.net.weight.detach())}, None

    def finish(self, run: TrainingRun) -> None:
        self.calls.append("finish")

    def diagnose(self, row: Row) -> str | None:
        return f"loss {row['loss']:.0f}"


SMALL = SlopeOptions(epochs=3, steps=4, batch=8)


def state(trainer: Trainer) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in trainer.tensors().items()}


def test_a_run_is_recorded_evaluated_and_finished(tmp_path):
    trainer = SlopeTrainer(SMALL)
    steps: list[tuple[float, float | None]] = []
    rows: list[Row] = []
    run = fit(
        trainer, tmp_path, data="lines", progress=lambda done, total: steps.append((done, total)), on_epoch=rows.append
    )
    assert trainer.calls == ["begin", "evaluate 1", "evaluate 2", "evaluate 3", "finish"]
    assert steps == [(number, 12.0) for number in range(1, 13)]
    assert [list(row) for row in rows] == [["epoch", "loss", "slope", "seconds"]] * 3
    assert run.rows == rows == read_log(tmp_path / "log.jsonl")
    assert (run.source, run.folder, run.parameters, run.advice, run.status) == ("lines", tmp_path, 2, "loss 0", 0)
    assert [path.name for path in run.written] == ["options.json", "log.jsonl"]
    plain = json.loads((tmp_path / "options.json").read_text())
    assert plain == {"task": "slope", "data": "lines", "options": SMALL.to_dict()}
    tensors, metadata = read_checkpoint(tmp_path / LAST_CHECKPOINT)
    assert {name.partition(".")[0] for name in tensors} == {"net", "optimizer", "average"}
    assert metadata == {
        "task": "slope", "options": SMALL.to_dict(), "epoch": 3, "step": 12, "averaged": 12, "seen": 96,
    }  # fmt: skip
    assert json.loads(json.dumps(run.to_dict()))["epochs"] == 3


def test_nothing_is_written_or_evaluated_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = SlopeTrainer(SMALL)
    rows: list[Row] = []
    run = fit(trainer, None, on_epoch=rows.append)
    assert trainer.calls == ["finish"]
    assert [list(row) for row in run.rows] == [["epoch", "loss", "seconds"]] * 3
    assert rows == run.rows
    assert (run.folder, run.dry_run, run.written) == (None, False, [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", [1, 4, 5, 11])
def test_a_run_resumes_exactly_even_before_its_first_epoch(tmp_path, step):
    whole = SlopeTrainer(SMALL)
    fit(whole, tmp_path / "whole")

    def stop(done, total):
        if done == step:
            raise KeyboardInterrupt

    saved = (step - 1) // 4
    said = f"epoch {saved} is saved" if saved else "no epoch was finished"
    with pytest.raises(KeyboardInterrupt, match=f"interrupted: {said}; resume with --resume-from"):
        fit(SlopeTrainer(SMALL), tmp_path / "cut", progress=stop)
    resumed = SlopeTrainer(SlopeOptions(epochs=3, steps=4, batch=8, device="cpu"))
    run = fit(resumed, tmp_path / "cut", resume=True)
    assert state(resumed) == state(whole)
    assert (resumed.seen, resumed.step, resumed.average.steps) == (96, 12, 12)
    assert [row["epoch"] for row in run.rows] == [1, 2, 3]
    assert resumed.calls[0] == ("begin" if saved == 0 else f"evaluate {saved + 1}")


@pytest.mark.parametrize("hook", ["begin", "_save_checkpoint", "finish"])
def test_ctrl_c_at_any_moment_says_what_is_saved(tmp_path, monkeypatch, hook):
    def interrupt(*_):
        raise KeyboardInterrupt

    owner = _Recorder if hook == "_save_checkpoint" else SlopeTrainer
    with monkeypatch.context() as patch:
        patch.setattr(owner, hook, interrupt)
        with pytest.raises(KeyboardInterrupt) as caught:
            fit(SlopeTrainer(SMALL), tmp_path)
    if hook == "finish":
        assert str(caught.value) == f"interrupted: epoch 3 is saved; resume with --resume-from {tmp_path}"
        fit(SlopeTrainer(SMALL), tmp_path, resume=True)
    else:
        assert str(caught.value) == "interrupted: nothing is saved"
        prepare_run(tmp_path)  # the folder is no run, and can be that of the next one
        fit(SlopeTrainer(SMALL), tmp_path)


def test_a_finished_run_is_finished_again_only(tmp_path):
    fit(SlopeTrainer(SMALL), tmp_path)
    again = SlopeTrainer(SMALL)
    run = fit(again, tmp_path, resume=True)
    assert again.calls == ["finish"]
    assert [row["epoch"] for row in run.rows] == [1, 2, 3]


def test_a_checkpoint_of_something_else_is_refused(tmp_path, monkeypatch):
    fit(SlopeTrainer(SMALL), tmp_path)
    with pytest.raises(OptionError, match="the run has batch=8, not 9; leave batch out"):
        fit(SlopeTrainer(SlopeOptions(epochs=3, steps=4, batch=9)), tmp_path, resume=True)
    wide = SlopeTrainer(SMALL)
    wide.net = nn.Linear(2, 1)
    with pytest.raises(ModelError, match="is of another network"):
        fit(wide, tmp_path, resume=True)
    monkeypatch.setattr(SlopeTrainer, "task", "height")
    with pytest.raises(ModelError, match="is of task slope, not height"):
        fit(SlopeTrainer(SMALL), tmp_path, resume=True)


def save_changed(folder: Path, tensors: Mapping[str, Tensor | None] = {}, **metadata: Any) -> None:
    """Replace tensors and metadata of a checkpoint; None removes them."""
    old, facts = read_checkpoint(folder / LAST_CHECKPOINT)
    new = {name: value for name, value in (old | dict(tensors)).items() if value is not None}
    plain = {name: value for name, value in (facts | metadata).items() if value is not None}
    (folder / LAST_CHECKPOINT).unlink()
    save_checkpoint(folder / LAST_CHECKPOINT, new, plain)


@pytest.mark.parametrize("name", ["task", "options", "epoch", "step", "averaged"])
@pytest.mark.parametrize("value", [None, "slop", [1], -1, 1.5, 10**30])
def test_a_checkpoint_with_impossible_metadata_is_one_line(tmp_path, name, value):
    fit(SlopeTrainer(SMALL), tmp_path)
    save_changed(tmp_path, **{name: value})
    with pytest.raises(ModelError, match=r"^[^\n]*(is no checkpoint, or damaged|is of task slop, not)[^\n]*$"):
        fit(SlopeTrainer(SMALL), tmp_path, resume=True)


@pytest.mark.parametrize(
    "tensors",
    [
        {"optimizer.9.exp_avg": torch.zeros(1, 1)},
        {"optimizer.-1.exp_avg": torch.zeros(1)},
        {"optimizer.x.exp_avg": torch.zeros(1)},
        {"optimizer.0.exp_avg": torch.zeros(7)},
        {"optimizer.0.exp_avg": None},
        {"average.weight": None},
        {"average.weight": torch.zeros(7)},
        {"average.other": torch.zeros(7)},
        {"net.weight": torch.zeros(3, dtype=torch.int64)},
    ],
)
def test_a_checkpoint_with_other_tensors_is_one_line(tmp_path, tensors):
    fit(SlopeTrainer(SMALL), tmp_path)
    save_changed(tmp_path, tensors)
    with pytest.raises(ModelError, match=r"^[^\n]*is of another network, or damaged[^\n]*$"):
        fit(SlopeTrainer(SMALL), tmp_path, resume=True)


def test_a_dry_run_takes_one_step_and_writes_nothing(tmp_path):
    trainer = SlopeTrainer(SMALL)
    run = fit(trainer, tmp_path / "run", dry_run=True)
    assert (trainer.seen, trainer.step, run.dry_run, run.folder) == (8, 0, True, None)
    assert list(run.rows[0]) == ["loss"]
    assert not (tmp_path / "run").exists()


def test_only_the_first_process_writes(tmp_path):
    trainer = SlopeTrainer(SMALL, Processes(rank=1, world=1))
    rows: list[Row] = []
    run = fit(trainer, tmp_path, on_epoch=rows.append)
    assert trainer.calls == ["finish"]
    assert len(run.rows) == 3
    assert not rows
    assert not list(tmp_path.iterdir())


def test_every_process_evaluates_where_a_trainer_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(SlopeTrainer, "evaluates_in_every_process", True)
    trainer = SlopeTrainer(SMALL, Processes(rank=1, world=1))
    fit(trainer, tmp_path)
    assert trainer.calls == ["evaluate 1", "evaluate 2", "evaluate 3", "finish"]


def test_memory_that_runs_out_names_the_options(tmp_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(SlopeTrainer, "train_step", fail)
    with pytest.raises(TrainingError, match="out of memory; give a smaller batch"):
        fit(SlopeTrainer(SMALL), tmp_path)


def test_what_a_trainer_lacks_is_named():
    class Empty(Trainer):
        task = "empty"

        def parts(self) -> Mapping[str, Part]:
            return {}

    with pytest.raises(NotImplementedError, match="Empty has neither batches nor train_epoch"):
        fit(Empty(SMALL), None, dry_run=True)
