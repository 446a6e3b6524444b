"""What is said, and when: voice activity, then Whisper, with a time for every word.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, run by faster-whisper
(CTranslate2, int8). Stretches of speech are packed together up to the 30 s that Whisper looks at in any case, so the
cost follows the speech and not the length of the video. Decoding is greedy in temperature (0), hence repeatable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline
from kinoscope.models.registry import find
from kinoscope.models.store import fetch
from kinoscope.tasks.av.speech_segments import SAMPLE_RATE, SpeechSegmenter
from kinoscope.tasks.base import Needs, Skip

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

WINDOW_SAMPLES = 30 * SAMPLE_RATE
"""Samples that Whisper looks at in one go."""
MAX_TOKENS_PER_SECOND = 8
"""More than anybody speaks: ends a decoder that has begun to repeat itself."""
MAX_COMPRESSION_RATIO = 2.4
"""Compression ratio of text above which it is a loop, not speech (Whisper's own bound)."""
MIN_LOG_PROBABILITY = -0.8
"""Mean log probability of a token under which the text is a guess, as with a language the model does not know."""
MAX_NO_SPEECH_PROBABILITY = 0.5
"""Whisper's probability that nobody speaks, above which a guess is dropped."""
DOUBTFUL_LOG_PROBABILITY, DOUBTFUL_NO_SPEECH_PROBABILITY = -0.55, 0.2
"""Both together make a guess of a text, too: of other languages Whisper is unsure of the words and of the speech."""
CLEAR_LOG_PROBABILITY = -0.45
"""Mean log probability that a text needs where most of what is said around it is a guess."""
UNINTELLIGIBLE = "not English, or too unclear"
"""Why a sentence has no text. Whisper tiny.en knows English alone, and cannot detect which other language is spoken."""
MIN_SENTENCE_PROBABILITY = 0.4
"""Word probability (geometric mean of a sentence) under which its text is not given."""
MAX_PAUSE_SECONDS = 1.0
"""Seconds without a word that end a sentence."""
MIN_WORD_SECONDS = 0.04
"""Seconds that a word lasts at least; Whisper leaves nothing for some."""
MAX_SENTENCE_SECONDS = 12.0
"""Seconds after which a sentence ends at the next word; after half of them, at the end of Whisper's segment."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its time in seconds, its probability, and the number of Whisper's segment that it is from.

    ``pieces`` is how many of Whisper's words it was put together from; ``score`` is their geometric mean.
    """

    start: float
    end: float
    text: str
    score: float
    segment: int = 0
    pieces: int = 1


class Speech:
    """Whisper over what Silero takes for speech; one event a sentence.

    Events: label ``speech``, ``text`` the sentence (None where somebody speaks but the words are not understood,
    such as another language: ``extra["reason"]`` says so), ``score`` its mean word probability, and in
    ``extra["words"]`` a list of ``[start, end, word, probability]``: the words of the text as they stand between
    spaces, one after the other.
    """

    name = "speech"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1) -> None:
        # The small default is many times faster than real time on a CPU: a GPU is used only when it is asked for.
        self.device = "cuda" if device.startswith("cuda") else "cpu"
        self.model = "whisper-tiny.en" if model == "auto" else model
        self.threads = threads
        self._pack: list[Audio] = []
        self._events: list[Event] = []
        self._report = TaskReport(model=self.model, extra={"inferences": 0})
        self._heard = False

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for sound alone.

        Raises:
            Skip: there is no sound, or faster-whisper is not installed.
        """
        if not info.has_audio:
            raise Skip("no sound")
        try:
            from faster_whisper.vad import get_vad_model
        except ImportError:
            raise Skip("faster-whisper is not installed; pip install 'kinoscope[speech]'") from None
        self._voice = SpeechSegmenter(get_vad_model())
        self._whisper = self._load()
        return Needs(sound=SAMPLE_RATE)

    def _load(self) -> WhisperModel:
        from faster_whisper import WhisperModel

        card = find(self.model)
        precision = "int8" if self.device == "cpu" else "float16"
        self._report.licence, self._report.runtime = card.licence, f"ctranslate2-{precision}"
        return WhisperModel(
            str(fetch(card)["model.bin"].parent),
            device=self.device,
            compute_type=precision,
            cpu_threads=self.threads,
            local_files_only=True,
        )

    def process_frames(self, *batches: FrameBatch) -> None:
        """Not called: no pictures are asked for."""

    def process_audio(self, sound: Audio) -> None:
        """Take the next sound; what has been said by now is written down as soon as it fills a window."""
        self._heard = self._heard or len(sound.samples) > 0
        self._gather(self._voice.hear(sound))

    def finish(self, timeline: Timeline) -> TaskResult:
        """Write down the rest and give the sentences.

        Raises:
            Skip: the source said that it has sound, but none came.
        """
        if not self._heard:
            raise Skip("no sound")
        self._gather(self._voice.close())
        self._transcribe()
        return TaskResult(events=self._events, report=self._report)

    def _gather(self, stretches: list[Audio]) -> None:
        for stretch in stretches:
            if sum(len(s.samples) for s in self._pack) + len(stretch.samples) > WINDOW_SAMPLES:
                self._transcribe()
            self._pack.append(stretch)

    def _transcribe(self) -> None:
        """Put the packed stretches before Whisper as one piece of sound, and keep the sentences."""
        pack, self._pack = self._pack, []
        if not pack:
            return
        samples = np.concatenate([s.samples for s in pack])
        segments, _ = self._whisper.transcribe(
            samples,
            beam_size=5,
            temperature=0.0,
            word_timestamps=True,
            condition_on_previous_text=False,
            max_new_tokens=8 + MAX_TOKENS_PER_SECOND * len(samples) // SAMPLE_RATE,
        )
        self._report.extra["inferences"] += 1
        self._events += sentences(segments, pack)


def sentences(segments: Iterable[Segment], pack: list[Audio]) -> list[Event]:
    """Turn what Whisper made of packed sound into events on the source's clock, one a sentence."""
    found = [(segment, guess) for segment, guess in _guessed(list(segments)) if not (guess and _silent(segment))]
    words = [
        word for number, (segment, guess) in enumerate(found) for word in _whole(number, _words(number, segment, guess))
    ]
    return [_event(sentence) for sentence in _group(_lasting(_place(words, pack)))]


