"""A gallery: the people and things that are known by name, in one file.

Of each there are several *looks*: an embedding, how good it is, a small portrait and where it came from. The file is
safetensors, which holds no code: ``embeddings.<kind>`` (N, D) float32 a kind of look, ``portraits`` (B,) uint8, all
JPEG files one after another, and in its header, under ``kinoscope.gallery``, JSON with the rest, schema 1. It is
written whole or not at all, and one process at a time changes it.
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

SampleKind = Literal["face", "person", "object"]
SAMPLE_KINDS: tuple[SampleKind, ...] = get_args(SampleKind)
"""``face``: a face; ``person``: how a person looks from head to foot, clothes and all, so for one day; ``object``."""

MATCH_THRESHOLDS: dict[str, float] = {"face": 0.45, "person": 0.55, "object": 0.3}
"""Largest distance of a track to a known look that is taken for the same, by kind.

Faces: in the middle of the gap that was measured between the same and other people; persons and objects: the distance
that one pair in a hundred of different tracks falls under. Of faces see benchmarks/README.md, "Recognition"."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """What made the embeddings of a kind: name and digest of its card. Those of two models cannot be compared."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class GallerySample:
    """One look of a person or a thing.

    Attributes:
        name: who or what it is.
        kind: ``face``, ``person`` or ``object``.
        embedding: (D,) float32.
        quality: how well it shows them, above 0, to 1.
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
        """Give the plain form, without the embedding and the portrait."""
        return {"name": self.name, "kind": self.kind, "quality": round(self.quality, 4), "source": self.source}


@dataclass(slots=True)
class Gallery:
    """All looks that are known.

    Attributes:
        looks: in the order in which they were enrolled.
        models: what made the embeddings, by kind.
    """

    samples: list[GallerySample] = field(default_factory=list)
    models: dict[str, EmbeddingModel] = field(default_factory=dict)

    def names(self, kind: str | None = None) -> list[str]:
        """Give all names in order of enrolling, or those that have looks of a kind."""
        return list(dict.fromkeys(look.name for look in self.samples if kind in (None, look.kind)))

    def samples_of(self, name: str) -> list[GallerySample]:
        """Give the looks of a name.

        Raises:
            GalleryError: it is not known; the message offers the nearest.
        """
        looks = [look for look in self.samples if look.name == name]
        if not looks:
            known = self.names()
            listed = ", ".join(known) or "nobody yet"
            raise GalleryError(f"{name!r} is not in the gallery; {suggest(name, known)}known: {listed}")
        return looks

    def add(self, samples: Iterable[GallerySample], model: EmbeddingModel) -> list[GallerySample]:
        """Take in looks that ``model`` made; give those that were not there already.

        Raises:
            GalleryError: a name cannot be one, or the looks of that kind were made by another model.
        """
        added = []
        for look in samples:
            check_name(look.name)
            self.check_model(look.kind, model)
            if not any(_equal(look, other) for other in self.samples):
                self.samples.append(look)
                added.append(look)
                self.models[look.kind] = model
        return added

    def check_model(self, kind: str, model: EmbeddingModel) -> None:
        """Make sure that looks of a kind can be compared with what a model makes.

        Raises:
            GalleryError: they were made by another model.
        """
        own = self.models.get(kind)
        if own and own.digest != model.digest:
            raise GalleryError(
                f"the {kind} looks of the gallery were made by {_named(own)}, which cannot be compared with those of "
                f"{_named(model)}; use that model, or enroll into another gallery"
            )

    def remove(self, name: str) -> int:
        """Forget a name; give how many looks it had.

        Raises:
            GalleryError: it is not known.
        """
        gone = len(self.samples_of(name))
        self.samples = [look for look in self.samples if look.name != name]
        self.models = {kind: model for kind, model in self.models.items() if self.names(kind)}
        return gone

    def rename(self, old: str, new: str) -> int:
        """Call a name otherwise; where the new one is known too, both become one. Give how many looks it had.

        Raises:
            GalleryError: the old name is not known, or the new one cannot be one.
        """
        renamed = {id(look) for look in self.samples_of(old)}
        check_name(new)
        self.samples = [_renamed(look, new) if id(look) in renamed else look for look in self.samples]
        return len(renamed)

    def distances(self, kind: str, embeddings: ArrayLike) -> Float64Array:
        """Give how far embeddings (N, D) are from each name of a kind, (N, P) in the order of ``names(kind)``.

        That is the least Euclidean distance to any look of the name or to the mean of its looks, weighted by quality.
        """
        rows = np.asarray(embeddings, np.float64)
        if len(rows) and any(look.embedding.shape != rows.shape[1:] for look in self.samples if look.kind == kind):
            raise GalleryError(
                f"a {kind} look of the gallery has an embedding of another length; enroll into a new one"
            )
        of_name = [[look for look in self.samples if (look.name, look.kind) == (n, kind)] for n in self.names(kind)]
        far = [np.min([np.linalg.norm(rows - one, axis=1) for one in _points(looks)], axis=0) for looks in of_name]
        return np.stack(far, axis=1) if far else np.zeros((len(rows), 0))


def check_name(name: str) -> str:
    """Give a name back if it can be one.

    Raises:
        GalleryError: it is empty, too long, more than a line, or what unknown people are called.
    """
    if not name.strip() or name != name.strip() or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise GalleryError(
            f"{name!r} cannot be a name; give one line of 1 to {MAX_NAME_LENGTH} letters, no space around"
        )
    if re.fullmatch(r"person \d+|unknown", name, re.IGNORECASE):
        raise GalleryError(f"{name!r} cannot be a name: people who are not known are called so; give another")
    return name


def _points(looks: Sequence[GallerySample]) -> list[Float64Array]:
    rows = np.stack([look.embedding for look in looks]).astype(np.float64)
    mean = np.average(rows, axis=0, weights=[max(look.quality, 1e-6) for look in looks])
    return [*rows, mean]


def _equal(look: GallerySample, other: GallerySample) -> bool:
    return (
        (look.name, look.kind) == (other.name, other.kind)
        and look.embedding.shape == other.embedding.shape
        and np.allclose(look.embedding, other.embedding, atol=1e-5)
    )


def _renamed(look: GallerySample, name: str) -> GallerySample:
    return GallerySample(name, look.kind, look.embedding, look.quality, look.portrait, look.source)


def _named(model: EmbeddingModel) -> str:
    return f"{model.name} ({model.digest})"


def read_gallery(path: str | Path) -> Gallery:
    """Read a gallery.

    Raises:
        GalleryError: there is none, it is damaged or none at all, or its schema is newer.
    """
    from safetensors import SafetensorError, safe_open

    place = Path(path)
    if not place.is_file():
        raise GalleryError(f"there is no gallery {place}; make one with `kinoscope enroll {place} NAME PICTURE`")
    try:
        with safe_open(place, "np") as file:
            facts = _facts(place, (file.metadata() or {}).get(HEADER))
            return _assemble(facts, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except OSError as error:
        raise GalleryError(f"cannot read {place} ({error.strerror or error}); give a gallery you may read") from None
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError):
        raise GalleryError(
            f"{place} is damaged or no gallery; give a file that `kinoscope enroll` wrote, or enroll into a new one"
        ) from None


def _facts(place: Path, text: str | None) -> dict[str, Any]:
    facts = parse_json(text) if text else None
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise ValueError("no header")
    if facts["schema"] > SCHEMA:
        raise GalleryError(
            f"{place} has schema {facts['schema']}, newer than {SCHEMA}, which this version reads; update kinoscope"
        )
    return facts


def _assemble(facts: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Gallery:
    """Put together what the header and the tensors say, all of which must agree.

    Raises:
        KeyError, TypeError, ValueError: it does not.
    """
    if not set(facts["models"]) <= set(SAMPLE_KINDS):
        raise ValueError("a kind of look that there is not")
    embeddings = {kind: iter(_finite(tensors[f"embeddings.{kind}"])) for kind in facts["models"]}
    portraits, looks = tensors["portraits"].astype(np.uint8).tobytes(), []
    for row in facts["looks"]:
        length = int(row["portrait"])
        picture, portraits = portraits[:length], portraits[length:]
        embedding = next(embeddings[row["kind"]], None)
        if embedding is None or len(picture) != length:
            raise ValueError("fewer tensors than looks")
        looks.append(_look(row, embedding, picture))
    if portraits or any(next(rest, None) is not None for rest in embeddings.values()):
        raise ValueError("more tensors than looks")
    models = {kind: EmbeddingModel(str(row["name"]), str(row["digest"])) for kind, row in facts["models"].items()}
    return Gallery(looks, models)


def _look(row: Mapping[str, Any], embedding: Float32Array, picture: bytes) -> GallerySample:
    """Return the appearance that a row of the header describes, checked as ``Gallery.add`` does."""
    quality = float(row["quality"])
    if not 0 <= quality <= 1:
        raise ValueError("a look without quality")
    try:
        name = check_name(row["name"])
    except GalleryError as error:
        raise ValueError(str(error)) from None
    return GallerySample(name, row["kind"], embedding, quality, picture, str(row["source"]))


def _finite(rows: NDArray[Any]) -> Float32Array:
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError("embeddings are not finite rows")
    return rows.astype(np.float32)


@contextmanager
def edit_gallery(path: str | Path, create: bool = False) -> Iterator[Gallery]:
    """Give a gallery to change; it is written when the block ends well, else left as it was.

    Another process that changes it has to wait, so that what both do is kept.

    Args:
        path: of the gallery.
        create: whether a gallery that is not there is begun.

    Raises:
        GalleryError: it cannot be read, or another process keeps it busy.
        OutputError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    place = Path(path).resolve()  # of a link, the gallery itself is changed
    try:
        if create:
            place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f".{place.name}.lock"), timeout=LOCK_TIMEOUT_SECONDS)
        if not create:
            read_gallery(place)  # no lock is left beside what is no gallery
        lock.acquire()
    except Timeout:
        raise GalleryError(
            f"{place} has been in use by another process for {LOCK_TIMEOUT_SECONDS:g} s; try again later"
        ) from None
    except OSError as error:
        raise write_error(place, error) from None
    try:
        gallery = Gallery() if create and not place.exists() else read_gallery(place)
        yield gallery
        _write(gallery, place)
    finally:
        lock.release()


