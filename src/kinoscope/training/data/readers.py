"""Readers of labelled clips in folders and tables. Nothing is opened but the tables."""

from __future__ import annotations

import csv
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from kinoscope.core.errors import DatasetError, OptionError
from kinoscope.core.time import parse_time
from kinoscope.core.validation import closest_name, suggest
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.grouping import group_by

log = logging.getLogger("kinoscope")

SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Name of a split's folder, or in a table -> split."""

COLUMNS = ("path", "label", "start", "end", "group", "split")
KINETICS = ("label", "youtube_id", "time_start", "time_end", "split")

Row = Mapping[str, str]


def read_dataset(path: str | Path, group: str = "") -> Dataset:
    """Read the labelled clips of a folder or a CSV table.

    - A folder ``root/<class>/*``, or ``root/{train,val,test}/<class>/*``: a clip is a video, an image that is a strip
      of square frames side by side, or a folder of images; images are played at 25 frames per second. Subfolders are
      searched, too.
    - A CSV with columns ``path`` and ``label`` and, optionally, ``start``, ``end`` (seconds or a clock), ``group`` and
      ``split`` (train, val or test). Paths are relative to the table's folder.
    - A CSV of Kinetics (label, youtube_id, time_start, time_end, split): the clips are anywhere below its folder as
      ``<id>_<start>_<end>.mp4``, with six digits each, or as ``<id>.mp4``; missing clips are skipped.

    A label such as ``run|jump`` names several classes.

    Args:
        path: the folder or table.
        group: a rule that groups clips by their names; see ``kinoscope.training.data.grouping``. It replaces a table's
            groups.

    Raises:
        DatasetError: there is nothing to read, a class is empty, or a table is not valid; in one line.
    """
    source = Path(path)
    if source.is_dir():
        examples, classes = _read_folder(source)
    elif source.is_file() and source.suffix.lower() in (".csv", ".tsv"):
        examples = _read_table(source)
        classes = sorted({label for example in examples for label in example.labels})
    else:
        raise DatasetError(_explain_missing(source))
    if group:
        examples = list(group_by(examples, group, source if source.is_dir() else source.parent))
    return Dataset(str(path), tuple(examples), tuple(classes), any(len(example.labels) != 1 for example in examples))


def read_unlabelled(path: str | Path) -> tuple[Dataset, bool]:
    """Read clips that need no labels: those directly in a folder, or what ``read_dataset`` reads.

    Returns them, and whether they have labels.

    Raises:
        DatasetError: there is nothing to read.
    """
    folder = Path(path)
    if not folder.is_dir() or _folders(folder):
        return read_dataset(path), True
    examples = tuple(Example(str(clip), ()) for clip in find_clips(folder))
    if not examples:
        raise DatasetError(f"{folder} holds no clips; put videos there, strips of square frames or folders of frames")
    return Dataset(str(path), examples, ()), False


def _explain_missing(source: Path) -> str:
    if source.exists():
        return f"{source} is neither a folder nor a .csv; give a folder with one folder for each class, or a table"
    names = [entry.name for entry in source.parent.iterdir()] if source.parent.is_dir() else []
    return f"{source} does not exist; {suggest(source.name, names).strip() or 'check the path'}"


def _read_folder(root: Path) -> tuple[list[Example], list[str]]:
    folders = _folders(root)
    splits = [SPLITS.get(folder.name.lower()) for folder in folders]
    if not folders or None in splits:
        return _read_classes(root, None)
    examples: list[Example] = []
    names: set[str] = set()
    for folder, split in zip(folders, splits, strict=True):
        clips, classes = _read_classes(folder, split, allow_empty=True)
        examples += clips
        names.update(classes)
    _refuse_empty(root, names, examples)
    return examples, sorted(names)


def _read_classes(root: Path, split: str | None, allow_empty: bool = False) -> tuple[list[Example], list[str]]:
    folders = _folders(root)
    if not folders:
        raise DatasetError(_no_classes(root))
    examples = [
        Example(str(clip), _labels(folder.name), split=split) for folder in folders for clip in find_clips(folder)
    ]
    classes = {label for folder in folders for label in _labels(folder.name)}
    if not allow_empty:
        _refuse_empty(root, classes, examples)
    return examples, sorted(classes)


def _refuse_empty(root: Path, classes: Iterable[str], examples: Iterable[Example]) -> None:
    counts = Counter(label for example in examples for label in example.labels)
    empty = sorted(name for name in classes if not counts[name])
    if not counts:
        raise DatasetError(f"{root} holds no clips: its class folders have no video, strip or folder of frames in them")
    if empty:
        which = f"class {empty[0]} is" if len(empty) == 1 else f"classes {', '.join(empty)} are"
        raise DatasetError(f"{which} empty in {root}; put clips there, or remove the folder")


def _no_classes(root: Path) -> str:
    clips = len(list(find_clips(root)))
    if clips:
        return f"{root} holds {clips} clips but no class folders; put the clips of each class in a folder of its own"
    return f"{root} holds no clips; make a folder for each class and put its clips there, or give a .csv"


def _labels(text: str) -> tuple[str, ...]:
    """Split ``a|b`` into its classes."""
    return tuple(dict.fromkeys(part.strip() for part in text.split("|") if part.strip()))


