"""A gallery: the people and objects that are known by name, in one file.

Of each there are several samples: an embedding, its quality, a small portrait and its source. The file is safetensors,
which contains no code: ``embeddings.<kind>`` (N, D) float32 for each kind of sample, ``portraits`` (B,) uint8, all JPEG
files concatenated, and in its header, under ``kinoscope.gallery``, JSON with the rest, schema 1. It is written
atomically, and one process at a time changes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinoscope.core.arrays import Float32Array, Float64Array
from kinoscope.core.errors import GalleryError
from kinoscope.core.files import atomic_write, write_error
from kinoscope.core.untrusted import parse_json
from kinoscope.core.validation import suggest

SCHEMA = 1
HEADER = "kinoscope.gallery"
LOCK_TIMEOUT_SECONDS = 60.0
"""Seconds to wait for another process that is changing the same gallery."""

MAX_NAME_LENGTH = 100
"""Characters of a name."""

SampleKind = Literal["face", "person", "object"]
SAMPLE_KINDS: tuple[SampleKind, ...] = get_args(SampleKind)
"""``face``: a face; ``person``: the appearance of a whole person, clothes included, so for one day; ``object``."""

MATCH_THRESHOLDS: dict[str, float] = {"face": 0.45, "person": 0.55, "object": 0.3}
"""Maximum distance of a track to a known sample that counts as a match, by kind.

Faces: the middle of the gap that was measured between the same and other people; persons and objects: the distance
that one pair in a hundred of different tracks falls under. For faces see benchmarks/README.md, "Recognition"."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """The model of the embeddings of a kind: name and digest of its card. Those of two models are not comparable."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class GallerySample:
    """One sample of a person or an object.

    Attributes:
        name: of the person or object.
        kind: ``face``, ``person`` or ``object``.
        embedding: (D,) float32.
        quality: of the crop, above 0, to 1.
        portrait: a small JPEG file.
        source: name of the file that it was taken from.
    """

    name: str
    kind: str
    embedding: Float32Array = field(repr=False)
    quality: float
    portrait: bytes = field(repr=False)
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the embedding and the portrait."""
        return {"name": self.name, "kind": self.kind, "quality": round(self.quality, 4), "source": self.source}


@dataclass(slots=True)
class Gallery:
    """All known samples.

    Attributes:
        samples: in the order in which they were enrolled.
        models: the model of the embeddings, by kind.
    """

    samples: list[GallerySample] = field(default_factory=list)
    models: dict[str, EmbeddingModel] = field(default_factory=dict)

    def names(self, kind: str | None = None) -> list[str]:
        """Return all names in order of enrolment, or those that have samples of a kind."""
        return list(dict.fromkeys(sample.name for sample in self.samples if kind in (None, sample.kind)))

    def samples_of(self, name: str) -> list[GallerySample]:
        """Return the samples of a name.

        Raises:
            GalleryError: it is not known; the message suggests the nearest.
        """
        samples = [sample for sample in self.samples if sample.name == name]
        if not samples:
            known = self.names()
            listed = ", ".join(known) or "none yet"
            raise GalleryError(f"{name!r} is not in the gallery; {suggest(name, known)}known: {listed}")
        return samples

    def add(self, samples: Iterable[GallerySample], model: EmbeddingModel) -> list[GallerySample]:
        """Add samples whose embeddings ``model`` computed; return those that are new.

        Raises:
            GalleryError: a name is invalid, or the samples of that kind are of another model.
        """
        added = []
        for sample in samples:
            check_name(sample.name)
            self.check_model(sample.kind, model)
            if not any(_equal(sample, other) for other in self.samples):
                self.samples.append(sample)
                added.append(sample)
                self.models[sample.kind] = model
        return added

    def check_model(self, kind: str, model: EmbeddingModel) -> None:
        """Check that samples of a kind are comparable with the embeddings of a model.

        Raises:
            GalleryError: they are of another model.
        """
        own = self.models.get(kind)
        if own and own.digest != model.digest:
            raise GalleryError(
                f"the {kind} samples of the gallery are of {_describe_model(own)}, whose embeddings cannot be "
                f"compared with those of {_describe_model(model)}; use that model, or enroll into another gallery"
            )

    def remove(self, name: str) -> int:
        """Remove a name; return the number of samples it had.

        Raises:
            GalleryError: it is not known.
        """
        removed = len(self.samples_of(name))
        self.samples = [sample for sample in self.samples if sample.name != name]
        self.models = {kind: model for kind, model in self.models.items() if self.names(kind)}
        return removed

    def rename(self, old: str, new: str) -> int:
        """Rename a person or object, and merge it where the new name exists; return the number of samples it had.

        Raises:
            GalleryError: the old name is not known, or the new one is invalid.
        """
        renamed = {id(sample) for sample in self.samples_of(old)}
        check_name(new)
        self.samples = [_renamed(sample, new) if id(sample) in renamed else sample for sample in self.samples]
        return len(renamed)

    def distances(self, kind: str, embeddings: ArrayLike) -> Float64Array:
        """Return the distances of embeddings (N, D) from each name of a kind, (N, P) in the order of ``names(kind)``.

        That is the minimum Euclidean distance to any sample of the name or to their mean, weighted by quality.
        """
        rows = np.asarray(embeddings, np.float64)
        if len(rows) and any(
            sample.embedding.shape != rows.shape[1:] for sample in self.samples if sample.kind == kind
        ):
            raise GalleryError(
                f"a {kind} sample of the gallery has an embedding of another length; enroll into a new one"
            )
        samples_by_name = [
            [sample for sample in self.samples if (sample.name, sample.kind) == (n, kind)] for n in self.names(kind)
        ]
        distances = [
            np.min([np.linalg.norm(rows - point, axis=1) for point in _reference_points(samples)], axis=0)
            for samples in samples_by_name
        ]
        return np.stack(distances, axis=1) if distances else np.zeros((len(rows), 0))


def check_name(name: str) -> str:
    """Return a name if it is valid.

    Raises:
        GalleryError: it is empty, too long, more than a line, or the label of unknown people.
    """
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise GalleryError(
            f"{name!r} cannot be a name; give one line of 1 to {MAX_NAME_LENGTH} letters, no space around"
        )
    if re.fullmatch(r"person \d+|unknown", name, re.IGNORECASE):
        raise GalleryError(f"{name!r} cannot be a name: it is the label of unknown people; give another")
    return name


def _reference_points(samples: Sequence[GallerySample]) -> list[Float64Array]:
    rows = np.stack([sample.embedding for sample in samples]).astype(np.float64)
    mean = np.average(rows, axis=0, weights=[max(sample.quality, 1e-6) for sample in samples])
    return [*rows, mean]


def _equal(sample: GallerySample, other: GallerySample) -> bool:
    return (
        (sample.name, sample.kind) == (other.name, other.kind)
        and sample.embedding.shape == other.embedding.shape
        and np.allclose(sample.embedding, other.embedding, atol=1e-5)
    )


def _renamed(sample: GallerySample, name: str) -> GallerySample:
    return GallerySample(name, sample.kind, sample.embedding, sample.quality, sample.portrait, sample.source)


def _describe_model(model: EmbeddingModel) -> str:
    return f"{model.name} ({model.digest})"


def read_gallery(path: str | Path) -> Gallery:
    """Load a gallery.

    Raises:
        GalleryError: there is none, it is corrupt or no gallery, or its schema is newer.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise GalleryError(f"there is no gallery {path}; create one with `kinoscope enroll {path} NAME IMAGE`")
    try:
        with safe_open(path, "np") as file:
            header = _check_header(path, (file.metadata() or {}).get(HEADER))
            return _assemble(header, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except OSError as error:
        raise GalleryError(f"cannot read {path} ({error.strerror or error}); give a gallery you may read") from None
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError):
        raise GalleryError(
            f"{path} is corrupt or no gallery; give a file that `kinoscope enroll` wrote, or enroll into a new one"
        ) from None


