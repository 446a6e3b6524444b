"""Export of a model to the format of another runtime: written, run, compared with torch, and only then kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinoscope.core.errors import ModelError, OptionError
from kinoscope.core.files import atomic_write, claim_output, command_id
from kinoscope.core.optional import require_extra
from kinoscope.core.untrusted import read_json
from kinoscope.core.validation import suggest
from kinoscope.models.exporting.cards import card_source
from kinoscope.models.exporting.formats import ExportFormat, find_format
from kinoscope.models.exporting.trained import generator_source, predictor_source, sync_source
from kinoscope.models.formats.trained_model import METADATA_FILE
from kinoscope.models.registry import card_names, find
from kinoscope.models.trainable.generators import bundled_generators
from kinoscope.results.export import ExportResult

if TYPE_CHECKING:
    from kinoscope.models.exporting.network import ExportSource

FOLDER_SOURCES: dict[str, Callable[[Path], ExportSource]] = {
    "classify": lambda folder: card_source(find(str(folder))), "generate": lambda folder: generator_source(str(folder)),
    "predict": predictor_source, "sync": sync_source,
}  # fmt: skip
"""Task of a trained model -> function that returns its network."""


def export_model(
    reference: str | os.PathLike[str], form: str, out: str | os.PathLike[str], overwrite: bool = False
) -> ExportResult:
    """Export a model, and return the written files, the inputs and outputs, and the differences from torch.

    Args:
        reference: a card, ``hf:organisation/name``, a bundled generator, or the folder of a trained model.
        form: name of the format.
        out: file to write; its suffix is that of the format.
        overwrite: replace the file of another model or format.

    Raises:
        OptionError: there is no such model or format, or the file has another suffix.
        ModelError: the model cannot be exported, or its outputs differ from those in torch.
        WeightsMissing: its weights are not available.
        MissingExtra: the package of the format is not installed.
        OutputError: the file exists and is of another origin, or cannot be written.
    """
    name, target, row = os.fspath(reference), Path(out), find_format(form)
    files = row.files(target)
    source = find_source(name)
    identity = (os.path.realpath(name) if Path(name).is_dir() else name, form)
    names = [path.name for path in files]
    folder = os.path.dirname(os.fspath(out)) or "."  # as text: Path would change an address
    with claim_output(
        folder, command_id("export", [name], identity), _files_in(name), names=names, overwrite=overwrite
    ):
        return _write(name, source, row, files)


def _write(name: str, source: ExportSource, row: ExportFormat, files: tuple[Path, ...]) -> ExportResult:
    """Write the files of a claimed path."""
    from kinoscope.models.exporting.network import ExportNetwork
    from kinoscope.models.exporting.verify import verify

    if row.requires:
        require_extra(*row.requires)
    network = ExportNetwork(source)
    with _temporary(files) as temporary:
        row.write(network, temporary)
        differences = verify(network, row, temporary)
    return ExportResult(
        name,
        format=row.name,
        inputs=network.inputs,
        outputs=network.outputs,
        differences=differences,
        metadata=network.metadata,
        written=list(files),
    )


@contextmanager
def _temporary(files: tuple[Path, ...]) -> Iterator[tuple[Path, ...]]:
    """Yield temporary paths for files; they get their names in the end, the first one last."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(atomic_write(path)) for path in files)


def _files_in(name: str) -> list[Path]:
    """Return the files of a model's folder: none of them is ever replaced."""
    return [path for path in Path(name).iterdir() if path.is_file()] if Path(name).is_dir() else []


def find_source(reference: str) -> ExportSource:
    """Return the network of a model by its name or folder, not built yet; names take precedence.

    Raises:
        OptionError: there is no such model.
        ModelError: it cannot be exported.
        WeightsMissing: a model of the hub is not available.
    """
    cards, generators = card_names(), bundled_generators()
    if reference in cards or reference.startswith("hf:"):
        return card_source(find(reference))
    if reference in generators:
        return generator_source(reference)
    if Path(reference).is_dir():
        return _folder_source(Path(reference))
    names = [*cards, *generators]
    raise OptionError(
        f"no model is called {reference}, and it is no folder of a trained one; {suggest(reference, names)}"
        f"known: {', '.join(names)}"
    )


def _folder_source(folder: Path) -> ExportSource:
    try:
        task = str(read_json(folder / METADATA_FILE)["task"])
    except (OSError, ValueError, KeyError, TypeError):
        task = "classify"  # a model of the Transformers library, or an error that says what is wrong
    if task not in FOLDER_SOURCES:
        raise ModelError(
            f"{folder} was trained to {task}, which cannot be exported; give a model of: {', '.join(FOLDER_SOURCES)}"
        )
    return FOLDER_SOURCES[task](folder)
