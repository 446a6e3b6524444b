"""A check of a dataset that opens every file: what is broken, silent, tiny, there twice, or in two splits at once.

The same content is told by its sha256. Nearly the same (encoded again, in another size, brighter) is told by a
fingerprint of the decoded frames, of which two parts must agree: how the clip looks, and how it changes; so that two
moments before one camera that stands still are not taken for one.
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

FEWEST_FRAMES, SHORTEST, SMALLEST = 8, 0.5, 32
"""Frames, seconds, and pixels of the shorter side under which a clip is tiny."""

SILENCE = 1e-3
"""Loudest sample, 0 to 1, of a sound that nobody hears: 60 dB under full scale."""

SOUND_RATE = 8_000

SIDE, MOMENTS = 16, 8
"""A fingerprint is so many pixels wide and high, at so many moments."""

ALIKE, MOVES_ALIKE = 0.98, 0.9
"""Correlations of looks, and of changes, from which two clips are nearly the same."""

STILL = 0.5
"""Change in grey levels under which a clip counts as still."""

BLOCK = 512
"""Clips that are compared with all others at once."""


KINDS = {
    "broken": "cannot be read, or not to its end",
    "tiny": f"fewer than {FEWEST_FRAMES} frames, shorter than {SHORTEST:g} s, or smaller than {SMALLEST} pixels",
    "duplicate": "the same content as another clip",
    "near duplicate": "nearly the same content as another clip",
    "leak": "in two splits at once: its file, its content or its group",
    "silent": "no sound, or none that can be heard",
}
"""What can be found, the worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: one of ``KINDS``.
        path: of the clip.
        detail: what exactly; of a pair, the other clip.
    """

    kind: str
    path: str
    detail: str


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What a check found.

    Attributes:
        checked: number of examples.
        findings: the worst kinds first, then in the dataset's order.
    """

    checked: int
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """0 fit to be trained on; 1 not, as clips are broken, or are in two splits at once."""
        return int(any(finding.kind in ("broken", "leak") for finding in self.findings))

    def rows(self) -> list[dict[str, str]]:
        """Give the findings as plain rows."""
        return [asdict(finding) for finding in self.findings]

    def count(self) -> dict[str, int]:
        """Give how often each kind was found, those that were not found left out."""
        counts = Counter(finding.kind for finding in self.findings)
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    def lines(self, most: int = 5) -> Iterator[str]:
        """Yield the lines of a report that shows up to ``most`` findings of each kind."""
        counts = self.count()
        yield f"{self.checked} clips checked" + ("" if counts else ": all is well")
        for kind, count in counts.items():
            yield f"{count} {kind}: {KINDS[kind]}"
            found = [finding for finding in self.findings if finding.kind == kind]
            yield from (f"  {finding.path}: {finding.detail}" for finding in found[:most])
            if count > most:
                yield f"  and {count - most} more"

    def __str__(self) -> str:
        return "\n".join(self.lines())


