"""Where verbs of one task keep what they find: a timeline in a folder for each source, if a folder is wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from kinoscope.core import files
from kinoscope.core.errors import OutputError, OutputExists
from kinoscope.core.results import Timeline
from kinoscope.pipeline import inputs

SaveTimeline = Callable[[Timeline], None]
ClaimFolder = Callable[[], AbstractContextManager[SaveTimeline]]
"""Claims the folder of a source, and yields what saves its timeline there."""

OUTPUT_NAMES = ("timeline.json", "features.safetensors")


def claim_folders(
    verb: str, names: Sequence[str], out: str | Path | None, overwrite: bool, private: bool = False
) -> list[ClaimFolder]:
    """Return for each source what claims its folder; nothing is written where no folder is given."""
    if out is None:
        return [_nowhere for _ in names]

    def claim(name: str, folder: Path) -> AbstractContextManager[SaveTimeline]:
        return _claim(verb, name, folder, overwrite, private)

    def fits(name: str, folder: Path) -> bool:
        try:
            with claim(name, folder):
                return True
        except OutputExists:
            return False
        except OutputError:  # no other number would help: it is reported when the source has its turn
            return True

    folders = inputs.result_folders(names, Path(out), fits)
    return [partial(claim, name, folder) for name, folder in zip(names, folders, strict=True)]


@contextmanager
def _nowhere() -> Iterator[SaveTimeline]:
    yield lambda timeline: None


@contextmanager
def _claim(verb: str, name: str, folder: Path, overwrite: bool, private: bool) -> Iterator[SaveTimeline]:
    from kinoscope.views.formats.json import save

    def write(timeline: Timeline) -> None:
        files.prepare_folder(folder)
        save(timeline, folder)
        files.remove_replaced(folder / "timeline.json", ["images"])

    by = files.command_id(verb, [name])
    with files.claim_output(
        folder, by, inputs.files_of(name), names=OUTPUT_NAMES, overwrite=overwrite, private=private
    ):
        yield write
