"""Search of a library: the best moments, and which part of the query each matches."""

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
"""Sentences that are read for a phrase: those with the highest rank."""

MIN_SENTENCE_SIMILARITY = 0.3
"""Cosine similarity from which a sentence has the meaning that is asked for."""

MAX_NEAREST_VECTORS = 200
"""Nearest vectors that are compared with the largest distance."""

MAX_LISTED_NAMES = 8
"""Names of a library that an error message lists."""

Embed = Callable[[str], Float32Array]
"""Return the vector (D,) of the meaning of a text."""


@dataclass(frozen=True, slots=True)
class Match:
    """The row that matches one part of a query.

    Attributes:
        what: a readable description.
        start, end: presentation time in seconds.
        score: in [0, 1].
        table, run, number: key of the row.
    """

    what: str
    start: float
    end: float
    score: float
    table: str
    run: int
    number: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {"what": self.what, "start": round(self.start, 3), "end": round(self.end, 3),
                "score": round(self.score, 4)}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A moment that matches a query.

    Attributes:
        video: the video that it is part of.
        start, end: presentation time in seconds.
        score: in [0, 1].
        why: of each part of the query the best match in it.
    """

    video: StoredVideo
    start: float
    end: float
    score: float
    why: list[Match] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; times are presentation times."""
        plain = {"video": self.video.path, "id": self.video.id, "start": round(self.start, 3)}
        plain |= {"end": round(self.end, 3), "score": round(self.score, 4)}
        return plain | {"why": [match.to_dict() for match in self.why]}

    def player_time(self, time: float) -> float:
        """Return a presentation time as a player shows it: in seconds from the beginning of the video."""
        return round(max(0.0, time - self.video.start), 3)


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """A query by example: a vector in a space, of the whole or a part of an image.

    Attributes:
        space: one of ``tables.VECTOR_SPACES``.
        vector: (D,) float32.
        model: the model that computed it.
        what: a readable description.
        max_distance: largest distance that matches; cosine distance, or Euclidean for faces.
    """

    space: str
    vector: Float32Array
    model: str
    what: str
    max_distance: float


@dataclass(slots=True)
class _PartMatches:
    """All rows that match one part of a query, sorted by their videos."""

    what: str
    table: str
    spans: Intervals
    run: Int64Array
    number: Int64Array
    texts: list[str] | None = None

    def best_match(self, video: int, start: float, end: float) -> Match | None:
        """Return the best row that overlaps a moment of a video, or None."""
        spans = self.spans
        first, past = np.searchsorted(spans.video, (video, video + 1))
        inside = first + np.flatnonzero((spans.end[first:past] >= start) & (spans.start[first:past] <= end))
        if not len(inside):
            return None
        row = int(inside[np.argmax(spans.score[inside])])
        what = f"{self.what}: {self.texts[row]}" if self.texts else self.what
        times = float(spans.start[row]), float(spans.end[row]), float(spans.score[row])
        return Match(what, *times, self.table, int(self.run[row]), int(self.number[row]))


def search_videos(
    library: Library,
    query: Query | None,
    vectors: Sequence[VectorQuery] = (),
    embed: Embed | None = None,
    limit: int = 50,
    notes: list[str] | None = None,
) -> list[SearchHit]:
    """Return the moments that match a query.

    A name that is not in the library is an error, unless the query can be answered without it: by the other side of an
    ``or``, or as what never occurs in a ``not`` or ``without``.

    Args:
        library: to search.
        query: what to search for; None for all that is similar to ``vectors``.
        vectors: the moments must also be similar to any of these.
        embed: embeds the text of ``about``; None where its model cannot be had.
        limit: the largest number of moments to return.
        notes: gets a line for each unknown name if there is an answer all the same.

    Returns:
        The best first; those of equal score by video and time.

    Raises:
        LibraryError: the library cannot be read, or does not have a name of the query.
    """
    with lance_errors(library.path):
        search = _Search(library, embed)
        hits = search.execute(query, vectors, limit)
        if notes is not None:
            notes += map(str, search.missing)
        return hits


