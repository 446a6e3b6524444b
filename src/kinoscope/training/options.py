"""Options that trainings share, and the files in which a run keeps its options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.files import atomic_write
from kinoscope.core.options import Options, option
from kinoscope.core.untrusted import read_json

DEVICES = ("auto", "cpu", "cuda")
OPTIONS_FILE = "options.json"
"""File of the options of a run, in its folder."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(Options):
    """Options of every training.

    Attributes:
        changeable: names of the options that may change when a run is resumed: they do not change its result.
    """

    changeable: ClassVar[tuple[str, ...]] = ("device",)

    seed: int = option(0, "seed of everything random", low=0, high=2**31 - 1)
    device: str = option("auto", "auto (a GPU if there is one), cpu or cuda", choices=DEVICES)

    @classmethod
    def defaults(cls, pairs: Sequence[str]) -> Self:
        """Return the defaults, which may depend on some of the ``key=value`` pairs that are applied to them."""
        return cls()

    def check_available(self) -> None:
        """Check what needs more than the options themselves, such as devices and files, before data is read.

        Raises:
            KinoscopeError: something is not available.
        """
        from kinoscope.models.runtime.runner import check_device

        check_device(self.device)


@dataclass(frozen=True, kw_only=True)
class EpochOptions(TrainingOptions):
    """Options of a training in epochs."""

    changeable: ClassVar[tuple[str, ...]] = ("epochs", "device")

    epochs: int = option(20, "number of epochs; after each, metrics and a checkpoint are written", low=1, high=100_000)
    batch: int = option(16, "clips of one step, over all processes", low=1, high=65_536)
    ema: float = option(
        0.995, "decay of the moving average of the weights, which is what is saved; 0 saves the weights themselves",
        low=0, below=1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StepOptions(EpochOptions):
    """Options of a training whose epochs are a number of steps."""

    steps: int = option(100, "optimizer steps of an epoch", low=1)


@dataclass(frozen=True, kw_only=True)
class SplitOptions(TrainingOptions):
    """Options of a training that holds out some of its clips."""

    val: float = option(
        0.2, "share of the clips that is held out for validation, where the data does not say; 0 learns from all",
        low=0, below=1,
    )  # fmt: skip
    group: str = option("", "what stays on one side of a split: index//24, number//8 or a pattern such as (person\\d+)")

    def check_available(self) -> None:
        """Check the device, and the rule that groups clips."""
        from kinoscope.training.data.grouping import check_group

        super().check_available()
        check_group(self.group)


T = TypeVar("T", bound=TrainingOptions)


def save_options(path: Path, options: Options, metadata: Mapping[str, Any]) -> None:
    """Write options as JSON, with ``metadata`` on the run (its task and data).

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(dict(metadata) | {"options": options.to_dict()}, indent=1) + "\n", "utf-8")


def read_saved_options(path: Path, kind: type[T], task: str | None = None) -> tuple[T, dict[str, Any]]:
    """Read the saved options of a run, and the metadata saved with them.

    Options that earlier releases named differently are read under their present names.

    Args:
        path: of the file.
        kind: class of the options.
        task: name of the training that the run must be of; any if not given.

    Raises:
        ModelError: there are none, the file is damaged, or the run is of another training.
    """
    try:
        metadata = read_json(path, allow_nan=True)
        options = _take_options(metadata)
        if task is not None and (of := metadata.get("task", task)) != task:
            raise ModelError(
                f"{path.parent} is a run of train {of}, not {task}; "
                f"resume it with `kinoscope train {of} --resume-from {path.parent}`"
            )
        return kind.from_dict(options), metadata
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"{path.parent} is no training run: it has no {path.name}; give a folder of one") from None
    except (OSError, ValueError, TypeError, OptionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{path} is damaged ({reason}); restart the training") from None


def _take_options(metadata: Any) -> Mapping[str, Any]:
    """Return the options out of the saved metadata, which then have them no more.

    Raises:
        ValueError: there are none, or the name of the data is no text.
    """
    options = metadata.pop("options", None) if isinstance(metadata, dict) else None
    if not isinstance(options, Mapping):
        raise ValueError("it has no options")
    if not isinstance(metadata.get("data", ""), str):
        raise ValueError("the name of its data is no text")
    return options


def new_or_resumed_options(
    kind: type[T], task: str, data: str | None, pairs: Sequence[str], resume: str | Path | None, needs: str
) -> tuple[T, str]:
    """Return the options of a training and the name of its data; those of the saved run where it resumes.

    Args:
        kind: class of the options.
        task: name of the training.
        data: name of the data; a ``key=value`` pair in its place is one more pair.
        pairs: options given as ``key=value``.
        resume: folder of the run to resume.
        needs: description of the data, for the message if there is none.

    Raises:
        OptionError: there is no data, or an option cannot be used.
        ModelError: there is no run to resume.
    """
    if data is not None and "=" in data and not Path(data).exists():
        pairs, data = (data, *pairs), None
    owner = f"train {task}"
    if resume is not None:
        saved, metadata = read_saved_options(Path(resume) / OPTIONS_FILE, kind, task)
        pairs, data = [*pairs], data or metadata.get("data")
        if data is not None:
            return kind.parse(pairs, saved, owner), data
    if data is None:
        raise OptionError(f"no clips are given; {owner} needs {needs}")
    return kind.parse(pairs, kind.defaults(pairs), owner), data
