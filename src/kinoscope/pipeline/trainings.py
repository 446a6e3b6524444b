"""The table of trainings. A new one is a trainer with its options in one file, and a row here.

Its classes are imported when it runs, so that listing the trainings, and the help of their options, load no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from kinoscope.core.errors import OptionError
from kinoscope.core.plugins import load_entry, load_row, plugins
from kinoscope.core.validation import suggest

if TYPE_CHECKING:
    from kinoscope.training.options import TrainingOptions
    from kinoscope.training.trainer import Trainer, TrainingSetup

PLUGINS = "kinoscope.trainings"
"""Group of the entry points by which other packages add a ``Training``."""

CLASSES = (
    "a folder with a folder of clips for each class, or train, val and test with such folders in them; or a CSV with "
    "the columns path and label and, as wanted, start, end (seconds or a clock), group and split"
)
SHORT_CLIPS = "a folder of short clips, in folders of their classes if there are some"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A row of the table.

    Attributes:
        name: of the training, in ``kinoscope train NAME``.
        learns: what the model learns, and for which command.
        data: description of the data.
        options: ``module:class`` of its ``TrainingOptions``.
        trainer: ``module:function`` that returns a ``Trainer`` from the options and a ``TrainingSetup``.
        columns: metric -> template of its part of the line of an epoch, such as ``loss {:.3f}``.
        usage: the commands that use the model, ``{}`` being its folder.
        labelled: whether the clips have classes, so that a check also looks at splits and a preview is possible.
        audio: whether clips without audio are useless.
        adds_to_model: whether the result is added to the folder of a model, so that there is no run to resume.
    """

    name: str
    learns: str
    data: str
    options: str
    trainer: str
    columns: Mapping[str, str]
    usage: tuple[str, ...]
    labelled: bool = False
    audio: bool = False
    adds_to_model: bool = False

    @property
    def options_class(self) -> type[TrainingOptions]:
        """The class of the options."""
        kind: type[TrainingOptions] = load_entry(EntryPoint(self.name, self.options, PLUGINS))
        return kind

    def build(self, options: Any, setup: TrainingSetup) -> Trainer:
        """Read the data, and return the trainer.

        Raises:
            DatasetError: the data cannot be used.
        """
        trainer: Trainer = load_entry(EntryPoint(self.name, self.trainer, PLUGINS))(options, setup)
        return trainer


_ROWS = (
    Training(
        name="classify",
        learns="the classes of clips, for `kinoscope classify` and `kinoscope analyze --model`",
        data=CLASSES,
        options="kinoscope.training.classification.options:ClassificationOptions",
        trainer="kinoscope.training.classification.train:ClassificationTrainer.build",
        columns={
            "train_loss": "loss {:.3f}", "val_loss": "val loss {:.3f}", "val_top1": "top-1 {:.1%}",
            "val_map": "mAP {:.1%}",
        },
        usage=(
            "kinoscope classify CLIP --model {}", "kinoscope analyze VIDEO --model {}", "kinoscope evaluate {} CLIPS",
            "kinoscope explain {} CLIP -o why",
        ),
        labelled=True,
    ),
    Training(
        name="segments",
        learns="the boundaries of segments in long videos, for a model that train classify wrote",
        data="an ActivityNet JSON of videos with labelled segments, preferably not those that the model learned from",
        options="kinoscope.training.segments.options:SegmentOptions",
        trainer="kinoscope.pipeline.training_data.segments:build",
        columns={"loss": "loss {:.3f}"},
        usage=("kinoscope classify VIDEO --model {}",),
        adds_to_model=True,
    ),
    Training(
        name="sync",
        learns="whether lips and audio match, for `kinoscope sync --model`",
        data="a folder of videos in which a person speaks",
        options="kinoscope.training.sync.options:SyncOptions",
        trainer="kinoscope.pipeline.training_data.sync:build",
        columns={"pair": "pair {}", "loss": "loss {:.3f}"},
        usage=("kinoscope sync VIDEO --model {}",),
        audio=True,
    ),
    Training(
        name="lipsync",
        learns="to generate the mouth of a person from audio, for `kinoscope lipsync`",
        data="a video, or a folder of videos, in which a person speaks",
        options="kinoscope.training.lipsync.options:LipSyncOptions",
        trainer="kinoscope.training.lipsync.train:LipSyncTrainer.build",
        columns={
            "l1": "l1 {:.3f}", "disc_loss": "disc loss {:.3f}", "sync": "sync {:.3f}", "val_psnr": "val psnr {:.3f}",
            "val_opening": "val opening {:.3f}",
        },
        usage=("kinoscope lipsync VIDEO AUDIO --model {} -o OUT.mp4",),
        audio=True,
    ),
    Training(
        name="generate",
        learns="to generate clips, for `kinoscope generate`",
        data=f"{SHORT_CLIPS}, or synthetic:moving, endless moving shapes",
        options="kinoscope.training.generation.options:GenerationOptions",
        trainer="kinoscope.training.generation.train:GeneratorTrainer.build",
        columns={
            "disc_loss": "disc loss {:.3f}", "gen_loss": "gen loss {:.3f}", "disc_accuracy": "disc accuracy {:.3f}",
            "diversity": "diversity {:.3f}", "motion": "motion {:.3f}", "augment_probability": "augment {:.3f}",
        },
        usage=("kinoscope generate {} -n 16 -o OUT.mp4",),
    ),
    Training(
        name="predict",
        learns="to predict the next frames of a video, for `kinoscope predict`",
        data=f"{SHORT_CLIPS}, or synthetic:bouncing, endless clips of two bouncing shapes",
        options="kinoscope.training.prediction.options:PredictionOptions",
        trainer="kinoscope.training.prediction.train:PredictionTrainer.build",
        columns={
            "loss": "loss {:.3f}", "mse": "squared error {:.3f}", "last_frame_mse": "of the last frame {:.3f}",
            "ssim": "ssim {:.3f}", "last_frame_ssim": "of the last frame {:.3f}",
        },
        usage=("kinoscope predict {} VIDEO -o OUT.mp4",),
    ),
)  # fmt: skip

TRAININGS: Mapping[str, Training] = {row.name: row for row in _ROWS}
"""The trainings of this package by name; the first is the most frequent one."""


def training_names() -> list[str]:
    """Return the names of all trainings, those of plugins last."""
    return list(dict.fromkeys([*TRAININGS, *plugins(PLUGINS)]))


def find_training(name: str) -> Training:
    """Return the training of that name.

    Raises:
        OptionError: there is none; the message suggests the nearest name.
        PluginError: it belongs to another package, which cannot be imported, or is no training.
    """
    if name in TRAININGS:
        return TRAININGS[name]
    known = training_names()
    if name not in known:
        raise OptionError(f"there is no task {name!r} to train; {suggest(name, known)}choose from {', '.join(known)}")
    return load_row(PLUGINS, name, Training)
