r"""The query language of a library: what to search for, and how its parts relate in time.

    person near car after 10 s
    "Ada" with (about "cooking" or says "a pinch of salt") longer than 5 s in "kitchen*.mp4"

Grammar, its lower lines binding more tightly; capitals are keywords, in lower or upper case:

    query     = branch { OR branch }
    branch    = part { AND part | condition }          a condition limits all that stands before it in its branch
    part      = NOT part | chain
    chain     = term { NEAR term [ WITHIN time ] | WITH term | WITHOUT term }
    term      = "(" query ")" | SAYS text | ABOUT text | name
    name      = text | word { word }                   a label or a person's name; in quotes where it has keywords
    condition = AFTER time | BEFORE time | BETWEEN time AND time | LONGER THAN time | SHORTER THAN time | IN text
    text      = characters in quotes, with \" for a quote
    time      = a clock (1:30, 00:01:02.5) | number [ s | min | h ]

The result of a query is a set of moments, time ranges in videos. ``A or B``: the moments of both. ``A and B``: the
same, in those videos that have both. ``A and not B``: the moments of A in videos without B. ``A with B``: while both
are. ``A without B``: moments of A that do not overlap any of B. ``A near B``: what of both is at most 3 seconds from
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
"""Default distance in seconds up to which two things are near each other in time."""

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
    """All moments with a label or a name."""

    name: str

    def __str__(self) -> str:
        return self.name if _is_plain(self.name) else quote(self.name)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """Moments in which these words are spoken."""

    text: str

    def __str__(self) -> str:
        return f"says {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class MeaningQuery:
    """Moments in which something of this meaning is spoken."""

    text: str

    def __str__(self) -> str:
        return f"about {quote(self.text)}"


@dataclass(frozen=True, slots=True)
class NotQuery:
    """Whole videos without any moment of the operand."""

    operand: Query

    def __str__(self) -> str:
        return f"not {_inner(self.operand)}"


@dataclass(frozen=True, slots=True)
class PairQuery:
    """Two queries and their relation in time: ``or``, ``and``, ``near``, ``with`` or ``without``.

    Attributes:
        operator: one of these.
        left, right: the operands.
        seconds: for ``near``, the largest distance.
    """

    operator: str
    left: Query
    right: Query
    seconds: float = NEAR_SECONDS

    def __str__(self) -> str:
        within = f" within {self.seconds!r} s" if self.operator == "near" and self.seconds != NEAR_SECONDS else ""
        return f"{_inner(self.left)} {self.operator} {_inner(self.right)}{within}"


@dataclass(frozen=True, slots=True)
class LimitQuery:
    """Moments of a query that meet a condition: ``after``, ``before``, ``between``, ``longer``, ``shorter``, ``in``.

    Attributes:
        operand: the query that is limited.
        operator: the condition.
        low, high: in seconds; all but ``between`` use ``low`` only.
        pattern: for ``in``, the pattern of a file's name or path, with ``*`` and ``?``.
    """

    operand: Query
    operator: str
    low: float = 0.0
    high: float = 0.0
    pattern: str = ""

    def __str__(self) -> str:
        phrases = {
            "between": f"between {self.low!r} s and {self.high!r} s",
            "in": f"in {quote(self.pattern)}",
            "longer": f"longer than {self.low!r} s",
            "shorter": f"shorter than {self.low!r} s",
        }
        return f"{_inner(self.operand)} {phrases.get(self.operator, f'{self.operator} {self.low!r} s')}"


Query = LabelQuery | TextQuery | MeaningQuery | NotQuery | PairQuery | LimitQuery


def quote(text: str) -> str:
    """Return a text in quotes, with quotes and backslashes escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_plain(name: str) -> bool:
    words = name.split(" ")
    return all(re.fullmatch(r'[^\s()"]+', word) and word.lower() not in KEYWORDS for word in words)


def _inner(query: Query) -> str:
    return str(query) if isinstance(query, LabelQuery | TextQuery | MeaningQuery) else f"({query})"


def parse(text: str) -> Query:
    """Parse a query.

    Raises:
        OptionError: the text is no query; the message says where parsing stopped and what is allowed there.
    """
    return _Parser(text).parse()


