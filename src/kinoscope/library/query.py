r"""The query language: what to look for in a library, and how its parts lie in time.

    person near car after 10 s
    "Ada" with (about "cooking" or says "a pinch of salt") longer than 5 s in "kitchen*.mp4"

Grammar, its lower lines binding more tightly; capitals are words of their own, in small letters or large:

    query     = branch { OR branch }
    branch    = part { AND part | condition }          a condition limits all that stands before it in its branch
    part      = NOT part | chain
    chain     = term { NEAR term [ WITHIN time ] | WITH term | WITHOUT term }
    term      = "(" query ")" | SAYS text | ABOUT text | name
    name      = text | word { word }                   a label or somebody's name; in quotes where it has such words
    condition = AFTER time | BEFORE time | BETWEEN time AND time | LONGER THAN time | SHORTER THAN time | IN text
    text      = characters in quotes, with \" for a quote
    time      = a clock (1:30, 00:01:02.5) | number [ s | min | h ]

What a query gives are moments, stretches of time in videos. ``A or B``: the moments of both. ``A and B``: the same, in
those videos that have both. ``A and not B``: the moments of A in videos without B. ``A with B``: while both are.
``A without B``: moments of A at no time of which B is. ``A near B``: what of both is at most 3 seconds from
the other, or as many as ``within`` says. Times count as players do, from 0 at the start of a video.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from kinoscope.core.errors import OptionError
from kinoscope.core.time import parse_time

NEAR_SECONDS = 3.0
"""Seconds that may lie between two things that are near each other in time."""

UNIT_SECONDS = {
    "s": 1, "sec": 1, "second": 1, "seconds": 1, "min": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hour": 3600, "hours": 3600,
}  # fmt: skip
"""Unit of a time -> its length in seconds."""
"""Unit of a time -> seconds."""

KEYWORDS = {"or", "and", "not", "near", "within", "with", "without", "says", "about", "after", "before", "between",
            "longer", "shorter", "than", "in"}  # fmt: skip

_TOKEN = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[()])|(?P<word>[^\s()"]+))')
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([a-z]*)", re.IGNORECASE)
_MAX_CHARACTERS = 2000
_MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class LabelQuery:
    """All that has a label or a name."""

    name: str

    def __str__(self) -> str:
        return self.name if _is_plain(self.name) else quote(self.name)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """What is said, word for word."""

    text: str

    def __str__(self) -> str:
        return f"says {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class MeaningQuery:
    """What is said, by its meaning."""

    text: str

    def __str__(self) -> str:
        return f"about {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class NotQuery:
    """Whole videos in which something never is."""

    of: Query

    def __str__(self) -> str:
        return f"not {_inner(self.of)}"


@dataclass(frozen=True, slots=True)
class PairQuery:
    """Two things, and what lies between them: ``or``, ``and``, ``near``, ``with`` or ``without``.

    Attributes:
        seconds: for ``near``, how many may lie between.
    """

    how: str
    left: Query
    right: Query
    seconds: float = NEAR_SECONDS

    def __str__(self) -> str:
        within = f" within {self.seconds!r} s" if self.how == "near" and self.seconds != NEAR_SECONDS else ""
        return f"{_inner(self.left)} {self.how} {_inner(self.right)}{within}"


@dataclass(frozen=True, slots=True)
class LimitQuery:
    """Moments of something that hold a condition: ``after``, ``before``, ``between``, ``longer``, ``shorter``, ``in``.

    Attributes:
        low, high: in seconds; of ``after`` and the like only ``low`` counts.
        pattern: of ``in``: what a file's name or path is like, with ``*`` and ``?``.
    """

    of: Query
    how: str
    low: float = 0.0
    high: float = 0.0
    pattern: str = ""

    def __str__(self) -> str:
        what = {
            "between": f"between {self.low!r} s and {self.high!r} s",
            "in": f"in {quote(self.pattern)}",
            "longer": f"longer than {self.low!r} s",
            "shorter": f"shorter than {self.low!r} s",
        }
        return f"{_inner(self.of)} {what.get(self.how, f'{self.how} {self.low!r} s')}"


Query = LabelQuery | TextQuery | MeaningQuery | NotQuery | PairQuery | LimitQuery


def quote(text: str) -> str:
    """Put text in quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(name: str) -> bool:
    words = name.split(" ")
    return all(re.fullmatch(r'[^\s()"]+', word) and word.lower() not in KEYWORDS for word in words)


