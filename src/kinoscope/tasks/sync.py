"""Audio-visual sync: by how much the audio is late or early, since when, and who is speaking.

Faces are tracked in every frame (``models.inference.mouth_tracker``), their mouths and the audio are embedded by two
networks (``models.inference.sync``), and their similarity at every lag up to a second is accumulated (``av.evidence``,
``core.signal.sync_offset``).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array
from kinoscope.core.media import Audio, FrameBatch, SourceInfo
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
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
from kinoscope.models.inference.sync import CONTEXT_FRAMES, LAGS_PER_FRAME, PADDING_FRAMES, SyncEmbedder, folder_cards
from kinoscope.tasks.av.evidence import BLOCK_SECONDS, BlockSimilarities, SyncEvidence, SyncWindows
from kinoscope.tasks.av.mouth_buffer import CHUNK_FRAMES, MAX_GAP_SECONDS, AudioBuffer, MouthBuffer, MouthSegment
from kinoscope.tasks.av.onset_fallback import OnsetFallback
from kinoscope.tasks.base import Needs, Skip, Task
from kinoscope.tasks.options import SyncTaskOptions
from kinoscope.tasks.tracking.tracker import hard_cuts
from kinoscope.views.timeline import Timeline

MAX_FRAME_SIDE, MAX_FRAME_RATE = 960, 30.0
"""Longer side of the processed frames in pixels, and maximum frames per second."""

MIN_FRAME_RATE = 10.0
"""Frames per second below which the motion of lips is lost."""

MIN_CONFIDENCE, RELIABLE_CONFIDENCE = 0.8, 0.9
"""Confidence from which an offset is reported, and from which it is relied on."""

MIN_SEGMENT_SECONDS = 2.0
"""Seconds of face and speech from which the segment between two cuts has an offset of its own."""

MIN_MOUTH_MOTION = 0.0012
"""Mean motion of a mouth from frame to frame, in eye distances, below which it is still."""

MAX_SILENCE_RMS = 1e-4
"""Root mean square below which audio is silent."""

VAD_WINDOW_SAMPLES = 512
"""Samples per probability of speech."""

SegmentOffset = tuple[float, float, SyncOffset]
"""Start and end in seconds, and the offset in between."""

VoiceDetector = Callable[[Float32Array], Float32Array]
"""From (N * 512,) samples to (N,) probabilities of speech."""


class Sync(Task):
    """Offset of the audio relative to the lips, in the whole video and after each cut, and active speaker detection.

    Events: one with the offset (label ``in sync``, ``audio late``, ``audio early`` or ``not measurable``; ``text`` in
    words; ``score`` the probability that it is right within a frame; ``extra``: ``offset``, ``low``, ``high`` in
    seconds, and ``drift`` in seconds per second with ``drift_low`` and ``drift_high`` if there is any), or one for
    each segment between cuts if they differ; and ``speaking``, while a face speaks. If no face is visible, visible and
    audible onsets may give the offset (``core.signal.onsets``): then ``extra["hits"]`` is their number.
    Tracks: label ``speaking``: the speaking face. ``identity`` is that of the task ``faces``.
    Features: ``sync.times``, ``sync.offsets`` and ``sync.confidences`` (N,), and ``sync.curves`` (N, L), of windows of
    two seconds; ``sync.lags`` (L,).

    ``model`` may be a folder that `kinoscope train sync` wrote.
    """

    name = "sync"
    options_type = SyncTaskOptions

    options: SyncTaskOptions

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._change_gate = ChangeGate(None, 8)
        self._audio = AudioBuffer()
        self._mouths: dict[int, MouthBuffer] = {}
        self._next_frame: int | None = None
        self._last_time = -np.inf
        self._frame_count = 0
        self._first_time = np.inf
        self._cuts: list[float] = []
        self._onsets = OnsetFallback() if self.options.hits else None
        self.evidence = SyncEvidence()

    @classmethod
    def check_model(cls, model: str) -> None:
        """Check that a folder holds a model that `kinoscope train sync` wrote."""
        folder_cards(Path(model))

    def needs(self, info: SourceInfo) -> Needs:
        """Load the models and request frames in which lips are visible, and audio.

        Raises:
            Skip: there is no video or no audio, or a single frame.
        """
        if not info.width or not info.height:
            raise Skip("there is no video")
        if not info.has_audio:
            raise Skip("no audio")
        if info.frames == 1:
            raise Skip("there is a single frame")
        self._net = SyncEmbedder(self.model, self.device, self.threads)
        self._face_tracker = FaceTracker(self.device, self.threads)
        self._voice_detector = load_voice_detector()
        self._frame_size, self._input_size = info.size, info.fit(MAX_FRAME_SIDE)
        return Needs(sizes=(self._input_size,), rate=MAX_FRAME_RATE, batch=8, audio_rate=SAMPLE_RATE)

    def process_frames(self, *batches: FrameBatch) -> None:
        """Track the faces in the next frames."""
        for pixels, time in zip(batches[0].pixels, batches[0].times.tolist(), strict=True):
            # Every fourth pixel suffices to detect a cut, at a tenth of the cost.
            cut = self._change_gate.update(np.ascontiguousarray(pixels[::4, ::4]), time) == "cut"
            if cut:
                self._cuts.append(time)
            faces = self._face_tracker(pixels, time, cut)
            if self._onsets:
                self._onsets.add_frame(pixels, time, len(faces))
            for face in faces:
                self._mouths.setdefault(face.id, MouthBuffer()).add(pixels, face, time)
                scale = np.tile(np.array(self._frame_size) / self._input_size, 2)
                self.evidence.boxes.setdefault((face.id, int(time / BLOCK_SECONDS)), face.box * scale)
            self._last_time, self._frame_count, self._first_time = (
                time,
                self._frame_count + 1,
                min(self._first_time, time),
            )
        self._advance()

    def process_audio(self, audio: Audio) -> None:
        """Process the next chunk of audio."""
        self._audio.add_audio(audio)
        if self._onsets:
            self._onsets.add_audio(audio)
        self._advance()

    def _advance(self) -> None:
        """Process all chunks of which both frames and audio are complete."""
        if self._next_frame is None:
            self._next_frame = (
                int(np.floor(self._first_time / FRAME_SECONDS)) if np.isfinite(self._first_time) else None
            )
        while self._next_frame is not None:
            end = self._next_frame + CHUNK_FRAMES
            if (
                self._last_time < (end + CONTEXT_FRAMES) * FRAME_SECONDS + MAX_GAP_SECONDS
                or self._audio.end < (end + PADDING_FRAMES + 1) * FRAME_SECONDS
            ):
                return
            self._compare_chunk(self._next_frame, end)

    def _compare_chunk(self, first: int, last: int) -> None:
        """Compare faces and audio over the frames of a chunk, and discard what is not needed any more."""
        begin = first - CONTEXT_FRAMES
        audio_embeddings = self._net.embed_audio(self._audio.mel(begin, last + CONTEXT_FRAMES))[
            CONTEXT_FRAMES * LAGS_PER_FRAME :
        ]
        for face, mouth in self._mouths.items():
            for mouth_segment in mouth.segments(begin, last + CONTEXT_FRAMES):
                self._compare(
                    face,
                    mouth_segment,
                    audio_embeddings[(mouth_segment.first - begin) * LAGS_PER_FRAME :],
                    (first, last),
                )
            mouth.discard_before((last - CONTEXT_FRAMES) * FRAME_SECONDS)
        self._mouths = {
            face: mouth
            for face, mouth in self._mouths.items()
            if mouth.times[-1] >= (last - CONTEXT_FRAMES) * FRAME_SECONDS
        }
        self._detect_speech(first * FRAME_SECONDS, last * FRAME_SECONDS)
        self._audio.discard_before((last - CONTEXT_FRAMES - PADDING_FRAMES - 1) * FRAME_SECONDS)
        self._next_frame = last

    def _compare(
        self, face: int, mouth_segment: MouthSegment, audio_embeddings: Float32Array, frame_range: tuple[int, int]
    ) -> None:
        mouth_embeddings = self._net.embed_mouth(mouth_segment.points, mouth_segment.crops)
        audio_context = audio_embeddings[
            : (len(mouth_embeddings) + 2 * (PADDING_FRAMES - CONTEXT_FRAMES)) * LAGS_PER_FRAME
        ]
        similarity = self._net.compare(mouth_embeddings, audio_context)
        steps = np.abs(np.diff(mouth_segment.points[:, :40], axis=0, prepend=mouth_segment.points[:1, :40])).mean(
            axis=(1, 2)
        )
        low, high = max(frame_range[0] - mouth_segment.first, 0), max(frame_range[1] - mouth_segment.first, 0)
        self.evidence.add(face, mouth_segment.first + low, similarity[low:high], steps[low:high])

    def _detect_speech(self, start: float, end: float) -> None:
        samples = self._audio.samples(start, end)
        padded = np.pad(samples, (0, -len(samples) % VAD_WINDOW_SAMPLES))
        self.evidence.add_speech(start, self._voice_detector(padded), VAD_WINDOW_SAMPLES / SAMPLE_RATE)

    def finish(self, timeline: Timeline) -> TaskResult:
        """Return the offset, or why it cannot be measured.

        Raises:
            Skip: the source declares audio, but has none.
        """
        if self._audio.start is None:
            raise Skip("no audio")
        self._advance()
        last = int(np.ceil(self._last_time / FRAME_SECONDS)) + 1 if np.isfinite(self._last_time) else 0
        while self._next_frame is not None and self._next_frame < last:
            self._compare_chunk(self._next_frame, min(self._next_frame + CHUNK_FRAMES, last))
        return self._result(timeline)

    def _result(self, timeline: Timeline) -> TaskResult:
        report = TaskReport(
            model=self._net.cards[0].name.rpartition("-")[0],
            runtime=self._net.runtime,
            licence=self._net.cards[0].licence,
            extra={"digest": self._net.cards[0].digest},
        )
        rows, calibration = self.evidence.select(), self._net.metadata.calibration
        span = (
            (self._first_time, max(self._last_time, self._first_time)) if np.isfinite(self._first_time) else (0.0, 0.0)
        )
        overall = rows.offset(calibration) if len(rows.times) else None
        segments = self._segment_offsets(timeline, span)
        other_speed = self._fit_other_speed(rows, overall, segments)
        offsets = (
            [other_speed[0]]
            if other_speed
            else [*([overall] if overall else []), *(offset for _, _, offset in segments)]
        )
        if reason := self._failure_reason(rows, offsets):
            hits = self._onsets.match() if self._onsets and self._audio.level >= MAX_SILENCE_RMS else None
            if hits is not None and hits.measurable:
                return TaskResult(events=[_onset_event(self.name, *span, hits)], report=report)
            event = Event(self.name, *span, "not measurable", 0.0, reason)
            return TaskResult(events=[event], features=_features(rows.windows(calibration)), report=report)
        assert overall is not None
        windows = rows.windows(calibration)
        reported = [(*span, other_speed[0])] if other_speed else self._reported_segments(segments, overall, span)
        is_reliable = len(reported) == 1 and overall.confidence >= RELIABLE_CONFIDENCE
        estimate = estimate_drift(rows.sums, rows.times, zero_sigma=calibration.spread) if is_reliable else None
        estimate = other_speed[1] if other_speed else estimate
        events = [_offset_event(self.name, *segment, estimate) for segment in reported]
        speaking, tracks = self._speakers(reported, timeline)
        return TaskResult(events + speaking, tracks, _features(windows), report=report)

    def _fit_other_speed(
        self, rows: BlockSimilarities, overall: SyncOffset | None, segments: list[SegmentOffset]
    ) -> tuple[SyncOffset, ClockDrift] | None:
        """Return offset and drift if no single offset fits, but audio at another speed does."""
        if (
            overall is None
            or overall.confidence >= RELIABLE_CONFIDENCE
            or max((p[2].confidence for p in segments), default=0.0) >= RELIABLE_CONFIDENCE
        ):
            return None
        estimate = estimate_drift(
            rows.sums, rows.times, MAX_SPEED_CHANGE, zero_sigma=self._net.metadata.calibration.spread
        )
        if estimate is None or not estimate.is_significant:
            return None
        confidence = self._net.metadata.calibration.confidence(
            peak_margin(estimate.curve / rows.counts.sum()), rows.seconds
        )
        if confidence < RELIABLE_CONFIDENCE or estimate.high - estimate.low > MAX_SPEED_CHANGE / 6:
            return None
        middle = estimate.offset_at_zero + estimate.rate * float(rows.times.mean())
        return SyncOffset(
            middle, middle - 2 * FRAME_SECONDS, middle + 2 * FRAME_SECONDS, confidence, rows.seconds
        ), estimate

    def _failure_reason(self, rows: BlockSimilarities, offsets: list[SyncOffset]) -> str | None:
        """Return why the offset cannot be measured, or None if it can."""
        evidence, seconds = self.evidence, self._last_time - self._first_time
        rate = self._frame_count / max(seconds, 1e-3)
        if self._frame_count < 2 or rate < MIN_FRAME_RATE:
            return f"{rate:.1f} frames per second are too few; {MIN_FRAME_RATE:g} are needed"
        if self._audio.level < MAX_SILENCE_RMS:
            return "the audio is silent"
        if not evidence.counts or sum(evidence.counts.values()) * FRAME_SECONDS < 0.5:
            return "no visible face is large enough to read lips"
        if evidence.speech_seconds < 0.4:
            return "there is no speech, only music or noise"
        if not offsets or rows.seconds < 0.5:
            return "no face is visible during speech: a voice-over"
        nearby = [key for key in evidence.counts if evidence.is_speech_near(key[1])]
        motion_by_face = {face: [0.0, 0] for face, _ in nearby}
        for key in nearby:
            motion_by_face[key[0]][0] += evidence.motion[key]
            motion_by_face[key[0]][1] += evidence.counts[key]
        if max(motion / max(count, 1) for motion, count in motion_by_face.values()) < MIN_MOUTH_MOTION:
            return "no mouth moves during speech: a voice-over, or a hidden mouth"
        if (
            offsets[0].confidence < MIN_CONFIDENCE
            and max(offset.confidence for offset in offsets) < RELIABLE_CONFIDENCE
        ):
            return (
                "no offset up to a second fits lips and audio better than the others: a voice-over, a mouth that is "
                f"hidden or in profile, or too little speech ({rows.seconds:.1f} s)"
            )
        return None

    def _segment_offsets(self, timeline: Timeline, span: tuple[float, float]) -> list[SegmentOffset]:
        """Return the segments between cuts that are long enough to be measured."""
        cuts = hard_cuts(timeline) if "shots" in timeline.tasks else self._cuts
        boundaries = [span[0], *(cut for cut in cuts if span[0] < cut < span[1]), span[1] + FRAME_SECONDS]
        estimate = []
        for start, end in pairwise(boundaries):
            rows = self.evidence.select(start, end)
            if rows.seconds >= MIN_SEGMENT_SECONDS:
                estimate.append((start, min(end, span[1]), rows.offset(self._net.metadata.calibration)))
        return estimate

    def _reported_segments(
        self, segments: list[SegmentOffset], overall: SyncOffset, span: tuple[float, float]
    ) -> list[SegmentOffset]:
        """Return the whole video if all segments agree, and else each segment that can be measured."""
        confident = [part for part in segments if part[2].confidence >= MIN_CONFIDENCE]
        agree = (
            offsets_agree([offset for _, _, offset in confident], RELIABLE_CONFIDENCE)
            and overall.confidence >= MIN_CONFIDENCE
        )
        return [(*span, overall)] if agree or not confident else confident

    def _speakers(self, reported: list[SegmentOffset], timeline: Timeline) -> tuple[list[Event], list[Track]]:
        """Return who speaks when, as events and as tracks."""
        events: list[Event] = []
        tracks: list[Track] = []
        for face_number, face in enumerate(sorted({number for number, _ in self.evidence.sums}), 1):
            speaking = [span for segment in reported for span in self.evidence.speaking(face, *segment)]
            for start, end, score in speaking:
                boxes = self._boxes(face, start, end, score)
                if len(boxes) < 2:
                    continue
                identity = _identity(timeline, boxes)
                extra = {"track": len(tracks) + 1, "face": face_number}
                events.append(Event(self.name, start, end, "speaking", score, identity, extra))
                tracks.append(Track(len(tracks) + 1, self.name, "speaking", score, np.array(boxes), identity))
        return events, tracks

    def _boxes(self, face: int, start: float, end: float, score: float) -> list[list[float]]:
        blocks = range(round(start / BLOCK_SECONDS), round(end / BLOCK_SECONDS))
        estimate = [(n * BLOCK_SECONDS, self.evidence.boxes.get((face, n))) for n in blocks]
        return [[time, *box.tolist(), score] for time, box in estimate if box is not None]


def _offset_event(task: str, start: float, end: float, offset: SyncOffset, estimate: ClockDrift | None = None) -> Event:
    """Return an offset as an event."""
    extra: dict[str, Any] = {
        "offset": round(offset.seconds, 4),
        "low": round(offset.low, 4),
        "high": round(offset.high, 4),
        "evidence": round(offset.compared_seconds, 2),
    }
    text = describe_offset(extra["offset"])
    if estimate is not None and estimate.is_significant:
        extra |= {
            "drift": round(estimate.rate, 6),
            "drift_low": round(estimate.low, 6),
            "drift_high": round(estimate.high, 6),
        }
        extra |= {
            "at_start": round(estimate.offset_at_zero + estimate.rate * start, 4),
            "at_end": round(estimate.offset_at_zero + estimate.rate * end, 4),
        }
        text = (
            f"{describe_offset(extra['at_start'])} at the start, {round(extra['at_end'] * 1000):+d} ms at the end: "
            f"its clock is {abs(estimate.rate) * 100:.2g} % {'slow' if estimate.rate > 0 else 'fast'}"
        )
    label = (
        "in sync" if abs(offset.seconds) <= FRAME_SECONDS else ("audio late" if offset.seconds > 0 else "audio early")
    )
    return Event(task, start, end, label, offset.confidence, text, extra)


def _onset_event(task: str, start: float, end: float, estimate: OnsetOffset) -> Event:
    """Return an offset measured by onsets as an event."""
    offset = SyncOffset(estimate.seconds, estimate.low, estimate.high, estimate.confidence, end - start)
    event = _offset_event(task, start, end, offset)
    event.extra["hits"] = estimate.hits
    if estimate.low <= 0 <= estimate.high:
        event.label, event.text = "in sync", describe_offset(0.0)
    event.text = f"{event.text}, measured by {estimate.hits} visible and audible onsets"
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
    """Return the identity of the face of the task ``faces`` at the same position."""
    middle = boxes[len(boxes) // 2]
    centre = (middle[1] + middle[3]) / 2, (middle[2] + middle[4]) / 2
    for track in timeline.tracks("faces"):
        box = track.box_at(middle[0])
        if box is not None and box[0] <= centre[0] <= box[2] and box[1] <= centre[1] <= box[3]:
            return track.identity
    return None


def load_voice_detector() -> VoiceDetector:
    """Return Silero's voice activity detector or, if it is not installed, a detector of loudness."""
    try:
        from faster_whisper.vad import get_vad_model
    except ImportError:
        return _detect_loudness
    return get_vad_model()  # type: ignore[no-any-return]


def _detect_loudness(samples: Float32Array) -> Float32Array:
    """Return 1 where audio is louder than background noise."""
    power = np.sqrt(np.square(samples.reshape(-1, VAD_WINDOW_SAMPLES)).mean(axis=1))
    return np.asarray(power > 0.005, np.float32)