def _guessed(segments: Sequence[Segment]) -> list[tuple[Segment, bool]]:
    """Return each segment, and whether its text is a guess: by itself, or because most around it is.

    What Whisper makes of a language that it does not know is mostly a guess; what then seems likely is chance.
    """
    guesses = [_is_guess(segment) for segment in segments]
    seconds = [words[-1].end - words[0].start if (words := segment.words or []) else 0.0 for segment in segments]
    doubted = 2 * sum(long for long, guess in zip(seconds, guesses, strict=True) if guess) > sum(seconds)
    return [
        (segment, guess or (doubted and segment.avg_logprob < CLEAR_LOG_PROBABILITY))
        for segment, guess in zip(segments, guesses, strict=True)
    ]


def _is_guess(segment: Segment) -> bool:
    doubtful = (
        segment.avg_logprob < DOUBTFUL_LOG_PROBABILITY and segment.no_speech_prob > DOUBTFUL_NO_SPEECH_PROBABILITY
    )
    return bool(
        doubtful or segment.avg_logprob < MIN_LOG_PROBABILITY or segment.compression_ratio > MAX_COMPRESSION_RATIO
    )


def _silent(segment: Segment) -> bool:
    return bool(segment.no_speech_prob > MAX_NO_SPEECH_PROBABILITY)


