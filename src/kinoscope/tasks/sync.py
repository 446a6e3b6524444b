"""Whether sound and lips agree: by how much the sound is late or early, since when, and who is speaking.

Faces are followed in every frame (``models.inference.mouth_tracker``), their mouths and the sound are embedded by two
streams (``models.inference.sync``), and their likeness at every lag up to a second is added up (``evidence``,
``core.signal.sync_offset``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Timeline, Track
from kinoscope.core.signal.mel import SAMPLE_RATE
from kinoscope.core.signal.onsets import OnsetOffset
from kinoscope.core.signal.sync_offset import (
    FRAME_SECONDS,
    LAGS,
    MAX_SPEED_CHANGE,
    ClockDrift,
    SyncOffset,
    describe_offset,
    estimate_drift,
    offsets_agree,
    peak_margin,
)
from kinoscope.imaging.change_gate import ChangeGate
from kinoscope.models.inference.mouth_tracker import FaceTracker
from kinoscope.models.inference.sync import CONTEXT_FRAMES, LAGS_PER_FRAME, PADDING_FRAMES, SyncModel
from kinoscope.tasks.av.evidence import BLOCK_SECONDS, BlockSimilarities, SyncEvidence, SyncWindows
from kinoscope.tasks.av.mouth_buffer import CHUNK_FRAMES, MAX_GAP_SECONDS, AudioBuffer, MouthBuffer, MouthSegment
from kinoscope.tasks.av.onset_fallback import OnsetFallback
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.tracking.tracker import hard_cuts

MAX_FRAME_SIDE, MAX_FRAME_RATE = 960, 30.0
"""Longer side of the pictures looked at in pixels, and most of them a second."""

MIN_FRAME_RATE = 10.0
"""Pictures a second under which the motion of lips is lost."""

MIN_CONFIDENCE, RELIABLE_CONFIDENCE = 0.8, 0.9
"""Confidence from which an offset is told, and from which it is relied on."""

MIN_SEGMENT_SECONDS = 2.0
"""Seconds of face and speech from which the stretch between two cuts has an offset of its own."""

MIN_MOUTH_MOTION = 0.0012
"""Mean motion of a mouth from frame to frame, in distances of the eyes, under which it is still."""

MAX_SILENCE_RMS = 1e-4
"""Root mean square under which sound is none."""

VAD_WINDOW_SAMPLES = 512
"""Samples to a probability of speech."""

SegmentOffset = tuple[float, float, SyncOffset]
"""Start and end in seconds, and the offset meanwhile."""

VoiceDetector = Callable[[Float32Array], Float32Array]
"""From (N * 512,) samples to (N,) probabilities of speech."""


class Sync:
    """Offset of the sound against lips, in the whole video and after each cut; who speaks when.

    Events: one that says the offset (label ``in sync``, ``sound late``, ``sound early`` or ``not measurable``; ``text``
    in words; ``score`` the probability that it is right within a frame; ``extra``: ``offset``, ``low``, ``high`` in
    seconds, and ``drift`` in seconds per second with ``drift_low`` and ``drift_high`` where one is found), or one for
    each stretch between cuts where these differ; and ``speaking``, while a face speaks. Where no face is seen, hits
    that are seen and heard may tell the offset (``core.signal.onsets``): then ``extra["hits"]`` is their number.
    Tracks: label ``speaking``: where the speaking face is. ``identity`` is that of the task ``faces``.
    Features: ``sync.times``, ``sync.offsets`` and ``sync.confidences`` (N,), and ``sync.curves`` (N, L), of windows of
    two seconds; ``sync.lags`` (L,).

    Args:
        device, model, threads: see ``models.load``; ``model`` may be a folder that `kinoscope train sync` wrote.
        hits: whether hits are gone by where no face is seen; it costs as much as decoding.
    """

    name = "sync"

    def __init__(self, *, device: str = "auto", model: str = "auto", threads: int = 1, hits: bool = False) -> None:
        self.device, self.model, self.threads = device, model, threads
        self._watch = ChangeGate(None, 8)
        self._ear = AudioBuffer()
        self._mouths: dict[int, MouthBuffer] = {}
        self._next: int | None = None
        self._time = -np.inf
        self._count = 0
        self._first = np.inf
        self._cuts: list[float] = []
        self._hits = OnsetFallback() if hits else None
        self.evidence = SyncEvidence()

    def needs(self, info: SourceInfo) -> Needs:
        """Ask for pictures in which lips show, and for sound.

        Raises:
            Skip: there is no picture or no sound.
        """
        if not info.width or not info.height:
            raise Skip("there is no picture")
        if not info.has_audio:
            raise Skip("no sound")
        if info.frames == 1:
            raise Skip("there is a single picture")
        self._net = SyncModel(self.model, self.device, self.threads)
        self._follow = FaceTracker(self.device, self.threads)
        self._voices = load_voice_detector()
        self._shown, self._size = info.size, info.fit(MAX_FRAME_SIDE)
        return Needs(sizes=(self._size,), rate=MAX_FRAME_RATE, batch=8, sound=SAMPLE_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Follow the faces in the next pictures."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            # A cut shows in every fourth pixel, at a tenth of the cost.
            cut = self._watch.update(np.ascontiguousarray(pixels[::4, ::4]), time) == "cut"
            if cut:
                self._cuts.append(time)
            faces = self._follow(pixels, time, cut)
            if self._hits:
                self._hits.see(pixels, time, len(faces))
            for face in faces:
                self._mouths.setdefault(face.id, MouthBuffer()).see(pixels, face, time)
                scale = np.tile(np.array(self._shown) / self._size, 2)
                self.evidence.boxes.setdefault((face.id, int(time / BLOCK_SECONDS)), face.box * scale)
            self._time, self._count, self._first = time, self._count + 1, min(self._first, time)
        self._advance()

    def process_audio(self, sound: Audio) -> None:
        """Take the next sound."""
        self._ear.hear(sound)
        if self._hits:
            self._hits.hear(sound)
        self._advance()

    def _advance(self) -> None:
        """Look at all stretches of which both picture and sound are there."""
        if self._next is None:
            self._next = int(np.floor(self._first / FRAME_SECONDS)) if np.isfinite(self._first) else None
        while self._next is not None:
            end = self._next + CHUNK_FRAMES
            if (
                self._time < (end + CONTEXT_FRAMES) * FRAME_SECONDS + MAX_GAP_SECONDS
                or self._ear.end < (end + PADDING_FRAMES + 1) * FRAME_SECONDS
            ):
                return
            self._look(self._next, end)

    def _look(self, first: int, last: int) -> None:
        """Compare faces and sound over the frames of a stretch, and let go of what is not needed any more."""
        begin = first - CONTEXT_FRAMES
        heard = self._net.hear(self._ear.mel(begin, last + CONTEXT_FRAMES))[CONTEXT_FRAMES * LAGS_PER_FRAME :]
        for face, mouth in self._mouths.items():
            for piece in mouth.pieces(begin, last + CONTEXT_FRAMES):
                self._compare(face, piece, heard[(piece.first - begin) * LAGS_PER_FRAME :], (first, last))
            mouth.forget((last - CONTEXT_FRAMES) * FRAME_SECONDS)
        self._mouths = {
            face: mouth
            for face, mouth in self._mouths.items()
            if mouth.times[-1] >= (last - CONTEXT_FRAMES) * FRAME_SECONDS
        }
        self._hear_voices(first * FRAME_SECONDS, last * FRAME_SECONDS)
        self._ear.forget((last - CONTEXT_FRAMES - PADDING_FRAMES - 1) * FRAME_SECONDS)
        self._next = last

    def _compare(self, face: int, piece: MouthSegment, heard: Float32Array, limits: tuple[int, int]) -> None:
        seen = self._net.see(piece.points, piece.pictures)
        around = heard[: (len(seen) + 2 * (PADDING_FRAMES - CONTEXT_FRAMES)) * LAGS_PER_FRAME]
        likeness = self._net.compare(seen, around)
        steps = np.abs(np.diff(piece.points[:, :40], axis=0, prepend=piece.points[:1, :40])).mean(axis=(1, 2))
        low, high = max(limits[0] - piece.first, 0), max(limits[1] - piece.first, 0)
        self.evidence.add(face, piece.first + low, likeness[low:high], steps[low:high])

    def _hear_voices(self, start: float, end: float) -> None:
        samples = self._ear.samples(start, end)
        padded = np.pad(samples, (0, -len(samples) % VAD_WINDOW_SAMPLES))
        self.evidence.heard(start, self._voices(padded), VAD_WINDOW_SAMPLES / SAMPLE_RATE)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Give the offset, or why it cannot be measured.

        Raises:
            Skip: the source said that it has sound, but none came.
        """
        if self._ear.start is None:
            raise Skip("no sound")
        self._advance()
        last = int(np.ceil(self._time / FRAME_SECONDS)) + 1 if np.isfinite(self._time) else 0
        while self._next is not None and self._next < last:
            self._look(self._next, min(self._next + CHUNK_FRAMES, last))
        return self._result(timeline)

    def _result(self, timeline: Timeline) -> TaskResult:
        report = TaskReport(
            model=self._net.cards[0].name.rpartition("-")[0],
            runtime=self._net.runtime,
            licence=self._net.cards[0].licence,
            extra={"digest": self._net.cards[0].digest},
        )
        rows, calibration = self.evidence.rows(), self._net.streams.calibration
        span = (self._first, max(self._time, self._first)) if np.isfinite(self._first) else (0.0, 0.0)
        whole = rows.offset(calibration) if len(rows.times) else None
        parts = self._parts(timeline, span)
        faster = self._other_speed(rows, whole, parts)
        offsets = [faster[0]] if faster else [*([whole] if whole else []), *(offset for _, _, offset in parts)]
        if reason := self._why_not(rows, offsets):
            hits = self._hits.match() if self._hits and self._ear.level >= MAX_SILENCE_RMS else None
            if hits is not None and hits.measurable:
                return TaskResult(events=[_hit(self.name, *span, hits)], report=report)
            event = Event(self.name, *span, "not measurable", 0.0, reason)
            return TaskResult(events=[event], features=_features(rows.windows(calibration)), report=report)
        assert whole is not None
        windows = rows.windows(calibration)
        told = [(*span, faster[0])] if faster else self._told(parts, whole, span)
        sure = len(told) == 1 and whole.confidence >= RELIABLE_CONFIDENCE
        found = estimate_drift(rows.sums, rows.times, zero_sigma=calibration.spread) if sure else None
        found = faster[1] if faster else found
        events = [_event(self.name, *one, found) for one in told]
        spoken, tracks = self._speakers(told, timeline)
        return TaskResult(events + spoken, tracks, _features(windows), report=report)

    def _other_speed(
        self, rows: BlockSimilarities, whole: SyncOffset | None, parts: list[SegmentOffset]
    ) -> tuple[SyncOffset, ClockDrift] | None:
        """Give offset and drift where no one offset fits, but sound at another speed does."""
        if (
            whole is None
            or whole.confidence >= RELIABLE_CONFIDENCE
            or max((p[2].confidence for p in parts), default=0.0) >= RELIABLE_CONFIDENCE
        ):
            return None
        found = estimate_drift(rows.sums, rows.times, MAX_SPEED_CHANGE, zero_sigma=self._net.streams.calibration.spread)
        if found is None or not found.is_significant:
            return None
        surer = self._net.streams.calibration.confidence(peak_margin(found.curve / rows.counts.sum()), rows.seconds)
        if surer < RELIABLE_CONFIDENCE or found.high - found.low > MAX_SPEED_CHANGE / 6:
            return None
        middle = found.offset_at_zero + found.rate * float(rows.times.mean())
        return SyncOffset(middle, middle - 2 * FRAME_SECONDS, middle + 2 * FRAME_SECONDS, surer, rows.seconds), found

    def _why_not(self, rows: BlockSimilarities, offsets: list[SyncOffset]) -> str | None:
        """Say why the offset cannot be measured, or None where it can."""
        evidence, seconds = self.evidence, self._time - self._first
        if self._count < 2 or self._count / max(seconds, 1e-3) < MIN_FRAME_RATE:
            return (
                f"{self._count / max(seconds, 1e-3):.1f} pictures a second are too few; {MIN_FRAME_RATE:g} are needed"
            )
        if self._ear.level < MAX_SILENCE_RMS:
            return "the sound is silent"
        if not evidence.counts or sum(evidence.counts.values()) * FRAME_SECONDS < 0.5:
            return "no face is seen that is large enough to read lips"
        if evidence.spoken < 0.4:
            return "nobody speaks: there is music or noise only"
        if not offsets or rows.seconds < 0.5:
            return "no face is seen while somebody speaks: a voice-over"
        near = [key for key in evidence.counts if evidence.speaks_near(key[1])]
        moved = {face: [0.0, 0] for face, _ in near}
        for key in near:
            moved[key[0]][0] += evidence.motion[key]
            moved[key[0]][1] += evidence.counts[key]
        if max(motion / max(count, 1) for motion, count in moved.values()) < MIN_MOUTH_MOTION:
            return "no mouth moves while somebody speaks: a voice-over, or a mouth that is hidden"
        if (
            offsets[0].confidence < MIN_CONFIDENCE
            and max(offset.confidence for offset in offsets) < RELIABLE_CONFIDENCE
        ):
            return (
                "lips and sound fit at no offset up to a second better than at others: a voice-over, a mouth that is "
                f"hidden or seen from the side, or too little speech ({rows.seconds:.1f} s)"
            )
        return None

    def _parts(self, timeline: Timeline, span: tuple[float, float]) -> list[SegmentOffset]:
        """Give the stretches between cuts that are long enough to be measured."""
        cuts = hard_cuts(timeline) if "shots" in timeline.tasks else self._cuts
        edges = [span[0], *(cut for cut in cuts if span[0] < cut < span[1]), span[1] + FRAME_SECONDS]
        found = []
        for start, end in pairwise(edges):
            rows = self.evidence.rows(start, end)
            if rows.seconds >= MIN_SEGMENT_SECONDS:
                found.append((start, min(end, span[1]), rows.offset(self._net.streams.calibration)))
        return found

    def _told(self, parts: list[SegmentOffset], whole: SyncOffset, span: tuple[float, float]) -> list[SegmentOffset]:
        """Give the whole where all stretches agree, and else each that can be measured."""
        known = [part for part in parts if part[2].confidence >= MIN_CONFIDENCE]
        agree = (
            offsets_agree([offset for _, _, offset in known], RELIABLE_CONFIDENCE)
            and whole.confidence >= MIN_CONFIDENCE
        )
        return [(*span, whole)] if agree or not known else known

    def _speakers(self, told: list[SegmentOffset], timeline: Timeline) -> tuple[list[Event], list[Track]]:
        """Give who speaks when, as events and as tracks."""
        events: list[Event] = []
        tracks: list[Track] = []
        for order, face in enumerate(sorted({number for number, _ in self.evidence.sums}), 1):
            spoken = [one for stretch in told for one in self.evidence.speaking(face, *stretch)]
            for start, end, score in spoken:
                boxes = self._boxes(face, start, end, score)
                if len(boxes) < 2:
                    continue
                identity = _identity(timeline, boxes)
                extra = {"track": len(tracks) + 1, "face": order}
                events.append(Event(self.name, start, end, "speaking", score, identity, extra))
                tracks.append(Track(len(tracks) + 1, self.name, "speaking", score, np.array(boxes), identity))
        return events, tracks

    def _boxes(self, face: int, start: float, end: float, score: float) -> list[list[float]]:
        blocks = range(round(start / BLOCK_SECONDS), round(end / BLOCK_SECONDS))
        found = [(n * BLOCK_SECONDS, self.evidence.boxes.get((face, n))) for n in blocks]
        return [[time, *box.tolist(), score] for time, box in found if box is not None]