@dataclass(slots=True)
class _Facts:
    """What was learned of one example by reading it."""

    example: Example
    findings: list[Finding] = field(default_factory=list)
    digest: str = ""
    looks: Float32Array | None = None
    changes: Float32Array | None = None

    def found(self, kind: str, detail: str) -> None:
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
        splits: those that leaks are looked for in; by default those that the data gives.
        workers: files that are read at once; by default one for each core.
        progress: told how many of how many examples are done.
        audio: whether what is trained uses audio, so that silent clips are at fault.
    """
    count = len(dataset.examples)
    facts = []
    with ThreadPoolExecutor(workers or core_count(), "health") as pool:
        for done, one in enumerate(pool.map(partial(_examine, audio=audio), dataset.examples), 1):
            facts.append(one)
            if progress:
                progress(done, count)
    parts = _parts(dataset, splits)
    pairs = [*_duplicates(facts), *_near(facts)]
    findings = [finding for one in facts for finding in one.findings]
    findings += [Finding(kind, ours.path, f"as {other.path}") for kind, ours, other in pairs]
    findings += _leaks(dataset.examples, [(ours, other) for _, ours, other in pairs], parts)
    rank = list(KINDS)
    return DatasetReport(count, tuple(sorted(findings, key=lambda finding: rank.index(finding.kind))))


def _examine(example: Example, audio: bool) -> _Facts:
    facts = _Facts(example)
    try:
        facts.digest = _digest(Path(example.path))
        with opened(example.path, example.start, example.end) as source:
            _watch(source, facts, audio)
    except OSError as error:
        facts.found("broken", str(error))
    except Exception as error:
        facts.found("broken", str(wrap_error(error, str(example.path))))
    return facts


def _digest(path: Path) -> str:
    """Give the sha256 of a file, or of the files of a folder."""
    files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _watch(source: Source, facts: _Facts, audio: bool) -> None:
    """Read a source to its end and note what is wrong with it."""
    small, times, loudest = [], [], 0.0
    for item in source.read(audio_rates=(SOUND_RATE,) if audio and source.info.has_audio else ()):
        if isinstance(item, Audio):
            loudest = max(loudest, float(np.abs(item.samples).max(initial=0)))
        else:
            small.append(item.pixels((SIDE, SIDE)))
            times.append(float(item.time))
            step = float(item.duration or 1 / (source.info.rate or 25))
    if not small:
        facts.found("broken", "no picture can be decoded in its stretch")
        return
    _judge(source, facts, len(small), times[-1] + step - times[0])
    if audio and loudest < SILENCE:
        facts.found("silent", "its sound cannot be heard" if source.info.has_audio else "no sound")
    facts.looks, facts.changes = fingerprint(np.stack(small))


def _judge(source: Source, facts: _Facts, frames: int, seconds: float) -> None:
    report, info = source.report, source.info
    if report.failures or not report.complete:
        facts.found("broken", "; ".join(report.errors[:2]) or f"{report.failures} frames cannot be decoded")
    if frames < FEWEST_FRAMES or seconds < SHORTEST - 1e-6 or min(info.size) < SMALLEST:
        facts.found("tiny", f"{frames} frames, {seconds:.2f} s, {info.width}x{info.height} pixels")


def fingerprint(pixels: Pixels) -> tuple[Float32Array | None, Float32Array | None]:
    """Give how a clip looks and how it changes: two vectors of length 1, None where there is nothing to see.

    Args:
        pixels: (T, SIDE, SIDE, 3) uint8, the whole clip.
    """
    picks = np.linspace(0, len(pixels) - 1, MOMENTS).round().astype(int)
    grey = pixels[picks].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return _unit(grey - grey.mean()), _unit(grey - grey.mean(0))


def _unit(values: Float32Array) -> Float32Array | None:
    if float(np.sqrt((values**2).mean())) < STILL:
        return None
    return np.asarray(values.ravel() / np.linalg.norm(values), np.float32)


Pair = tuple[str, Example, Example]


def _duplicates(facts: Iterable[_Facts]) -> Iterator[Pair]:
    """Yield each example with the first one of the same content and stretch."""
    seen: dict[tuple[str, float | None, float | None], Example] = {}
    for one in facts:
        if not any(finding.kind == "broken" for finding in one.findings):
            first = seen.setdefault((one.digest, one.example.start, one.example.end), one.example)
            if first is not one.example:
                yield "duplicate", one.example, first


def _near(facts: Iterable[_Facts]) -> Iterator[Pair]:
    """Yield each example with the first one that is nearly the same, but not of the same content."""
    shown = [one for one in facts if one.looks is not None]
    if not shown:
        return
    looks = np.stack([one.looks for one in shown if one.looks is not None])
    changes = np.stack([np.zeros_like(looks[0]) if one.changes is None else one.changes for one in shown])
    still: BoolArray = np.array([one.changes is None for one in shown])
    for start in range(0, len(shown), BLOCK):
        part = slice(start, start + BLOCK)
        moves = (changes[part] @ changes.T >= MOVES_ALIKE) | (still[part, None] & still)
        for row, other in np.argwhere((looks[part] @ looks.T >= ALIKE) & moves):
            ours, first = shown[start + row], shown[other]
            if other < start + row and ours.digest != first.digest:
                yield "near duplicate", ours.example, first.example


def _parts(dataset: Dataset, splits: Mapping[str, Sequence[Example]] | None) -> dict[Example, str]:
    """Give the split of each example, those without one left out."""
    if splits is not None:
        return {one: name for name, part in splits.items() for one in part}
    return {one: one.split for one in dataset.examples if one.split}


def _leaks(
    examples: Sequence[Example], pairs: Iterable[tuple[Example, Example]], parts: Mapping[Example, str]
) -> Iterator[Finding]:
    """Yield what is in two splits: once for each pair of contents, and once for each group."""
    for ours, other in pairs:
        if parts.get(ours, "") != parts.get(other, "") and ours in parts and other in parts:
            yield Finding("leak", ours.path, f"in {parts[ours]}, and {other.path} in {parts[other]}")
    members: dict[str, dict[str, Example]] = defaultdict(dict)
    for one in examples:
        if one in parts:
            members[group_of(one)].setdefault(parts[one], one)
    for group, found in members.items():
        if len(found) > 1:
            first = next(iter(found.values()))
            what = group if first.group else "its file"
            yield Finding("leak", first.path, f"{what} is in {' and '.join(sorted(found))}")