def _write(gallery: Gallery, place: Path) -> None:
    from safetensors.numpy import save

    kinds = sorted({look.kind for look in gallery.samples})
    tensors: dict[str, NDArray[Any]] = {
        f"embeddings.{kind}": np.stack([look.embedding for look in gallery.samples if look.kind == kind]).astype(
            np.float32
        )
        for kind in kinds
    }
    tensors["portraits"] = np.frombuffer(b"".join(look.portrait for look in gallery.samples), np.uint8)
    looks = [look.to_dict() | {"quality": look.quality, "portrait": len(look.portrait)} for look in gallery.samples]
    models = {kind: {"name": model.name, "digest": model.digest} for kind, model in gallery.models.items()}
    facts = json.dumps({"schema": SCHEMA, "models": models, "looks": looks}, allow_nan=False)
    # Faces are nobody's business: a new gallery is its owner's alone, another keeps the rights that it has. What is
    # there was read, and so is a gallery.
    with atomic_write(place, private=True, listed=False) as temporary:
        temporary.write_bytes(save(tensors, {HEADER: facts}))


def export_gallery(gallery: Gallery, folder: Path) -> list[Path]:
    """Write a gallery as ``gallery.json``, embeddings included, and a folder of portraits a name; give the files.

    Raises:
        OutputError: something cannot be written.
    """
    written: list[Path] = []
    rows: list[dict[str, Any]] = []
    taken: dict[str, str] = {}
    for look in gallery.samples:
        place = _folder_of(look.name, taken)
        number = sum(path.parent.name == place for path in written) + 1
        written.append(folder / place / f"{number}-{look.kind}.jpg")
        rows.append(look.to_dict() | {"portrait": f"{place}/{written[-1].name}", "embedding": look.embedding.tolist()})
        with atomic_write(written[-1], sync=False, private=True) as temporary:
            temporary.write_bytes(look.portrait)
    models = {kind: {"name": model.name, "digest": model.digest} for kind, model in gallery.models.items()}
    with atomic_write(folder / "gallery.json", private=True) as temporary:
        plain = {"schema": SCHEMA, "models": models, "looks": rows}
        temporary.write_text(json.dumps(plain, ensure_ascii=False, indent=1), encoding="utf-8")
    return [folder / "gallery.json", *written]


def _folder_of(name: str, taken: dict[str, str]) -> str:
    """Give the folder of a name, whatever characters that has: its own, and on any file system."""
    if name not in taken:
        plain = "".join(c if c.isalnum() or c in "-_ " else "-" for c in name)[:40].strip(" -") or "name"
        used = {place.casefold() for place in taken.values()}
        number = 1
        while (place := plain if number == 1 else f"{plain}-{number}").casefold() in used:
            number += 1
        taken[name] = place
    return taken[name]
