"""Check of a dataset that opens every file: unreadable, silent, tiny, duplicate clips, and leaks between splits.

Identical content is recognized by its sha256. Nearly identical content (encoded again, in another size, brighter) is
recognized by a fingerprint of the decoded frames, of which both parts must agree: appearance and changes; so that two
moments of one static camera are not taken for duplicates.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.arrays import BoolArray, Float32Array
from kinoscope.core.errors import wrap_error
from kinoscope.core.media import Audio, Pixels
from kinoscope.models.runtime.runner import core_count
from kinoscope.training.data.dataset import Dataset, Example
from kinoscope.training.data.frame_cache import opened
from kinoscope.training.data.splits import group_of

if TYPE_CHECKING:
    from kinoscope.source.base import Source

MIN_FRAMES, MIN_SECONDS, MIN_SIDE = 8, 0.5, 32
"""Frames, seconds, and pixels of the shorter side below which a clip is tiny."""

MAX_SILENT_AMPLITUDE = 1e-3
"""Peak amplitude, 0 to 1, below which audio counts as silent: 60 dB under full scale."""

AUDIO_RATE = 8_000

FINGERPRINT_SIDE, FINGERPRINT_FRAMES = 16, 8
"""Width and height of a fingerprint in pixels, and its number of frames."""

MIN_APPEARANCE_CORRELATION, MIN_CHANGES_CORRELATION = 0.98, 0.9
"""Correlations of appearance, and of changes, from which two clips are near duplicates."""

MIN_CONTRAST = 0.5
"""Change in grey levels below which a clip counts as static."""

COMPARED_AT_ONCE = 512
"""Clips that are compared with all others in one matrix product."""


KINDS = {
    "unreadable": "cannot be read, or not to its end",
    "tiny": f"fewer than {MIN_FRAMES} frames, shorter than {MIN_SECONDS:g} s, or smaller than {MIN_SIDE} pixels",
    "duplicate": "the same content as another clip",
    "near duplicate": "nearly the same content as another clip",
    "leak": "in two splits: its file, its content or its group",
    "silent": "no audio, or only silence",
}
"""Kinds of findings, the worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        kind: one of ``KINDS``.
        path: of the clip.
        detail: description; for a pair, the other clip.
    """

    kind: str
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Report of a check.

    Attributes:
        checked: number of examples.
        findings: the worst kinds first, then in the dataset's order.
    """

    checked: int
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """0 if the dataset can be trained on; 1 if clips are unreadable, or in two splits."""
        return int(any(finding.kind in ("unreadable", "leak") for finding in self.findings))

    def rows(self) -> list[dict[str, str]]:
        """Return the findings as dictionaries."""
        return [asdict(finding) for finding in self.findings]

    def count(self) -> dict[str, int]:
        """Return the number of findings of each kind that has some."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    def lines(self, max_shown: int = 5) -> Iterator[str]:
        """Yield the lines of a report that shows up to ``max_shown`` findings of each kind."""
        counts = self.count()
        yield f"{self.checked} clips checked" + ("" if counts else ": no problems")
        for kind, count in counts.items():
            yield f"{count} {kind}: {KINDS[kind]}"
            findings = [finding for finding in self.findings if finding.kind == kind]
            yield from (f"  {finding.path}: {finding.detail}" for finding in findings[:max_shown])
            if count > max_shown:
                yield f"  and {count - max_shown} more"

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(slots=True)
class _Examination:
    """Findings and fingerprint of one example."""

    example: Example
    findings: list[Finding] = field(default_factory=list)
    digest: str = ""
    appearance: Float32Array | None = None
    changes: Float32Array | None = None

    def add(self, kind: str, detail: str) -> None:
        self.findings.append(Finding(kind, self.example.path, detail))


def check(
    dataset: Dataset,
    splits: Mapping[str, Sequence[Example]] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    audio: bool = False,
) -> DatasetReport:
    """Open and decode every example of a dataset and report what is wrong with it.

    Args:
        splits: in which to look for leaks; by default those that the data defines.
        workers: number of threads; by default one for each core.
        progress: called with the number of finished examples, and of all.
        audio: whether the training uses audio, so that silent clips are errors.
    """
    count = len(dataset.examples)
    examinations = []
    with ThreadPoolExecutor(workers or core_count(), "check") as pool:
        for done, examination in enumerate(pool.map(partial(_examine, audio=audio), dataset.examples), 1):
            examinations.append(examination)
            if progress:
                progress(done, count)
    parts = _parts(dataset, splits)
    pairs = [*_duplicates(examinations), *_near_duplicates(examinations)]
    findings = [finding for examination in examinations for finding in examination.findings]
    findings += [Finding(kind, ours.path, f"as {other.path}") for kind, ours, other in pairs]
    findings += _leaks(dataset.examples, [(ours, other) for _, ours, other in pairs], parts)
    rank = list(KINDS)
    return DatasetReport(count, tuple(sorted(findings, key=lambda finding: rank.index(finding.kind))))


def _examine(example: Example, audio: bool) -> _Examination:
    examination = _Examination(example)
    try:
        examination.digest = _digest(Path(example.path))
        with opened(example.path, example.start, example.end) as source:
            _decode(source, examination, audio)
    except OSError as error:
        examination.add("unreadable", str(error))
    except Exception as error:
        examination.add("unreadable", str(wrap_error(error, str(example.path))))
    return examination


def _digest(path: Path) -> str:
    """Return the sha256 of a file, or of the files of a folder."""
    files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _decode(source: Source, examination: _Examination, audio: bool) -> None:
    """Decode a source to its end and record what is wrong with it."""
    thumbnails, times, peak = [], [], 0.0
    for item in source.read(audio_rates=(AUDIO_RATE,) if audio and source.info.has_audio else ()):
        if isinstance(item, Audio):
            peak = max(peak, float(np.abs(item.samples).max(initial=0)))
        else:
            thumbnails.append(item.pixels((FINGERPRINT_SIDE, FINGERPRINT_SIDE)))
            times.append(float(item.time))
            step = float(item.duration or 1 / (source.info.rate or 25))
    if not thumbnails:
        examination.add("unreadable", "no frame can be decoded between its start and end")
        return
    _check_quality(source, examination, len(thumbnails), times[-1] + step - times[0])
    if audio and peak < MAX_SILENT_AMPLITUDE:
        examination.add("silent", "its audio is silent" if source.info.has_audio else "no audio")
    examination.appearance, examination.changes = fingerprint(np.stack(thumbnails))


def _check_quality(source: Source, examination: _Examination, frames: int, seconds: float) -> None:
    report, info = source.report, source.info
    if report.failures or not report.complete:
        examination.add("unreadable", "; ".join(report.errors[:2]) or f"{report.failures} frames cannot be decoded")
    if frames < MIN_FRAMES or seconds < MIN_SECONDS - 1e-6 or min(info.size) < MIN_SIDE:
        examination.add("tiny", f"{frames} frames, {seconds:.2f} s, {info.width}x{info.height} pixels")


def fingerprint(pixels: Pixels) -> tuple[Float32Array | None, Float32Array | None]:
    """Return appearance and changes of a clip as two vectors of length 1; None for a vector without contrast.

    Args:
        pixels: (T, SIDE, SIDE, 3) uint8, the whole clip.
    """
    picks = np.linspace(0, len(pixels) - 1, FINGERPRINT_FRAMES).round().astype(int)
    grey = pixels[picks].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return _normalize(grey - grey.mean()), _normalize(grey - grey.mean(0))


def _normalize(values: Float32Array) -> Float32Array | None:
    if float(np.sqrt((values**2).mean())) < MIN_CONTRAST:
        return None
    return np.asarray(values.ravel() / np.linalg.norm(values), np.float32)


Pair = tuple[str, Example, Example]


def _duplicates(examinations: Iterable[_Examination]) -> Iterator[Pair]:
    """Yield each example with the first one of the same content and the same start and end."""
    firsts: dict[tuple[str, float | None, float | None], Example] = {}
    for examination in examinations:
        if not any(finding.kind == "unreadable" for finding in examination.findings):
            first = firsts.setdefault(
                (examination.digest, examination.example.start, examination.example.end), examination.example
            )
            if first is not examination.example:
                yield "duplicate", examination.example, first


def _near_duplicates(examinations: Iterable[_Examination]) -> Iterator[Pair]:
    """Yield each example with the first one that is a near duplicate."""
    comparable = [examination for examination in examinations if examination.appearance is not None]
    if not comparable:
        return
    appearance = np.stack([examination.appearance for examination in comparable if examination.appearance is not None])
    changes = np.stack(
        [
            np.zeros_like(appearance[0]) if examination.changes is None else examination.changes
            for examination in comparable
        ]
    )
    static: BoolArray = np.array([examination.changes is None for examination in comparable])
    for start in range(0, len(comparable), COMPARED_AT_ONCE):
        part = slice(start, start + COMPARED_AT_ONCE)
        same_changes = (changes[part] @ changes.T >= MIN_CHANGES_CORRELATION) | (static[part, None] & static)
        for row, other in np.argwhere((appearance[part] @ appearance.T >= MIN_APPEARANCE_CORRELATION) & same_changes):
            ours, first = comparable[start + row], comparable[other]
            if other < start + row and ours.digest != first.digest:
                yield "near duplicate", ours.example, first.example


def _parts(dataset: Dataset, splits: Mapping[str, Sequence[Example]] | None) -> dict[Example, str]:
    """Return the split of each example, without those that have none."""
    if splits is not None:
        return {example: name for name, part in splits.items() for example in part}
    return {example: example.split for example in dataset.examples if example.split}


def _leaks(
    examples: Sequence[Example], pairs: Iterable[tuple[Example, Example]], parts: Mapping[Example, str]
) -> Iterator[Finding]:
    """Yield what is in two splits: once for each pair of contents, and once for each group."""
    for ours, other in pairs:
        if parts.get(ours, "") != parts.get(other, "") and ours in parts and other in parts:
            yield Finding("leak", ours.path, f"in {parts[ours]}, and {other.path} in {parts[other]}")
    members: dict[str, dict[str, Example]] = defaultdict(dict)
    for example in examples:
        if example in parts:
            members[group_of(example)].setdefault(parts[example], example)
    for group, examples_of in members.items():
        if len(examples_of) > 1:
            first = next(iter(examples_of.values()))
            shared = group if first.group else "its file"
            yield Finding("leak", first.path, f"{shared} is in {' and '.join(sorted(examples_of))}")