def _check_header(path: Path, text: str | None) -> dict[str, Any]:
    header = parse_json(text) if text else None
    if not isinstance(header, dict) or not isinstance(header.get("schema"), int):
        raise ValueError("no header")
    if header["schema"] > SCHEMA:
        raise GalleryError(
            f"{path} has schema {header['schema']}, newer than {SCHEMA}, which this version reads; update kinoscope"
        )
    return header


def _assemble(header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Gallery:
    """Return the gallery that the header and the tensors describe, all of which must agree.

    Raises:
        KeyError, TypeError, ValueError: they do not.
    """
    if not set(header["models"]) <= set(SAMPLE_KINDS):
        raise ValueError("an unknown kind of sample")
    embeddings = {kind: iter(_finite(tensors[f"embeddings.{kind}"])) for kind in header["models"]}
    portraits, samples = tensors["portraits"].astype(np.uint8).tobytes(), []
    for row in header["samples"] if "samples" in header else header["looks"]:  # the key of earlier versions
        length = int(row["portrait"])
        portrait, portraits = portraits[:length], portraits[length:]
        embedding = next(embeddings[row["kind"]], None)
        if embedding is None or len(portrait) != length:
            raise ValueError("fewer tensors than samples")
        samples.append(_parse_sample(row, embedding, portrait))
    if portraits or any(next(remaining, None) is not None for remaining in embeddings.values()):
        raise ValueError("more tensors than samples")
    models = {kind: EmbeddingModel(str(row["name"]), str(row["digest"])) for kind, row in header["models"].items()}
    return Gallery(samples, models)


def _parse_sample(row: Mapping[str, Any], embedding: Float32Array, portrait: bytes) -> GallerySample:
    """Return the sample that a row of the header describes, checked as ``Gallery.add`` does."""
    quality = float(row["quality"])
    if not 0 <= quality <= 1:
        raise ValueError("a sample without quality")
    try:
        name = check_name(row["name"])
    except GalleryError as error:
        raise ValueError(str(error)) from None
    return GallerySample(name, row["kind"], embedding, quality, portrait, str(row["source"]))


def _finite(rows: NDArray[Any]) -> Float32Array:
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError("embeddings are not finite rows")
    return rows.astype(np.float32)


@contextmanager
def edit_gallery(path: str | Path, create: bool = False) -> Iterator[Gallery]:
    """Yield a gallery to change; it is written when the block ends without an error, else left unchanged.

    Another process that changes it has to wait, so that the changes of both are saved.

    Args:
        path: of the gallery.
        create: whether a gallery that does not exist is created.

    Raises:
        GalleryError: it cannot be read, or another process locks it.
        OutputError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    path = Path(path).resolve()  # of a link, the gallery itself is changed
    try:
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_TIMEOUT_SECONDS)
        if not create:
            read_gallery(path)  # no lock is left beside what is no gallery
        lock.acquire()
    except Timeout:
        raise GalleryError(
            f"{path} has been in use by another process for {LOCK_TIMEOUT_SECONDS:g} s; try again later"
        ) from None
    except OSError as error:
        raise write_error(path, error) from None
    try:
        gallery = Gallery() if create and not path.exists() else read_gallery(path)
        yield gallery
        _write(gallery, path)
    finally:
        lock.release()


def _write(gallery: Gallery, path: Path) -> None:
    from safetensors.numpy import save

    kinds = sorted({sample.kind for sample in gallery.samples})
    tensors: dict[str, NDArray[Any]] = {
        f"embeddings.{kind}": np.stack([sample.embedding for sample in gallery.samples if sample.kind == kind]).astype(
            np.float32
        )
        for kind in kinds
    }
    tensors["portraits"] = np.frombuffer(b"".join(sample.portrait for sample in gallery.samples), np.uint8)
    rows = [
        sample.to_dict() | {"quality": sample.quality, "portrait": len(sample.portrait)} for sample in gallery.samples
    ]
    models = {kind: {"name": model.name, "digest": model.digest} for kind, model in gallery.models.items()}
    header = json.dumps({"schema": SCHEMA, "models": models, "samples": rows}, allow_nan=False)
    # Faces are private: only its owner may read a new gallery, another keeps its permissions. An existing file was
    # read before, and so is a gallery.
    with atomic_write(path, private=True, listed=False) as temporary:
        temporary.write_bytes(save(tensors, {HEADER: header}))


def export_gallery(gallery: Gallery, folder: Path) -> list[Path]:
    """Write a gallery as ``gallery.json``, embeddings included, and a folder of portraits per name; return the files.

    Raises:
        OutputError: a file cannot be written.
    """
    written: list[Path] = []
    rows: list[dict[str, Any]] = []
    folders: dict[str, str] = {}
    for sample in gallery.samples:
        subfolder = _folder_of(sample.name, folders)
        number = sum(path.parent.name == subfolder for path in written) + 1
        written.append(folder / subfolder / f"{number}-{sample.kind}.jpg")
        rows.append(
            sample.to_dict() | {"portrait": f"{subfolder}/{written[-1].name}", "embedding": sample.embedding.tolist()}
        )
        with atomic_write(written[-1], sync=False, private=True) as temporary:
            temporary.write_bytes(sample.portrait)
    models = {kind: {"name": model.name, "digest": model.digest} for kind, model in gallery.models.items()}
    with atomic_write(folder / "gallery.json", private=True) as temporary:
        plain = {"schema": SCHEMA, "models": models, "samples": rows}
        temporary.write_text(json.dumps(plain, ensure_ascii=False, indent=1), encoding="utf-8")
    return [folder / "gallery.json", *written]


def _folder_of(name: str, folders: dict[str, str]) -> str:
    """Return the folder of a name, whatever characters that contains: unique, and valid on any file system."""
    if name not in folders:
        plain = "".join(c if c.isalnum() or c in "-_ " else "-" for c in name)[:40].strip(" -") or "name"
        used = {folder.casefold() for folder in folders.values()}
        number = 1
        while (folder := plain if number == 1 else f"{plain}-{number}").casefold() in used:
            number += 1
        folders[name] = folder
    return folders[name]
