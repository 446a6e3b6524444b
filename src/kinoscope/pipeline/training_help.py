"""Help of ``kinoscope train``: the data of each training, and its options with their defaults."""

from __future__ import annotations

from kinoscope.core.options import OptionRow
from kinoscope.pipeline.trainings import TRAININGS, find_training, training_names

GENERAL = """Train a model on your own clips; after Ctrl-C, the finished epochs are saved.

TASK is what the model learns:

{tasks}

`kinoscope train TASK --help` lists the options of one, each given as key=value. Started by torchrun, several processes
share the work.
"""


def help_of(task: str | None = None) -> str:
    """Return the help of a training with its data and options; that of all trainings if none is named."""
    if task is None or task not in training_names():
        others = [f"- **{name}**: a plugin." for name in training_names() if name not in TRAININGS]
        rows = [f"- **{name}**: {row.learns}." for name, row in TRAININGS.items()] + others
        return GENERAL.format(tasks="\n".join(rows))
    rows = [f"- **{name}**: {text}" + (f" [{default}]" if default else "") for name, default, text in options_of(task)]
    training = find_training(task)
    lines = [f"Train {task}: learn {training.learns}.", "", f"DATA is {training.data}.", ""]
    return "\n".join([*lines, "Options, each given as key=value, with their defaults:", "", *rows, ""])


def options_of(task: str) -> list[OptionRow]:
    """Return name, default and description of each option of a training."""
    return find_training(task).options_class.describe()