def _folders(root: Path) -> list[Path]:
    return [entry for entry in _entries(root) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    """Return the visible entries of a folder, in natural order."""
    from kinoscope.source.images import natural_key

    try:
        visible = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__"))]
    except OSError as error:
        raise DatasetError(f"cannot read the folder {folder}: {error.strerror}; check its permissions") from None
    return sorted(visible, key=natural_key)


def find_clips(folder: Path, parents: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the clips below a folder in natural order: videos, strips, and folders of images.

    Args:
        parents: the folders above, so that links which lead back are not followed.

    Raises:
        DatasetError: a folder cannot be read.
    """
    from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    parents = parents | {folder.resolve()}
    for entry in _entries(folder):
        if entry.is_dir():
            if _are_frames(_entries(entry)):
                yield entry
            elif entry.resolve() not in parents:
                yield from find_clips(entry, parents)
        elif entry.suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES and entry.is_file():
            yield entry


def _are_frames(entries: Sequence[Path]) -> bool:
    """Return whether a folder with these entries is one clip: images that are no strips, and no videos beside them."""
    from kinoscope.source.folders import are_strips
    from kinoscope.source.images import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    images = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES]
    return (
        bool(images) and not any(entry.suffix.lower() in VIDEO_SUFFIXES for entry in entries) and not are_strips(images)
    )


def _read_table(path: Path) -> list[Example]:
    rows = list(_rows(path))
    if not rows:
        raise DatasetError(f"{path} names no clips; give a row for each, below the columns path,label")
    if "youtube_id" in rows[0]:
        return _read_kinetics(path, rows)
    _check_columns(path, rows[0], COLUMNS, ("path", "label"))
    # A clip without labels shows none of the classes, which only multi-label data allows.
    several = any("|" in row["label"] for row in rows)
    examples = [_example(path, number, row, several) for number, row in enumerate(rows, 2)]
    missing = [(number, clip) for number, clip in enumerate(examples, 2) if not os.path.exists(clip.path)]
    if missing:
        number, first = missing[0]
        raise DatasetError(
            f"{len(missing)} of the {len(rows)} clips in {path} do not exist, the first in line {number}: "
            f"{first.path}; paths are relative to the table's folder"
        )
    return examples


def _rows(path: Path) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            for row in reader:
                if None in row or None in row.values():
                    raise DatasetError(
                        f"{path} has other than {len(reader.fieldnames or ())} fields in line {reader.line_num}; "
                        "put a field with commas in double quotes"
                    )
                yield {name.strip(): value.strip() for name, value in row.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a table ({error}); save it as CSV in UTF-8") from None


def _check_columns(path: Path, row: Row, known: tuple[str, ...], needed: tuple[str, ...]) -> None:
    unknown = [name for name in row if name not in known]
    missing = [name for name in needed if name not in row]
    if not unknown and not missing:
        return
    problems = [f"has no column {', '.join(missing)}"] if missing else []
    for name in unknown:
        near = closest_name(name, known)
        problems.append(f"has an unknown column {name}" + (f" (did you mean {near}?)" if near else ""))
    raise DatasetError(f"{path} {' and '.join(problems)}; the columns are {', '.join(known)}")


def _example(path: Path, number: int, row: Row, several: bool) -> Example:
    where = f"line {number} of {path}"
    labels = _labels(row["label"])
    if not labels and not several:
        raise DatasetError(f"{where} has no label; name the class of {row['path'] or 'the clip'}")
    if not row["path"]:
        raise DatasetError(f"{where} has no path; name the clip")
    start, end = _time(where, row.get("start", "")), _time(where, row.get("end", ""))
    if end is not None and end <= (start or 0):
        raise DatasetError(f"{where}: end {end:g} s is not after start {start or 0:g} s")
    clip = str(path.parent / row["path"])
    return Example(clip, labels, start, end, row.get("group", ""), _split(where, row.get("split", "")))


def _time(where: str, text: str) -> float | None:
    try:
        return float(parse_time(text)) if text else None
    except OptionError as error:
        raise DatasetError(f"{where}: {error}") from None


def _split(where: str, text: str) -> str | None:
    if text and text.lower() not in SPLITS:
        raise DatasetError(f"{where}: split {text} is unknown; choose train, val or test, or leave it empty")
    return SPLITS[text.lower()] if text else None


def _read_kinetics(path: Path, rows: list[Row]) -> list[Example]:
    from kinoscope.source.images import VIDEO_SUFFIXES

    _check_columns(path, rows[0], KINETICS, KINETICS[:4])
    files = {
        Path(name).stem: os.path.join(folder, name)
        for folder, _, names in os.walk(path.parent)
        for name in sorted(names)
        if Path(name).suffix.lower() in VIDEO_SUFFIXES
    }
    clips = [_kinetics(path, number, row, files) for number, row in enumerate(rows, 2)]
    examples = [example for example in clips if example is not None]
    if not examples:
        raise DatasetError(
            f"none of the {len(rows)} clips in {path} is below {path.parent}; they are searched for as "
            f"{rows[0]['youtube_id']}_000010_000020.mp4 or {rows[0]['youtube_id']}.mp4"
        )
    if len(examples) < len(rows):
        log.warning("%d of the %d clips in %s are not there", len(rows) - len(examples), len(rows), path)
    return examples


def _kinetics(path: Path, number: int, row: Row, files: Mapping[str, str]) -> Example | None:
    where = f"line {number} of {path}"
    start, end = _time(where, row["time_start"]), _time(where, row["time_end"])
    labels, split, name = _labels(row["label"]), _split(where, row.get("split", "")), row["youtube_id"]
    name_of_part = f"{name}_{int(start or 0):06d}_{int(end or 0):06d}"
    if name_of_part in files:
        return Example(files[name_of_part], labels, group=name, split=split)
    return Example(files[name], labels, start, end, name, split) if name in files else None