def _words(number: int, segment: Segment, guess: bool) -> list[Word]:
    """Return a segment's words; the score is 0 where the text cannot be right."""
    return [
        Word(float(w.start), float(w.end), w.word, 0.0 if guess else float(w.probability), number)
        for w in segment.words or ()
    ]


def _whole(number: int, words: Iterable[Word]) -> list[Word]:
    """Put together what Whisper took apart: ``43`` and ``,000`` and ``%`` are one word, as they stand in the text."""
    whole: list[Word] = []
    for word in words:
        # Letters that follow without a space are words of a language that has none.
        if whole and word.text and not word.text[0].isspace() and not word.text[0].isalpha():
            last = whole[-1]
            text, end = last.text + word.text, max(last.end, word.end)
            score, pieces = _mean([last, word]), last.pieces + 1
            whole[-1] = Word(last.start, end, text, score, number, pieces)
        else:
            whole.append(word)
    return whole


def _mean(words: Sequence[Word]) -> float:
    """Return the geometric mean of the probabilities of all pieces."""
    total = sum(word.pieces * math.log(max(word.score, 1e-3)) for word in words)
    return math.exp(total / sum(word.pieces for word in words))


def _lasting(words: Sequence[Word]) -> list[Word]:
    """Let every word last: one without time gets it from the silence after it, or from the word after it."""
    parts: list[list[Word]] = []
    for word, after in zip(words, [*(word.start for word in words[1:]), math.inf], strict=False):
        waits = parts and parts[-1][-1].end - parts[-1][-1].start < MIN_WORD_SECONDS
        end = max(word.end, min(word.start + MIN_WORD_SECONDS, after))
        parts.append([*(parts.pop() if waits else []), replace(word, end=end)])
    return [word for part in parts for word in _shared(part)]


def _shared(words: list[Word]) -> list[Word]:
    """Share the time of words out among them."""
    if len(words) == 1:
        return words
    edges = np.linspace(words[0].start, words[-1].end, len(words) + 1).tolist()
    return [replace(word, start=start, end=end) for word, (start, end) in zip(words, pairwise(edges), strict=True)]


def _place(words: Iterable[Word], pack: list[Audio]) -> list[Word]:
    """Move words from the time of the packed sound to the source's clock; no word leaves its stretch."""
    ends = np.cumsum([len(s.samples) for s in pack]) / SAMPLE_RATE
    placed = []
    for word in words:
        i = min(int(np.searchsorted(ends, (word.start + word.end) / 2, "right")), len(pack) - 1)
        low, high = float(pack[i].start), float(pack[i].end)
        shift = high - float(ends[i])
        start, end = (min(max(t + shift, low), high) for t in (word.start, word.end))
        placed.append(replace(word, start=start, end=max(start, end)))
    return placed


def _group(words: Iterable[Word]) -> list[list[Word]]:
    """Part words into sentences."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or _ends(groups[-1], word):
            groups.append([])
        groups[-1].append(word)
    return groups


def _ends(sentence: list[Word], following: Word) -> bool:
    """Whether a sentence ends before the next word: at its full stop, at a pause, or when it grows too long."""
    first, last = sentence[0], sentence[-1]
    if last.text.rstrip("\"')").endswith((".", "?", "!")) or following.start - last.end > MAX_PAUSE_SECONDS:
        return True
    long = following.end - first.start
    return long > MAX_SENTENCE_SECONDS or (long > MAX_SENTENCE_SECONDS / 2 and following.segment != last.segment)


def _event(words: list[Word]) -> Event:
    start, end = words[0].start, max(w.end for w in words)
    score = _mean(words)
    if score < MIN_SENTENCE_PROBABILITY:
        return Event("speech", start, end, "speech", score, extra={"reason": UNINTELLIGIBLE})
    text = "".join(w.text for w in words).strip()
    rows = [[round(w.start, 3), round(w.end, 3), w.text.strip(), round(w.score, 3)] for w in words]
    return Event("speech", start, end, "speech", score, text, {"words": rows})