def _event(task: str, start: float, end: float, offset: SyncOffset, found: ClockDrift | None = None) -> Event:
    """Say an offset as an event."""
    extra: dict[str, Any] = {
        "offset": round(offset.seconds, 4),
        "low": round(offset.low, 4),
        "high": round(offset.high, 4),
        "evidence": round(offset.compared_seconds, 2),
    }
    text = describe_offset(extra["offset"])
    if found is not None and found.is_significant:
        extra |= {"drift": round(found.rate, 6), "drift_low": round(found.low, 6), "drift_high": round(found.high, 6)}
        extra |= {
            "at_start": round(found.offset_at_zero + found.rate * start, 4),
            "at_end": round(found.offset_at_zero + found.rate * end, 4),
        }
        text = (
            f"{describe_offset(extra['at_start'])} at the start, {round(extra['at_end'] * 1000):+d} ms at the end: "
            f"its clock is {abs(found.rate) * 100:.2g} % {'slow' if found.rate > 0 else 'fast'}"
        )
    label = (
        "in sync" if abs(offset.seconds) <= FRAME_SECONDS else ("sound late" if offset.seconds > 0 else "sound early")
    )
    return Event(task, start, end, label, offset.confidence, text, extra)


def _hit(task: str, start: float, end: float, found: OnsetOffset) -> Event:
    """Say an offset that hits tell as an event."""
    offset = SyncOffset(found.seconds, found.low, found.high, found.confidence, end - start)
    event = _event(task, start, end, offset)
    event.extra["hits"] = found.hits
    if found.low <= 0 <= found.high:
        event.label, event.text = "in sync", describe_offset(0.0)
    event.text = f"{event.text}, as far as {found.hits} hits tell that are seen and heard"
    return event


