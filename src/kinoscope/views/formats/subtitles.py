"""Speech as subtitle cues: short lines, at most two at a time, with times from the start of playback."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import inf
from typing import Any

from kinoscope.core.results import Event
from kinoscope.views.formats.clock import origin
from kinoscope.views.formats.plain import one_line
from kinoscope.views.timeline import Timeline

MAX_LINE_LENGTH = 42
"""Characters in a line, the usual limit of subtitles."""

MAX_LINES = 2
"""Lines of a cue."""

Word = tuple[float, float, str]


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of text shown from ``start`` to ``end``: seconds in whole milliseconds, ``end > start >= 0``."""

    start: Fraction
    end: Fraction
    lines: tuple[str, ...]


def cues(timeline: Timeline) -> list[Cue]:
    """Return the speech of a timeline as cues in time order."""
    zero = origin(timeline)
    return [cue for event in timeline.events("speech") for cue in _event_cues(event, zero)]


def wrap(text: str, width: int = MAX_LINE_LENGTH) -> list[str]:
    """Wrap text into as few lines as ``width`` characters allow, of about equal length."""
    lines = textwrap.wrap(text, width)
    while len(lines) > 1 and len(narrower := textwrap.wrap(text, width - 1)) == len(lines):
        lines, width = narrower, width - 1
    return lines


def _event_cues(event: Event, zero: float) -> list[Cue]:
    """Split one sentence into cues, each timed by its own words."""
    groups = _cue_words(_words(event))
    starts = [group[0][0] for group in groups]
    # A cue lasts to the end of its last word, and never into the next cue.
    ends = [min(group[-1][1], next_start) for group, next_start in zip(groups, [*starts, inf][1:], strict=True)]
    return [
        _cue(start - zero, end - zero, " ".join(word for _, _, word in group))
        for group, start, end in zip(groups, starts, ends, strict=True)
    ]


def _cue(start: float, end: float, text: str) -> Cue:
    first = max(0, round(Fraction(start) * 1000))
    last = max(first + 1, round(Fraction(end) * 1000))
    return Cue(Fraction(first, 1000), Fraction(last, 1000), tuple(wrap(text)))


def _cue_words(words: Sequence[Word]) -> list[list[Word]]:
    """Group words into cues of at most ``MAX_LINES`` full lines, of about equal length."""
    text = " ".join(word for _, _, word in words)
    count = max(1, -(-len(textwrap.wrap(text, MAX_LINE_LENGTH)) // MAX_LINES))
    target_length = len(text) / count
    groups: list[list[Word]] = []
    length = 0
    for word in words:
        if not groups or _overflows([*groups[-1], word]) or length >= target_length * len(groups):
            groups.append([])
        groups[-1].append(word)
        length += len(word[2]) + 1
    return groups


def _overflows(words: Sequence[Word]) -> bool:
    return len(words) > 1 and len(textwrap.wrap(" ".join(word for _, _, word in words), MAX_LINE_LENGTH)) > MAX_LINES


def _words(event: Event) -> list[Word]:
    """Return the words with their times: as recognized, or spread over the event in proportion to their length."""
    text = one_line(event.text or "")
    words = text.split()
    if (recognized := _recognized_words(text, event.extra.get("words") or [])) is not None:
        return recognized
    total = sum(map(len, words)) or 1
    marks = [0]
    for word in words:
        marks.append(marks[-1] + len(word))
    times = [event.start + (event.end - event.start) * mark / total for mark in marks]
    return [(start, end, word) for (start, end), word in zip(pairwise(times), words, strict=True)]


def _recognized_words(text: str, rows: Sequence[Sequence[Any]]) -> list[Word] | None:
    """Return the space-separated words of a text with the times of the recognized tokens; None if these differ."""
    words: list[Word] = []
    position = 0
    for start, end, token in ((float(row[0]), float(row[1]), one_line(str(row[2]))) for row in rows):
        new_word = text.startswith(" ", position)
        position += new_word
        if not token or not text.startswith(token, position):
            return None
        position += len(token)
        if words and not new_word:
            words[-1] = words[-1][0], end, words[-1][2] + token
        else:
            words.append((start, end, token))
    return words if position == len(text) else None


def replace_arrows(text: str) -> str:
    """Return text with ``-->`` replaced by an arrow: subtitle readers take it for the line of times."""
    return re.sub(r"--+>", "\N{RIGHTWARDS ARROW}", text)
