"""The folder of a training run: its name, what may be in it, and its lock."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.core.files import lock_exclusively, prepare_folder, require_free
from kinoscope.core.launcher import current_launch

PLOTS = ("curves.png", "confusion.png", "worst.png")
"""Plots of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The folder of a run.

    Attributes:
        task: name of the training.
        out: the folder; numbered below ``runs`` if not given.
        name: of the run; that of the data if not given.
        resume: folder of the run that is resumed.
        dry_run: whether nothing is written.
    """

    task: str
    out: str | Path | None = None
    name: str | None = None
    resume: str | Path | None = None
    dry_run: bool = False

    def check(self) -> None:
        """Check what is given together.

        Raises:
            OptionError: the name leads into another folder, or a run is resumed elsewhere.
        """
        if self.name in ("..", ".") or (self.name and Path(self.name).name != self.name):
            raise OptionError(f"name {self.name} is a path; give a name, or the whole folder with -o FOLDER")
        other = self.out is not None and self.resume and Path(self.out).resolve() != Path(self.resume).resolve()
        if other or (self.resume is not None and self.name is not None):
            raise OptionError(f"out and name are for a new run, and this one resumes in {self.resume}; leave them out")

    @property
    def is_written(self) -> bool:
        """Whether this process writes to it."""
        return not self.dry_run and is_first_process()

    def prepare(self, data: str) -> Path:
        """Create and return the folder of a new run, or return that of the resumed run.

        Raises:
            OptionError: it holds a run already.
            OutputError: a file is in the way.
        """
        if self.resume:
            return Path(self.resume)
        name = self.name or Path(data).resolve().stem
        folder = Path(self.out) if self.out else numbered(Path("runs") / self.task, name, create=self.is_written)
        if self.is_written:
            prepare_run(folder)
        return folder

    def lock(self, folder: Path) -> AbstractContextManager[None]:
        """Lock the folder while a block runs: two trainings at once would mix their files."""
        return lock_exclusively(folder) if self.is_written else nullcontext()


def is_first_process() -> bool:
    """Return whether this is the first of the processes that torchrun started: it writes files and logs."""
    return current_launch().rank == 0


def numbered(root: Path, name: str, create: bool = False) -> Path:
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


def prepare_run(folder: Path) -> None:
    """Create the folder of a new run.

    Raises:
        OptionError: it holds a run or a model already.
        OutputError: a file is in the way.
    """
    from kinoscope.training.checkpoint import LAST_CHECKPOINT
    from kinoscope.training.trainer import RUN_FILES

    if (folder / "options.json").exists():
        raise OptionError(
            f"{folder} holds a run already; resume it with --resume-from {folder}, or give another folder"
        )
    if (folder / "model.json").exists():
        raise OptionError(f"{folder} holds a model already; give another folder")
    prepare_folder(folder)
    for name in (*RUN_FILES, *PLOTS, LAST_CHECKPOINT):
        require_free(folder / name)
