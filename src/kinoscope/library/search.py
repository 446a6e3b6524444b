"""Answers a query from a library: the best moments, and why each is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property, reduce
from operator import or_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array, Int64Array
from kinoscope.core.errors import LibraryError
from kinoscope.core.optional import require_extra
from kinoscope.core.validation import suggest
from kinoscope.library.intervals import Intervals, exclude_overlapping, intersect, intersect_near
from kinoscope.library.query import LabelQuery, LimitQuery, MeaningQuery, NotQuery, PairQuery, Query, TextQuery
from kinoscope.library.store import Library, StoredVideo
from kinoscope.library.tables import DISTANCE_METRICS, column, lance_errors

MAX_SENTENCES = 2000
"""Sentences that are looked at of one that is asked for: the best."""

MIN_SENTENCE_SIMILARITY = 0.3
"""Least cosine of a sentence and what it is to be about."""

MAX_NEAREST_VECTORS = 200
"""Vectors that are taken for alike: the nearest."""

MAX_LISTED_NAMES = 8
"""Names that a message lists of a library."""

Embed = Callable[[str], Float32Array]
"""Gives the vector (D,) of what a text means."""


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for one part of a query: where, and how sure.

    Attributes:
        what: as a person reads it. table, take, number: the row that it is.
    """

    what: str
    start: float
    end: float
    score: float
    table: str
    take: int
    number: int

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form."""
        return {"what": self.what, "start": round(self.start, 3), "end": round(self.end, 3),
                "score": round(self.score, 4)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A moment that answers a query.

    Attributes:
        video: that it is of. start, end: presentation time in seconds. score: in [0, 1].
        why: what was found in it, for each part of the query the best.
    """

    video: StoredVideo
    start: float
    end: float
    score: float
    why: list[Match] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Give the plain form; times are presentation times."""
        plain = {"video": self.video.path, "id": self.video.id, "start": round(self.start, 3)}
        plain |= {"end": round(self.end, 3), "score": round(self.score, 4)}
        return plain | {"why": [reason.to_dict() for reason in self.why]}


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """What a moment is to look like: vectors in a space, each of a part of one picture.

    Attributes:
        space: one of ``tables.VECTOR_SPACES``. vector: (D,). model: that made it. what: as a person reads it.
        farthest: largest distance that counts; cosine distance, or Euclidean for faces.
    """

    space: str
    vector: Float32Array
    model: str
    what: str
    farthest: float


@dataclass(slots=True)
class _PartMatches:
    """All rows that were found for one part of a query, in the order of their videos."""

    what: str
    table: str
    spans: Intervals
    take: Int64Array
    number: Int64Array
    texts: list[str] | None = None

    def in_clip(self, video: int, start: float, end: float) -> Match | None:
        """Give the best row that lies in a moment of a video."""
        spans = self.spans
        first, past = np.searchsorted(spans.video, (video, video + 1))
        inside = first + np.flatnonzero((spans.end[first:past] >= start) & (spans.start[first:past] <= end))
        if not len(inside):
            return None
        row = int(inside[np.argmax(spans.score[inside])])
        what = f"{self.what}: {self.texts[row]}" if self.texts else self.what
        times = float(spans.start[row]), float(spans.end[row]), float(spans.score[row])
        return Match(what, *times, self.table, int(self.take[row]), int(self.number[row]))


def search_videos(
    library: Library,
    query: Query | None,
    likes: Sequence[VectorQuery] = (),
    embed: Embed | None = None,
    limit: int = 50,
    notes: list[str] | None = None,
) -> list[SearchHit]:
    """Find moments.

    A name that is not there is an error, unless the query can be answered without it: with the other side of an
    ``or``, or as what is never there of a ``not`` or ``without``.

    Args:
        library: where to look.
        query: what to look for; None for all that is like ``likes``.
        likes: what the moments have to look like, too; any of them.
        embed: for ``about``; None where its model cannot be had.
        limit: most moments that are given.
        notes: gets a line on each name that is not there, where there is an answer all the same.

    Returns:
        The best first; those of one score by video and time.

    Raises:
        LibraryError: the library cannot be read, or does not have what is asked for by name.
    """
    with lance_errors(library.place):
        search = _Search(library, embed)
        found = search.run(query, likes, limit)
        if notes is not None:
            notes += map(str, search.missing)
        return found


class _UnknownName(LibraryError):
    """Nothing in the library has a name."""


class _Search:
    """One search: the videos as they are when it begins, and what each part of the query finds in them."""

    def __init__(self, library: Library, embed: Embed | None) -> None:
        self.library, self.tables, self.embed = library, library.tables, embed
        self.videos = library.videos()
        pairs = [(take["take"], n) for n, video in enumerate(self.videos) for take in video.takes.values()]
        self.takes, self.owners = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
        self.leaves: list[_PartMatches] = []
        self.missing: list[_UnknownName] = []

    @cached_property
    def names(self) -> dict[str, dict[str, int]]:
        """What can be asked for by name, and as what it is there."""
        return self.library.kinds(self.takes)

    def run(self, query: Query | None, likes: Sequence[VectorQuery], limit: int) -> list[SearchHit]:
        found = self.find(query) if query else None
        if self.missing and not self.leaves:
            raise self.missing[0]
        if likes:
            alike = Intervals.none()
            for like in likes:
                alike = alike.plus(self.alike(like))
            found = alike.joined() if found is None else intersect(found, alike.joined())
        if found is None:
            return []
        order = np.lexsort((found.start, found.video, -np.round(found.score, 3)))[:limit]
        return [self.clip(*row) for row in zip(*(getattr(found[order], c) for c in INTERVAL_COLUMNS), strict=True)]

    def clip(self, video: int, start: float, end: float, score: float) -> SearchHit:
        reasons = [leaf.in_clip(video, start, end) for leaf in self.leaves]
        best: dict[str, Match] = {}
        for reason in reasons:
            if reason and (reason.what not in best or reason.score > best[reason.what].score):
                best[reason.what] = reason
        return SearchHit(self.videos[video], float(start), float(end), float(score), list(best.values()))

    def find(self, query: Query) -> Intervals:
        """Give the moments of a query, joined."""
        if isinstance(query, LabelQuery):
            return self.named(query.name)
        if isinstance(query, TextQuery):
            return self.says(query.text)
        if isinstance(query, MeaningQuery):
            return self.about(query.text)
        if isinstance(query, NotQuery):
            return self.without(self.known(query.of) or Intervals.none())
        if isinstance(query, PairQuery):
            return self.pair(query)
        return self.limit(query)

    def pair(self, query: PairQuery) -> Intervals:
        if query.how == "or":
            return self.either(query)
        left = self.find(query.left)
        right = (self.known(query.right) or Intervals.none()) if query.how == "without" else self.find(query.right)
        if query.how == "near":
            return intersect_near(left, right, query.seconds)
        if query.how == "with":
            return intersect(left, right)
        if query.how == "without":
            return exclude_overlapping(left, right)
        return self.both(query, left, right)

    def either(self, query: PairQuery) -> Intervals:
        """Return the moments of both sides, or of the one whose names are there."""
        sides = [self.known(side) for side in (query.left, query.right)]
        found = [side for side in sides if side is not None]
        if not found:
            *self.missing, first, _ = self.missing
            raise first
        return reduce(Intervals.plus, found).joined()

    def known(self, query: Query) -> Intervals | None:
        """Return the moments of a query; None, and a note, where a name of it is not there."""
        try:
            return self.find(query)
        except _UnknownName as error:
            self.missing.append(error)
            return None

    def both(self, query: PairQuery, left: Intervals, right: Intervals) -> Intervals:
        """Give what is in videos that have both; of what is not there, there is nothing to see."""
        shared = np.intersect1d(left.video, right.video)
        shown = [side for side, of in ((left, query.left), (right, query.right)) if not isinstance(of, NotQuery)]
        shown = shown or [left]
        every = shown[0] if len(shown) == 1 else shown[0].plus(shown[1])
        return every[np.isin(every.video, shared)].joined()

    def limit(self, query: LimitQuery) -> Intervals:
        found = self.find(query.of)
        if query.how == "in":
            fits = [fnmatch(v.name, query.pattern) or fnmatch(v.path, query.pattern) for v in self.videos]
            return found[np.array(fits, bool)[found.video]] if len(found) else found
        zero = np.array([video.start for video in self.videos])[found.video] if len(found) else found.start
        start, end, lasts = found.start - zero, found.end - zero, found.end - found.start
        keep = {
            "after": start >= query.low,
            "before": end <= query.low,
            "between": (start >= query.low) & (end <= query.high),
            "longer": lasts > query.low,
            "shorter": lasts < query.low,
        }
        return found[keep[query.how]]

    def without(self, found: Intervals) -> Intervals:
        rest = np.setdiff1d(np.arange(len(self.videos)), found.video)
        starts = np.array([self.videos[n].start for n in rest])
        ends = starts + np.array([self.videos[n].duration for n in rest])
        return Intervals(rest, starts, ends, np.ones(len(rest)))

    def named(self, name: str) -> Intervals:
        """Give the moments of a label or of somebody."""
        known = self.spelled(name)
        kinds = {kind for one in known for kind in self.names[one]}
        found = Intervals.none()
        for table, of in NAME_COLUMNS.items():
            # A table that does not have the name need not be read.
            if kinds.intersection(of):
                where = reduce(or_, (column(one).isin(known) for one in of.values()))
                rows = self.tables.rows(table, [*ROW_COLUMNS, "score"], where)
                found = found.plus(self.keep(name, table, rows))
        return found.joined()

    def spelled(self, name: str) -> list[str]:
        """Give how a name is spelled in the library: as it is, or else with other letters large and small.

        Raises:
            LibraryError: it is not there.
        """
        if name in self.names:
            return [name]
        found = [known for known in self.names if known.casefold() == name.casefold()]
        if found:
            return found
        most = sorted(self.names, key=lambda known: -sum(self.names[known].values()))[:MAX_LISTED_NAMES]
        listed = f"most frequent: {', '.join(most)}" if most else "there is nothing in it"
        place = self.library.place
        more = f"; see `kinoscope library show {place}`" if most else ""
        raise _UnknownName(f"nothing in {place} is called {name!r}; {suggest(name, self.names)}{listed}{more}")

    def says(self, text: str) -> Intervals:
        """Give when something is said: these words in this order, whatever their endings."""
        phrase = require_extra("lancedb.query", "library").PhraseQuery(text, "text")
        self.tables["speech"].checkout_latest()
        query = self.tables["speech"].search(phrase, query_type="fts").select([*ROW_COLUMNS, "text", "_score"])
        rows = query.limit(MAX_SENTENCES).to_arrow()
        ranks = rows["_score"].to_numpy()
        score = ranks / ranks.max() if len(ranks) else ranks
        return self.keep("said", "speech", rows, score, rows["text"].to_pylist()).joined()

    def about(self, text: str) -> Intervals:
        """Give when something of that meaning is said."""
        if self.embed is None:
            raise LibraryError('what is said cannot be compared by meaning here; ask with says "..." instead')
        rows = self.nearest("sentences", self.embed(text), "minilm", MAX_NEAREST_VECTORS)
        rows = rows.filter(rows["_distance"].to_numpy() <= 1 - MIN_SENTENCE_SIMILARITY)
        texts = self.texts(rows)
        return self.keep("said", "speech", rows, 1 - rows["_distance"].to_numpy(), texts).joined()

    def texts(self, rows: Any) -> list[str]:
        """Give the sentence of each row."""
        takes = sorted(set(rows["take"].to_pylist()))
        if not takes:
            return []
        speech = self.tables.rows("speech", ["take", "number", "text"], column("take").isin(takes))
        of = {(row["take"], row["number"]): row["text"] for row in speech.to_pylist()}
        return [of.get(key, "") for key in zip(rows["take"].to_pylist(), rows["number"].to_pylist(), strict=True)]

    def alike(self, like: VectorQuery) -> Intervals:
        """Give the moments that look like something."""
        metric = DISTANCE_METRICS[like.space]
        rows = self.nearest(like.space, like.vector, like.model, MAX_NEAREST_VECTORS)
        far = rows["_distance"].to_numpy()
        far = np.sqrt(far) if metric == "l2" else far
        close = far <= like.farthest
        score = 1 - far[close] / (2 * like.farthest) if metric == "l2" else 1 - far[close]
        return self.keep(like.what, like.space, rows.filter(close), score)

    def nearest(self, space: str, vector: Float32Array, model: str, most: int) -> Any:
        table = self.tables[space]
        table.checkout_latest()
        query = table.search(np.asarray(vector, np.float32)).distance_type(DISTANCE_METRICS[space])
        return query.where(column("model") == model).select([*ROW_COLUMNS, "_distance"]).limit(most).to_arrow()

    def keep(
        self, what: str, table: str, rows: Any, score: NDArray[Any] | None = None, texts: list[str] | None = None
    ) -> Intervals:
        """Keep rows as a leaf, but for those that no video names; give their spans."""
        take = rows["take"].to_numpy()
        if not len(self.takes):
            return Intervals.none()
        at = np.searchsorted(self.takes, take).clip(0, len(self.takes) - 1)
        named = np.flatnonzero(self.takes[at] == take)
        order = named[np.argsort(self.owners[at[named]], kind="stable")]
        # No time is infinite but that of a damaged row.
        order = order[np.isfinite(rows["start"].to_numpy()[order]) & np.isfinite(rows["end"].to_numpy()[order])]
        start, end, number = (rows[name].to_numpy()[order] for name in ("start", "end", "number"))
        scores = np.asarray(rows["score"].to_numpy() if score is None else score, np.float64)[order]
        spans = Intervals(self.owners[at[order]], start, end, scores.clip(0, 1))
        kept = None if texts is None else [texts[row] for row in order]
        self.leaves.append(_PartMatches(what, table, spans, take[order], number, kept))
        return spans


NAME_COLUMNS = {"events": {"event": "label"}, "tracks": {"track": "label", "identity": "identity"}}
"""Of each table with names, the column in which those of a kind stand."""

ROW_COLUMNS = ["take", "number", "start", "end"]
INTERVAL_COLUMNS = ("video", "start", "end", "score")


def hit_image(library: Library, clip: SearchHit) -> bytes | None:
    """Give a picture of a moment: of the shot that it lies in, else of what was found in it; None if none was kept."""
    takes = [take["take"] for take in clip.video.takes.values()]
    if not takes:
        return None
    where = column("take").isin(takes) & (column("start") <= clip.end) & (column("end") >= clip.start)
    rows = library.tables.rows("images", ["name", "start", "end", "jpeg"], where).to_pylist()
    middle = (clip.start + clip.end) / 2

    def rank(row: dict[str, Any]) -> tuple[bool, float]:
        whole = row["name"].startswith(("scenes-", "shots-"))
        return not whole, max(row["start"] - middle, middle - row["end"], 0)

    return min(rows, key=rank)["jpeg"] if rows else None