def _features(windows: SyncWindows) -> dict[str, NDArray[Any]]:
    return {
        "sync.times": windows.times,
        "sync.offsets": np.array([offset.seconds for offset in windows.offsets]),
        "sync.confidences": np.array([offset.confidence for offset in windows.offsets]),
        "sync.curves": windows.curves.astype(np.float16),
        "sync.lags": LAGS,
    }


def _identity(timeline: Timeline, boxes: list[list[float]]) -> str | None:
    """Give who it is, by the face of the task ``faces`` that lies in the same place."""
    middle = boxes[len(boxes) // 2]
    centre = (middle[1] + middle[3]) / 2, (middle[2] + middle[4]) / 2
    for track in timeline.tracks_of("faces"):
        box = track.box_at(middle[0])
        if box is not None and box[0] <= centre[0] <= box[2] and box[1] <= centre[1] <= box[3]:
            return track.identity
    return None


def load_voice_detector() -> VoiceDetector:
    """Give what tells where somebody speaks: Silero's network, or, where it is not installed, loudness."""
    try:
        from faster_whisper.vad import get_vad_model
    except ImportError:
        return _loud
    return get_vad_model()  # type: ignore[no-any-return]


def _loud(samples: Float32Array) -> Float32Array:
    """Give 1 where sound is louder than a room is by itself."""
    power = np.sqrt(np.square(samples.reshape(-1, VAD_WINDOW_SAMPLES)).mean(axis=1))
    return np.asarray(power > 0.005, np.float32)
