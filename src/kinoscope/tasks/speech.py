"""Speech recognition: voice activity detection, then Whisper, with a timestamp for every word.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, run by faster-whisper
(CTranslate2, int8). Segments of speech are packed together up to the 30 s that Whisper processes in any case, so the
cost depends on the amount of speech and not on the length of the video. The temperature is 0, hence the result is
reproducible.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kinoscope.core.media import Audio, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult
from kinoscope.models.registry import find
from kinoscope.models.store import fetch
from kinoscope.tasks.av.speech_segments import SAMPLE_RATE, SpeechSegmenter
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.views.timeline import Timeline

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

WINDOW_SAMPLES = 30 * SAMPLE_RATE
"""Samples that Whisper processes at once."""
MAX_TOKENS_PER_SECOND = 8
"""More than anyone speaks: stops a decoder that repeats itself."""
MAX_COMPRESSION_RATIO = 2.4
"""Compression ratio of text above which it is a loop, not speech (Whisper's own bound)."""
MIN_LOG_PROBABILITY = -0.8
"""Mean log probability of a token below which the text is a guess, as with a language the model does not know."""
MAX_NO_SPEECH_PROBABILITY = 0.5
"""Whisper's probability that there is no speech, above which a guess is dropped."""
DOUBTFUL_LOG_PROBABILITY, DOUBTFUL_NO_SPEECH_PROBABILITY = -0.55, 0.2
"""Both together make a text a guess, too: in other languages Whisper has low confidence in the words and the speech."""
CLEAR_LOG_PROBABILITY = -0.45
"""Mean log probability that a text needs if most of the speech around it is a guess."""
UNINTELLIGIBLE = "not English, or too unclear"
"""Reason for a sentence without text. Whisper tiny.en knows English alone and cannot detect another language."""
MIN_SENTENCE_PROBABILITY = 0.4
"""Word probability (geometric mean of a sentence) below which its text is not reported."""
MAX_PAUSE_SECONDS = 1.0
"""Seconds without a word that end a sentence."""
MIN_WORD_SECONDS = 0.04
"""Minimum seconds of a word; Whisper returns some of no duration."""
MAX_SENTENCE_SECONDS = 12.0
"""Seconds after which a sentence ends at the next word; after half of them, at the end of Whisper's segment."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its time in seconds, its probability, and the index of Whisper's segment that it is from.

    ``pieces`` is the number of Whisper's words that were merged into it; ``score`` is their geometric mean.
    """

    start: float
    end: float
    text: str
    score: float
    segment: int = 0
    pieces: int = 1


class Speech(Task):
    """Whisper on the segments that Silero detects as speech; one event per sentence.

    Events: label ``speech``, ``text`` the sentence (None if there is speech but the words are not recognized, such as
    another language: ``extra["reason"]`` says so), ``score`` its mean word probability, and in ``extra["words"]`` a
    list of ``[start, end, word, probability]``: the words of the text, split at spaces, in order.
    """

    name = "speech"
    card_task = "speech"

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        # The small default is many times faster than real time on a CPU: a GPU is used only if requested.
        self.device = "cuda" if self.device.startswith("cuda") else "cpu"
        self.model = "whisper-tiny.en" if self.model == "auto" else self.model
        self._packed: list[Audio] = []
        self._events: list[Event] = []
        self._report = TaskReport(model=self.model, extra={"inferences": 0})
        self._has_audio = False

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and request audio.

        Raises:
            Skip: there is no audio, or faster-whisper is not installed.
        """
        if not info.has_audio:
            raise Skip("no audio")
        try:
            from faster_whisper.vad import get_vad_model
        except ImportError:
            raise Skip("faster-whisper is not installed; pip install 'kinoscope[speech]'") from None
        self._segmenter = SpeechSegmenter(get_vad_model())
        self._whisper = self._load()
        return Needs(audio_rate=SAMPLE_RATE)

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

    def process_audio(self, audio: Audio) -> None:
        """Process the next chunk of audio; the speech so far is transcribed once it fills a window."""
        self._has_audio = self._has_audio or len(audio.samples) > 0
        self._add_segments(self._segmenter.add(audio))

    def finish(self, timeline: Timeline) -> TaskResult:
        """Run Whisper on the rest and return the sentences.

        Raises:
            Skip: the source declares audio, but has none.
        """
        if not self._has_audio:
            raise Skip("no audio")
        self._add_segments(self._segmenter.close())
        self._transcribe()
        return TaskResult(events=self._events, report=self._report)

    def _add_segments(self, speech_segments: list[Audio]) -> None:
        for segment in speech_segments:
            if sum(len(s.samples) for s in self._packed) + len(segment.samples) > WINDOW_SAMPLES:
                self._transcribe()
            self._packed.append(segment)

    def _transcribe(self) -> None:
        """Run Whisper on the packed segments as one piece of audio, and store the sentences."""
        packed, self._packed = self._packed, []
        if not packed:
            return
        samples = np.concatenate([s.samples for s in packed])
        segments, _ = self._whisper.transcribe(
            samples,
            beam_size=5,
            temperature=0.0,
            word_timestamps=True,
            condition_on_previous_text=False,
            max_new_tokens=8 + MAX_TOKENS_PER_SECOND * len(samples) // SAMPLE_RATE,
        )
        self._report.extra["inferences"] += 1
        self._events += sentences(segments, packed)


def sentences(segments: Iterable[Segment], packed: list[Audio]) -> list[Event]:
    """Convert Whisper's segments of packed audio to events on the source's clock, one per sentence."""
    accepted = [
        (segment, guess) for segment, guess in _flag_guesses(list(segments)) if not (guess and _is_silent(segment))
    ]
    words = [
        word
        for number, (segment, guess) in enumerate(accepted)
        for word in _merge_pieces(number, _words(number, segment, guess))
    ]
    return [_event(sentence) for sentence in _group_sentences(_fix_durations(_to_source_time(words, packed)))]


def _flag_guesses(segments: Sequence[Segment]) -> list[tuple[Segment, bool]]:
    """Return each segment, and whether its text is a guess: by itself, or because most of the text around it is.

    In a language that it does not know, Whisper mostly guesses; a high probability is then chance.
    """
    guesses = [_is_guess(segment) for segment in segments]
    seconds = [words[-1].end - words[0].start if (words := segment.words or []) else 0.0 for segment in segments]
    mostly_guesses = 2 * sum(duration for duration, guess in zip(seconds, guesses, strict=True) if guess) > sum(seconds)
    return [
        (segment, guess or (mostly_guesses and segment.avg_logprob < CLEAR_LOG_PROBABILITY))
        for segment, guess in zip(segments, guesses, strict=True)
    ]


def _is_guess(segment: Segment) -> bool:
    doubtful = (
        segment.avg_logprob < DOUBTFUL_LOG_PROBABILITY and segment.no_speech_prob > DOUBTFUL_NO_SPEECH_PROBABILITY
    )
    return bool(
        doubtful or segment.avg_logprob < MIN_LOG_PROBABILITY or segment.compression_ratio > MAX_COMPRESSION_RATIO
    )


def _is_silent(segment: Segment) -> bool:
    return bool(segment.no_speech_prob > MAX_NO_SPEECH_PROBABILITY)


def _words(number: int, segment: Segment, guess: bool) -> list[Word]:
    """Return a segment's words; the score is 0 if the text cannot be right."""
    return [
        Word(float(w.start), float(w.end), w.word, 0.0 if guess else float(w.probability), number)
        for w in segment.words or ()
    ]


def _merge_pieces(number: int, words: Iterable[Word]) -> list[Word]:
    """Merge words that Whisper splits: ``43`` and ``,000`` and ``%`` are one word, as in the text."""
    merged: list[Word] = []
    for word in words:
        # Letters that follow without a space are words of a language that has none.
        if merged and word.text and not word.text[0].isspace() and not word.text[0].isalpha():
            last = merged[-1]
            text, end = last.text + word.text, max(last.end, word.end)
            score, pieces = _mean_probability([last, word]), last.pieces + 1
            merged[-1] = Word(last.start, end, text, score, number, pieces)
        else:
            merged.append(word)
    return merged


def _mean_probability(words: Sequence[Word]) -> float:
    """Return the geometric mean of the probabilities of all pieces."""
    total = sum(word.pieces * math.log(max(word.score, 1e-3)) for word in words)
    return math.exp(total / sum(word.pieces for word in words))


def _fix_durations(words: Sequence[Word]) -> list[Word]:
    """Return the words with a duration each: one without time takes it from the silence or the word after it."""
    groups: list[list[Word]] = []
    for word, after in zip(words, [*(word.start for word in words[1:]), math.inf], strict=False):
        is_pending = groups and groups[-1][-1].end - groups[-1][-1].start < MIN_WORD_SECONDS
        end = max(word.end, min(word.start + MIN_WORD_SECONDS, after))
        groups.append([*(groups.pop() if is_pending else []), replace(word, end=end)])
    return [word for group in groups for word in _split_time(group)]


def _split_time(words: list[Word]) -> list[Word]:
    """Divide the time of words equally among them."""
    if len(words) == 1:
        return words
    boundaries = np.linspace(words[0].start, words[-1].end, len(words) + 1).tolist()
    return [replace(word, start=start, end=end) for word, (start, end) in zip(words, pairwise(boundaries), strict=True)]


def _to_source_time(words: Iterable[Word], packed: list[Audio]) -> list[Word]:
    """Shift words from the time of the packed audio to the source's clock; no word leaves its segment."""
    ends = np.cumsum([len(s.samples) for s in packed]) / SAMPLE_RATE
    shifted = []
    for word in words:
        i = min(int(np.searchsorted(ends, (word.start + word.end) / 2, "right")), len(packed) - 1)
        low, high = float(packed[i].start), float(packed[i].end)
        shift = high - float(ends[i])
        start, end = (min(max(t + shift, low), high) for t in (word.start, word.end))
        shifted.append(replace(word, start=start, end=max(start, end)))
    return shifted


def _group_sentences(words: Iterable[Word]) -> list[list[Word]]:
    """Group words into sentences."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or _ends_sentence(groups[-1], word):
            groups.append([])
        groups[-1].append(word)
    return groups


def _ends_sentence(sentence: list[Word], next_word: Word) -> bool:
    """Return whether a sentence ends before the next word: at its full stop, at a pause, or at its maximum length."""
    first, last = sentence[0], sentence[-1]
    if last.text.rstrip("\"')").endswith((".", "?", "!")) or next_word.start - last.end > MAX_PAUSE_SECONDS:
        return True
    seconds = next_word.end - first.start
    return seconds > MAX_SENTENCE_SECONDS or (seconds > MAX_SENTENCE_SECONDS / 2 and next_word.segment != last.segment)


def _event(words: list[Word]) -> Event:
    start, end = words[0].start, max(w.end for w in words)
    score = _mean_probability(words)
    if score < MIN_SENTENCE_PROBABILITY:
        return Event("speech", start, end, "speech", score, extra={"reason": UNINTELLIGIBLE})
    text = "".join(w.text for w in words).strip()
    rows = [[round(w.start, 3), round(w.end, 3), w.text.strip(), round(w.score, 3)] for w in words]
    return Event("speech", start, end, "speech", score, text, {"words": rows})
