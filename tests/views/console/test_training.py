"""The text of a training, of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kinoscope.core.metrics.temporal_detection import SegmentScores
from kinoscope.results.train import TrainingRun, TrainResult
from kinoscope.training.classification.details import ClassificationDetails
from kinoscope.training.classification.options import ClassificationOptions
from kinoscope.training.segments.train import SegmentDetails
from kinoscope.training.sync.train import SyncDetails
from kinoscope.views.console.printers import render


def run(task: str, **values: Any) -> TrainingRun:
    given: dict[str, Any] = {
        "options": ClassificationOptions(epochs=9),
        "folder": Path("run"),
        "usage": (f"kinoscope {task} run",),
    }
    return TrainingRun(source="clips", task=task, **given | values)


def test_a_generator_lists_its_files_and_its_use(capsys):
    render(run("generate", examples=(0, 3), parameters=1_500_000, advice="train longer", written=[Path("run/a.png")]))
    shown = capsys.readouterr()
    assert shown.out == (
        "endless training examples, 3 validation examples; 1.50 M parameters\n  run/a.png\n  kinoscope generate run\n"
    )
    assert shown.err == "kinoscope: train longer\n"
    render(TrainResult("clips", run=run("generate", dry_run=True, folder=None, examples=(5, 0))))
    assert capsys.readouterr().out == "5 training examples; 0.00 M parameters\ndry run: all fits\n"


def test_a_classifier_says_which_epoch_is_saved(capsys):
    details = ClassificationDetails(
        clips=(8, 4), parameters=(2_000_000, 500_000), steps=2, best=3, speed=7, waiting=0.1
    )
    unreadable = {"a.mp4": "a.mp4 is empty"}
    render(run("classify", details=details, rows=[{"epoch": 1}] * 4, unreadable=unreadable))
    assert capsys.readouterr().out.splitlines() == [
        "8 training clips, 4 validation clips; 2.00 M parameters, 0.50 M of them trained",
        "7.0 clips per second, 10.0 % of the time waiting for data",
        "1 clips cannot be read, such as ('a.mp4', 'a.mp4 is empty')",
        "epoch 3 of 4 is saved in run",
        "  kinoscope classify run",
    ]
    row, columns = (
        {"epoch": 2, "train_loss": 0.5, "val_top1": 0.75},
        {"train_loss": "loss {:.3f}", "val_top1": "{:.1%}"},
    )
    render(run("classify", details=details, rows=[row], columns=columns, dry_run=True))
    assert capsys.readouterr().out.endswith("dry run, 2 steps an epoch: epoch 2/9  loss 0.500  75.0 %\n")


def test_a_sync_model_is_printed_with_its_people(capsys):
    details = SyncDetails(clips=(3, 1), people=(2, 1), score={"15": 0.5}, losses=[3.25, 3.5])
    render(run("sync", details=details, unreadable={"x.mp4": "no face"}))
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "3 clips of 2 people for training, 1 clips of 1 people held out",
        "final loss of each pair: 3.25, 3.50",
        "  15 frames: 50.0 % within one frame (chance 9.7 %)",
        "  kinoscope sync run",
    ]
    assert shown.err == "kinoscope: x.mp4: no face\n"
    render(run("sync", details=details, dry_run=True))
    assert "kinoscope sync" not in capsys.readouterr().out


@pytest.mark.parametrize("scored", [True, False])
def test_boundaries_of_segments_are_compared_with_thresholds(capsys, scored):
    details = SegmentDetails(videos=(3, 1))
    if scored:
        details.before, details.after = (
            SegmentScores(share, (0.5, 0.75), {"red": (share, share / 2)}) for share in (0.25, 0.5)
        )
    render(run("segments", details=details, examples=(3, 1), written=[Path("run/edges.safetensors")]))
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("3 videos for training, 1 held out", "  run/edges.safetensors")
    assert lines[1:-1] == (
        [
            "        thresholds: mAP 25.0 %, 25.0 % at an overlap of 0.5",
            "learned boundaries: mAP 50.0 %, 50.0 % at an overlap of 0.5",
        ]
        if scored
        else []
    )


def test_a_preview_is_printed_by_its_path(capsys):
    render(TrainResult("clips", preview_path=Path("p/clips-preview.png")))
    assert capsys.readouterr().out == "p/clips-preview.png\n"