def _inner(query: Query) -> str:
    return str(query) if isinstance(query, LabelQuery | TextQuery | MeaningQuery) else f"({query})"


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        OptionError: it is none; the message says where it breaks off and what may stand there.
    """
    return _Parser(text).whole()


class _Parser:
    """Recursive descent; each method reads one line of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at, self.depth = 0, 0

    def whole(self) -> Query:
        query = self.query()
        if self.at < len(self.tokens):
            self.fail("and, or, near, with, without, after, before, between, longer than, shorter than, in")
        return query

    def query(self) -> Query:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise OptionError(f"the query is nested more than {_MAX_DEPTH} deep; make it simpler")
        found = self.branch()
        while self.word("or"):
            found = PairQuery("or", found, self.branch())
        self.depth -= 1
        return found

    def branch(self) -> Query:
        found = self.part()
        while True:
            if self.word("and"):
                found = PairQuery("and", found, self.part())
            elif limited := self.condition(found):
                found = limited
            else:
                return found

    def part(self) -> Query:
        turns = 0
        while self.word("not"):
            turns += 1
        found = self.chain()
        for _ in range(min(turns, _MAX_DEPTH)):
            found = NotQuery(found)
        return found

    def chain(self) -> Query:
        found = self.term()
        while how := next((how for how in ("near", "with", "without") if self.word(how)), None):
            right = self.term()
            seconds = self.time() if how == "near" and self.word("within") else NEAR_SECONDS
            found = PairQuery(how, found, right, seconds)
        return found

    def term(self) -> Query:
        if self.mark("("):
            found = self.query()
            if not self.mark(")"):
                self.fail(")")
            return found
        for how, make in SPEECH_QUERIES.items():
            if self.word(how):
                return make(self.quoted(f'what is said in quotes, as in {how} "hello"'))
        if self.peek()[:1] == '"':
            return LabelQuery(self.quoted("a name"))
        return LabelQuery(self.words())

    def words(self) -> str:
        first = self.at
        while (token := self.peek()) and token[0] not in '"()' and token.lower() not in KEYWORDS:
            self.at += 1
        if first == self.at:
            self.fail('a label, a name in quotes, says "...", about "..." or (')
        return " ".join(self.tokens[first : self.at])

    def condition(self, of: Query) -> Query | None:
        if self.word("in"):
            return LimitQuery(of, "in", pattern=self.quoted('a file name in quotes, as in "street*.mp4"'))
        if self.word("between"):
            low = self.time()
            if not self.word("and"):
                self.fail("and")
            return LimitQuery(of, "between", low, self.time())
        for how in ("longer", "shorter"):
            if self.word(how):
                if not self.word("than"):
                    self.fail("than")
                return LimitQuery(of, how, self.time())
        how = next((how for how in ("after", "before") if self.word(how)), "")
        return LimitQuery(of, how, self.time()) if how else None

    def time(self) -> float:
        token = self.peek()
        if number := _NUMBER.fullmatch(token):
            self.at += 1
            unit = number[2].lower()
            if not unit and self.peek().lower() in UNIT_SECONDS:
                unit, self.at = self.peek().lower(), self.at + 1
            if unit in UNIT_SECONDS or not unit:
                return float(number[1]) * UNIT_SECONDS.get(unit, 1)
            self.at -= 1
        elif ":" in token:
            try:
                value = float(parse_time(token))
            except OptionError:
                value = -1
            if value >= 0:
                self.at += 1
                return value
        return self.fail("a time, such as 10 s, 2 min or 1:30")

    def quoted(self, what: str) -> str:
        token = self.peek()
        if token[:1] != '"':
            self.fail(what)
        self.at += 1
        text = re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
        if not text.strip():
            raise OptionError(f"the query has empty quotes; give {what}")
        return text

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def word(self, keyword: str) -> bool:
        return self.take(self.peek().lower() == keyword)

    def mark(self, sign: str) -> bool:
        return self.take(self.peek() == sign)

    def take(self, fits: bool) -> bool:
        self.at += fits
        return fits

    def fail(self, expected: str) -> NoReturn:
        rest = self.peek()
        where = f"before {rest}" if rest else "at the end"
        raise OptionError(f"the query {self.text!r} is not understood {where}; there may stand: {expected}")


SPEECH_QUERIES: dict[str, Callable[[str], Query]] = {"says": TextQuery, "about": MeaningQuery}


def _tokens(text: str) -> list[str]:
    if len(text) > _MAX_CHARACTERS:
        raise OptionError(f"the query has {len(text)} characters; give at most {_MAX_CHARACTERS}")
    tokens, at = [], 0
    while at < len(text.rstrip()):
        token = _TOKEN.match(text, at)
        if token is None:
            raise OptionError(f"the query {text!r} has a quote that is not closed; close it with another")
        tokens.append(token[0].strip() if not token["text"] else token["text"])
        at = token.end()
    return tokens