class _UnknownName(LibraryError):
    """The error of a name that nothing in the library has."""


class _Search:
    """One search over the videos as they are when it begins.

    Attributes:
        parts: the matches of each part of the query.
        missing: errors of unknown names that did not end the search.
    """

    def __init__(self, library: Library, embed: Embed | None) -> None:
        self.library, self.tables, self.embed = library, library.tables, embed
        self.videos = library.videos()
        pairs = [(run["run"], n) for n, video in enumerate(self.videos) for run in video.runs.values()]
        self.runs, self.run_videos = np.array(sorted(pairs), np.int64).reshape(-1, 2).T
        self.parts: list[_PartMatches] = []
        self.missing: list[_UnknownName] = []

    @cached_property
    def names(self) -> dict[str, dict[str, int]]:
        """Searchable names, and how often each is a label or an identity."""
        return self.library.kinds(self.runs)

    def execute(self, query: Query | None, vectors: Sequence[VectorQuery], limit: int) -> list[SearchHit]:
        moments = self.find(query) if query else None
        if self.missing and not self.parts:
            raise self.missing[0]
        if vectors:
            similar = Intervals.empty()
            for vector_query in vectors:
                similar = similar.concatenate(self.similar(vector_query))
            moments = similar.merged() if moments is None else intersect(moments, similar.merged())
        if moments is None:
            return []
        order = np.lexsort((moments.start, moments.video, -np.round(moments.score, 3)))[:limit]
        return [self.hit(*row) for row in zip(*(getattr(moments[order], c) for c in INTERVAL_COLUMNS), strict=True)]

    def hit(self, video: int, start: float, end: float, score: float) -> SearchHit:
        matches = [part.best_match(video, start, end) for part in self.parts]
        best: dict[str, Match] = {}
        for match in matches:
            if match and (match.what not in best or match.score > best[match.what].score):
                best[match.what] = match
        return SearchHit(self.videos[video], float(start), float(end), float(score), list(best.values()))

    def find(self, query: Query) -> Intervals:
        """Return the moments that match a query, merged."""
        if isinstance(query, LabelQuery):
            return self.label(query.name)
        if isinstance(query, TextQuery):
            return self.spoken_text(query.text)
        if isinstance(query, MeaningQuery):
            return self.spoken_meaning(query.text)
        if isinstance(query, NotQuery):
            return self.complement(self.find_optional(query.operand) or Intervals.empty())
        if isinstance(query, PairQuery):
            return self.pair(query)
        return self.limit(query)

    def pair(self, query: PairQuery) -> Intervals:
        if query.operator == "or":
            return self.union(query)
        left = self.find(query.left)
        if query.operator == "without":
            return exclude_overlapping(left, self.find_optional(query.right) or Intervals.empty())
        right = self.find(query.right)
        if query.operator == "near":
            return intersect_near(left, right, query.seconds)
        if query.operator == "with":
            return intersect(left, right)
        return self.in_same_videos(query, left, right)

    def union(self, query: PairQuery) -> Intervals:
        """Return the moments of both operands, or of the one whose names are known."""
        operands = [self.find_optional(side) for side in (query.left, query.right)]
        known = [side for side in operands if side is not None]
        if not known:
            *self.missing, first, _ = self.missing
            raise first
        return reduce(Intervals.concatenate, known).merged()

    def find_optional(self, query: Query) -> Intervals | None:
        """Return the moments of a query; None, and a note, if one of its names is unknown."""
        try:
            return self.find(query)
        except _UnknownName as error:
            self.missing.append(error)
            return None

    def in_same_videos(self, query: PairQuery, left: Intervals, right: Intervals) -> Intervals:
        """Return the moments of both operands in videos that have both; a ``not`` has no moments to show."""
        shared = np.intersect1d(left.video, right.video)
        operands = (left, query.left), (right, query.right)
        visible = [side for side, operand in operands if not isinstance(operand, NotQuery)]
        visible = visible or [left]
        merged = visible[0] if len(visible) == 1 else visible[0].concatenate(visible[1])
        return merged[np.isin(merged.video, shared)].merged()

    def limit(self, query: LimitQuery) -> Intervals:
        moments = self.find(query.operand)
        if query.operator == "in":
            matches = [fnmatch(v.name, query.pattern) or fnmatch(v.path, query.pattern) for v in self.videos]
            return moments[np.array(matches, bool)[moments.video]] if len(moments) else moments
        zero = np.array([video.start for video in self.videos])[moments.video] if len(moments) else moments.start
        start, end, duration = moments.start - zero, moments.end - zero, moments.end - moments.start
        keep = {
            "after": start >= query.low,
            "before": end <= query.low,
            "between": (start >= query.low) & (end <= query.high),
            "longer": duration > query.low,
            "shorter": duration < query.low,
        }
        return moments[keep[query.operator]]

    def complement(self, moments: Intervals) -> Intervals:
        """Return, whole, the videos without any of the moments."""
        rest = np.setdiff1d(np.arange(len(self.videos)), moments.video)
        starts = np.array([self.videos[n].start for n in rest])
        ends = starts + np.array([self.videos[n].duration for n in rest])
        return Intervals(rest, starts, ends, np.ones(len(rest)))

    def label(self, name: str) -> Intervals:
        """Return the moments of a label or of an identity."""
        spellings = self.match_name(name)
        kinds = {kind for spelling in spellings for kind in self.names[spelling]}
        moments = Intervals.empty()
        for table, name_columns in NAME_COLUMNS.items():
            # A table that does not have the name need not be read.
            if kinds.intersection(name_columns):
                where = reduce(or_, (column(name_column).isin(spellings) for name_column in name_columns.values()))
                rows = self.tables.rows(table, [*ROW_COLUMNS, "score"], where)
                moments = moments.concatenate(self.add_part(name, table, rows))
        return moments.merged()

    def match_name(self, name: str) -> list[str]:
        """Return the spellings of a name in the library: as it is, or else in another case.

        Raises:
            LibraryError: it is not there.
        """
        if name in self.names:
            return [name]
        spellings = [known for known in self.names if known.casefold() == name.casefold()]
        if spellings:
            return spellings
        frequent = sorted(self.names, key=lambda known: -sum(self.names[known].values()))[:MAX_LISTED_NAMES]
        listed = f"most frequent: {', '.join(frequent)}" if frequent else "there is nothing in it"
        path = self.library.path
        more = f"; see `kinoscope library show {path}`" if frequent else ""
        raise _UnknownName(f"nothing in {path} is called {name!r}; {suggest(name, self.names)}{listed}{more}")

    def spoken_text(self, text: str) -> Intervals:
        """Return when a phrase is spoken: these words in this order, whatever their endings."""
        phrase = require_extra("lancedb.query", "library").PhraseQuery(text, "text")
        self.tables["speech"].checkout_latest()
        query = self.tables["speech"].search(phrase, query_type="fts").select([*ROW_COLUMNS, "text", "_score"])
        rows = query.limit(MAX_SENTENCES).to_arrow()
        ranks = rows["_score"].to_numpy()
        score = ranks / ranks.max() if len(ranks) else ranks
        return self.add_part("said", "speech", rows, score, rows["text"].to_pylist()).merged()

    def spoken_meaning(self, text: str) -> Intervals:
        """Return when something of that meaning is spoken."""
        if self.embed is None:
            raise LibraryError('what is said cannot be compared by meaning here; ask with says "..." instead')
        rows = self.nearest("sentences", self.embed(text), "minilm", MAX_NEAREST_VECTORS)
        rows = rows.filter(rows["_distance"].to_numpy() <= 1 - MIN_SENTENCE_SIMILARITY)
        texts = self.texts(rows)
        return self.add_part("said", "speech", rows, 1 - rows["_distance"].to_numpy(), texts).merged()

    def texts(self, rows: Any) -> list[str]:
        """Return the sentence of each row."""
        runs = sorted(set(rows["run"].to_pylist()))
        if not runs:
            return []
        speech = self.tables.rows("speech", ["run", "number", "text"], column("run").isin(runs))
        sentences = {(row["run"], row["number"]): row["text"] for row in speech.to_pylist()}
        return [sentences.get(key, "") for key in zip(rows["run"].to_pylist(), rows["number"].to_pylist(), strict=True)]

    def similar(self, query: VectorQuery) -> Intervals:
        """Return the moments whose vectors are close to that of a query."""
        metric = DISTANCE_METRICS[query.space]
        rows = self.nearest(query.space, query.vector, query.model, MAX_NEAREST_VECTORS)
        distances = rows["_distance"].to_numpy()
        distances = np.sqrt(distances) if metric == "l2" else distances
        close = distances <= query.max_distance
        score = 1 - distances[close] / (2 * query.max_distance) if metric == "l2" else 1 - distances[close]
        return self.add_part(query.what, query.space, rows.filter(close), score)

    def nearest(self, space: str, vector: Float32Array, model: str, limit: int) -> Any:
        table = self.tables[space]
        table.checkout_latest()
        query = table.search(np.asarray(vector, np.float32)).distance_type(DISTANCE_METRICS[space])
        return query.where(column("model") == model).select([*ROW_COLUMNS, "_distance"]).limit(limit).to_arrow()

    def add_part(
        self, what: str, table: str, rows: Any, score: NDArray[Any] | None = None, texts: list[str] | None = None
    ) -> Intervals:
        """Record rows as matches of one part of the query, if a video refers to them, and return their intervals."""
        run = rows["run"].to_numpy()
        if not len(self.runs):
            return Intervals.empty()
        at = np.searchsorted(self.runs, run).clip(0, len(self.runs) - 1)
        named = np.flatnonzero(self.runs[at] == run)
        order = named[np.argsort(self.run_videos[at[named]], kind="stable")]
        # Only a damaged row has an infinite time.
        order = order[np.isfinite(rows["start"].to_numpy()[order]) & np.isfinite(rows["end"].to_numpy()[order])]
        start, end, number = (rows[name].to_numpy()[order] for name in ("start", "end", "number"))
        scores = np.asarray(rows["score"].to_numpy() if score is None else score, np.float64)[order]
        spans = Intervals(self.run_videos[at[order]], start, end, scores.clip(0, 1))
        part_texts = None if texts is None else [texts[row] for row in order]
        self.parts.append(_PartMatches(what, table, spans, run[order], number, part_texts))
        return spans


NAME_COLUMNS = {"events": {"event": "label"}, "tracks": {"track": "label", "identity": "identity"}}
"""Table -> kind of name -> the column that holds it."""

ROW_COLUMNS = ["run", "number", "start", "end"]
INTERVAL_COLUMNS = ("video", "start", "end", "score")


def hit_image(library: Library, hit: SearchHit) -> bytes | None:
    """Return a JPEG of a moment: of its shot, else of a match in it; None if none was stored."""
    runs = [run["run"] for run in hit.video.runs.values()]
    if not runs:
        return None
    where = column("run").isin(runs) & (column("start") <= hit.end) & (column("end") >= hit.start)
    rows = library.tables.rows("images", ["name", "start", "end", "jpeg"], where).to_pylist()
    middle = (hit.start + hit.end) / 2

    def rank(row: dict[str, Any]) -> tuple[bool, float]:
        whole = row["name"].startswith(("scenes-", "shots-"))
        return not whole, max(row["start"] - middle, middle - row["end"], 0)

    return min(rows, key=rank)["jpeg"] if rows else None