class _Parser:
    """A recursive descent parser; each method parses one line of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position, self.depth = 0, 0

    def parse(self) -> Query:
        query = self.query()
        if self.position < len(self.tokens):
            self.fail("and, or, near, with, without, after, before, between, longer than, shorter than, in")
        return query

    def query(self) -> Query:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise OptionError(f"the query is nested more than {_MAX_DEPTH} deep; make it simpler")
        query = self.branch()
        while self.keyword("or"):
            query = PairQuery("or", query, self.branch())
        self.depth -= 1
        return query

    def branch(self) -> Query:
        query = self.part()
        while True:
            if self.keyword("and"):
                query = PairQuery("and", query, self.part())
            elif limited := self.condition(query):
                query = limited
            else:
                return query

    def part(self) -> Query:
        negations = 0
        while self.keyword("not"):
            negations += 1
        query = self.chain()
        for _ in range(min(negations, _MAX_DEPTH)):
            query = NotQuery(query)
        return query

    def chain(self) -> Query:
        query = self.term()
        while operator := next((operator for operator in ("near", "with", "without") if self.keyword(operator)), None):
            right = self.term()
            seconds = self.time() if operator == "near" and self.keyword("within") else NEAR_SECONDS
            query = PairQuery(operator, query, right, seconds)
        return query

    def term(self) -> Query:
        if self.punctuation("("):
            query = self.query()
            if not self.punctuation(")"):
                self.fail(")")
            return query
        for word, query_type in SPEECH_QUERIES.items():
            if self.keyword(word):
                return query_type(self.quoted(f'what is said in quotes, as in {word} "hello"'))
        if self.peek()[:1] == '"':
            return LabelQuery(self.quoted("a name"))
        return LabelQuery(self.label())

    def label(self) -> str:
        first = self.position
        while (token := self.peek()) and token[0] not in '"()' and token.lower() not in KEYWORDS:
            self.position += 1
        if first == self.position:
            self.fail('a label, a name in quotes, says "...", about "..." or a part in parentheses')
        return " ".join(self.tokens[first : self.position])

    def condition(self, operand: Query) -> Query | None:
        if self.keyword("in"):
            return LimitQuery(operand, "in", pattern=self.quoted('a file name in quotes, as in "street*.mp4"'))
        if self.keyword("between"):
            low = self.time()
            if not self.keyword("and"):
                self.fail("and")
            return LimitQuery(operand, "between", low, self.time())
        for operator in ("longer", "shorter"):
            if self.keyword(operator):
                if not self.keyword("than"):
                    self.fail("than")
                return LimitQuery(operand, operator, self.time())
        operator = next((operator for operator in ("after", "before") if self.keyword(operator)), "")
        return LimitQuery(operand, operator, self.time()) if operator else None

    def time(self) -> float:
        token = self.peek()
        if number := _NUMBER.fullmatch(token):
            self.position += 1
            unit = number[2].lower()
            if not unit and self.peek().lower() in UNIT_SECONDS:
                unit, self.position = self.peek().lower(), self.position + 1
            if unit in UNIT_SECONDS or not unit:
                return float(number[1]) * UNIT_SECONDS.get(unit, 1)
            self.position -= 1
        elif ":" in token:
            try:
                value = float(parse_time(token))
            except OptionError:
                value = -1
            if value >= 0:
                self.position += 1
                return value
        return self.fail("a time, such as 10 s, 2 min or 1:30")

    def quoted(self, expected: str) -> str:
        token = self.peek()
        if token[:1] != '"':
            self.fail(expected)
        self.position += 1
        text = re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL)
        if not text.strip():
            raise OptionError(f"the query has empty quotes; give {expected}")
        return text

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def keyword(self, word: str) -> bool:
        return self.accept(self.peek().lower() == word)

    def punctuation(self, sign: str) -> bool:
        return self.accept(self.peek() == sign)

    def accept(self, matches: bool) -> bool:
        self.position += matches
        return matches

    def fail(self, expected: str) -> NoReturn:
        rest = self.peek()
        where = f"before {rest}" if rest else "at the end"
        raise OptionError(f"the query {self.text!r} is not understood {where}; expected: {expected}")


SPEECH_QUERIES: dict[str, Callable[[str], Query]] = {"says": TextQuery, "about": MeaningQuery}


def _tokens(text: str) -> list[str]:
    if len(text) > _MAX_CHARACTERS:
        raise OptionError(f"the query has {len(text)} characters; give at most {_MAX_CHARACTERS}")
    tokens, position = [], 0
    while position < len(text.rstrip()):
        token = _TOKEN.match(text, position)
        if token is None:
            raise OptionError(f"the query {text!r} has a quote that is not closed; close it with another")
        tokens.append(token[0].strip() if not token["text"] else token["text"])
        position = token.end()
    return tokens
