"""Help of ``kinoscope train``: the data of each training, and its options with their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingDescription:
    """Description of a training: what the model learns, and from which data."""

    learns: str
    data: str


CLASSES = (
    "a folder with a folder of clips for each class, or train, val and test with such folders in them; or a CSV with "
    "the columns path and label and, as wanted, start, end (seconds or a clock), group and split"
)
SHORT_CLIPS = "a folder of short clips, in folders of their classes if there are some"

ABOUT: Mapping[str, TrainingDescription] = {
    "classify": TrainingDescription(
        "the classes of clips, for `kinoscope classify` and `kinoscope analyze --model`", CLASSES
    ),
    "segments": TrainingDescription(
        "the boundaries of segments in long videos, for a model that train classify wrote",
        "an ActivityNet JSON of videos with labelled segments, preferably not those that the model learned from",
    ),
    "sync": TrainingDescription(
        "whether lips and audio match, for `kinoscope sync --model`",
        "a folder of videos in which a person speaks",
    ),
    "lipsync": TrainingDescription(
        "to generate the mouth of a person from audio, for `kinoscope lipsync`",
        "a video, or a folder of videos, in which a person speaks",
    ),
    "generate": TrainingDescription(
        "to generate clips, for `kinoscope generate`", f"{SHORT_CLIPS}, or synthetic:moving, endless moving shapes"
    ),
    "predict": TrainingDescription(
        "to predict the next frames of a video, for `kinoscope predict`",
        f"{SHORT_CLIPS}, or synthetic:bouncing, endless clips of two bouncing shapes",
    ),
}
"""The trainings; the first is the most frequent one."""

GENERAL = """Train a model on your own clips; after Ctrl-C, the finished epochs are saved.

TASK is what the model learns:

{tasks}

`kinoscope train TASK --help` lists the options of one, each given as key=value. Started by torchrun, several processes
share the work.
"""


def help_of(task: str | None = None) -> str:
    """Return the help of a training with its data and options; that of all trainings if none is named."""
    if task is None or task not in ABOUT:
        return GENERAL.format(tasks="\n".join(f"- **{name}**: {about.learns}." for name, about in ABOUT.items()))
    rows = [f"- **{name}**: {text}" + (f" [{default}]" if default else "") for name, default, text in options_of(task)]
    about = ABOUT[task]
    lines = [f"Train {task}: learn {about.learns}.", "", f"DATA is {about.data}.", ""]
    return "\n".join([*lines, "Options, each given as key=value, with their defaults:", "", *rows, ""])


def options_of(task: str) -> list[tuple[str, str, str]]:
    """Return name, default and description of each option of a training."""
    from kinoscope.api.train_registry import TASKS as GENERIC_TASKS
    from kinoscope.api.train_segments import OPTIONS as SEGMENTS
    from kinoscope.api.train_sync import OPTIONS as SYNC
    from kinoscope.training.classification.options import describe_options

    if task in GENERIC_TASKS:
        return GENERIC_TASKS[task].options()
    if task == "classify":
        return describe_options()
    return [(name, default, text) for name, (default, text) in (SYNC if task == "sync" else SEGMENTS).items()]
