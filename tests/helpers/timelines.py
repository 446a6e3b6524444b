"""A synthetic Timeline that resembles a real analysis: every kind of result, any length, determined by its seed."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from kinoscope.core.media import SourceInfo
from kinoscope.core.results import DecodeReport, Event, TaskReport, TaskResult, Track, describe_source
from kinoscope.views.timeline import Timeline

RATE = Fraction(24000, 1001)
WIDTH, HEIGHT = 1280, 720
SCENES = ["street", "crosswalk", "kitchen", "library", "seashore", "stage", "classroom", "forest path"]
OBJECTS = ["person", "person", "person", "car", "bicycle", "dog", "bus", "backpack"]
SENTENCES = [
    "Good morning, everyone.",
    "Keep to the left here, the bridge is narrow and there is traffic coming the other way.",
    "Did you see that dog?",
    "Ça va très bien, merci!",
    "I would rather take the long way around the lake than wait for another half an hour in this rain.",
    "No.",
    'It costs 3 < 5 & that is "fair".',
    "Let us begin with the second chapter.",
]


def sample(minutes: float = 1, seed: int = 0, start: float = 0.0) -> Timeline:
    """Build a Timeline of ``minutes``; the source's clock begins at ``start`` seconds."""
    random = np.random.default_rng(seed)
    times = start + np.arange(int(minutes * 60 * RATE)) / float(RATE)
    timeline = Timeline(source=_source(times, start), decode=_decode(times), times=times, version="0.1.0")
    spans = _shot_spans(times, random)
    for task, make in MAKERS.items():
        result = make(times, spans, random)
        result.report = TaskReport(
            model=MODELS[task][0],
            runtime="openvino-fp32",
            licence=MODELS[task][1],
            frames=len(times),
            seconds=round(len(times) * 0.002, 3),
        )
        timeline.add(task, result)
    timeline.tasks["actions"].extra["inferences"] = len(times) // 16
    return timeline


def _source(times, start):
    info = SourceInfo(
        path="street.mp4",
        width=WIDTH,
        height=HEIGHT,
        rate=RATE,
        start=Fraction(str(start)),
        duration=Fraction(len(times)) / RATE,
        frames=len(times),
        has_audio=True,
        container="mov,mp4,m4a,3gp,3g2,mj2",
        codec="h264",
        pixel_format="yuv420p",
        bit_depth=8,
        audio_codec="aac",
        audio_rate=48000,
    )
    return describe_source(info)


def _decode(times):
    return DecodeReport(frames=len(times), failures=1, errors=["frame 17: corrupt macroblock row 3"])


def _shot_spans(times, random):
    """Cut the video into shots of 2 to 9 s at frame times: (start, end, first index, end index)."""
    cuts, at = [0], 0
    while at < len(times):
        at += int(random.uniform(2, 9) * float(RATE))
        cuts.append(min(at, len(times)))
    end = float(times[-1]) + 1 / float(RATE)
    return [(float(times[a]), float(times[b]) if b < len(times) else end, a, b) for a, b in pairwise(cuts)]


def _shots(times, spans, random):
    events = [Event("shots", a, b, "shot", round(random.uniform(0.7, 1), 3)) for a, b, *_ in spans]
    return TaskResult(events, images={f"shots-{i}": _jpeg(i, 160, 90) for i in range(len(spans))})


def _scenes(times, spans, random):
    events = []
    for a, b, *_ in spans:
        names = random.choice(SCENES, 3, replace=False)
        scores = np.sort(random.dirichlet([4, 2, 1]))[::-1]
        top = [(str(n), round(float(s), 4)) for n, s in zip(names, scores, strict=True)]
        label, score = top[0]
        events.append(Event("scenes", a, b, label, score, extra={"top": [list(pair) for pair in top]}))
    seconds = max(1, len(times) // int(RATE))
    features = random.standard_normal((seconds, 32)).astype(np.float32)
    return TaskResult(events, features={"scenes.features": features, "scenes.times": times[:: int(RATE)][:seconds]})


def _walk(times, first, last, side, random):
    """Return the boxes (N, 6) of an object that moves on a straight line with jitter, always inside the frame."""
    n = last - first
    origin, target = random.uniform([0.1, 0.2], [0.9, 0.8], (2, 2)) * [WIDTH, HEIGHT]
    centre = np.linspace(origin, target, n) + random.normal(0, 0.6, (n, 2)).cumsum(0) * 0.2
    half = np.array([side * 0.4, side]) / 2
    low, high = np.clip(centre - half, 0, None), np.minimum(centre + half, [WIDTH, HEIGHT])
    score = np.clip(random.normal(0.8, 0.05, n), 0.3, 1)
    return np.column_stack([times[first:last], low, high, score])


def _objects(times, spans, random):
    tracks: list[Track] = []
    images: dict[str, bytes] = {}
    for _, _, first, last in spans:
        for _ in range(random.integers(1, 5)):
            a = int(random.integers(first, max(first + 1, (first + last) // 2)))
            label, number = str(random.choice(OBJECTS)), len(tracks) + 1
            boxes = _walk(times, a, last, random.uniform(90, 420), random)
            tracks.append(Track(number, "objects", label, round(float(boxes[:, 5].mean()), 3), boxes))
            images[f"objects-{number}"] = _jpeg(number, 48, 96)
    return TaskResult(tracks=tracks, images=images)


def _faces(times, spans, random):
    tracks: list[Track] = []
    images: dict[str, bytes] = {}
    for _, _, first, last in spans:
        if random.random() < 0.6:
            number = len(tracks) + 1
            boxes = _walk(times, first, last, random.uniform(50, 140), random)
            boxes[:, 3] = np.minimum(boxes[:, 1] + (boxes[:, 4] - boxes[:, 2]) * 0.8, WIDTH)
            identity = str(random.choice(["person 1", "person 2", "Zoë Müller"]))
            tracks.append(Track(number, "faces", "face", round(float(boxes[:, 5].mean()), 3), boxes, identity))
            images[f"faces-{number}"] = _jpeg(number, 80, 96)
    return TaskResult(tracks=tracks, images=images)


def _actions(times, spans, random):
    windows = [(a, min(b, a + 3.2)) for a, b, *_ in spans[1::5]]
    events = [Event("actions", a, b, "fight", round(random.uniform(0.6, 0.99), 3)) for a, b in windows]
    samples = times[::16]
    active = np.logical_or.reduce([(samples >= a) & (samples <= b) for a, b in windows])
    scores = np.clip(np.where(active, 0.8, 0.15) + random.normal(0, 0.05, len(samples)), 0, 1)
    return TaskResult(events, features={"actions.times": samples, "actions.scores": scores.astype(np.float32)})


def _speech(times, spans, random):
    events: list[Event] = []
    at, number = float(times[0]) + 0.5, 0
    while True:
        text = SENTENCES[number % len(SENTENCES)]
        words = _words(text, at, random)
        if words[-1][1] > times[-1]:
            return TaskResult(events)
        score = round(random.uniform(0.6, 0.99), 3)
        events.append(Event("speech", at, words[-1][1], "speech", score, text, {"words": words}))
        at, number = words[-1][1] + random.uniform(0.3, 6), number + 1


def _words(text, start, random):
    words = []
    for word in text.split():
        end = round(start + 0.12 + 0.05 * len(word), 3)
        words.append([round(start, 3), end, word, round(random.uniform(0.5, 1), 3)])
        start = end + 0.03
    return words


def _jpeg(number, width, height):
    import cv2

    rows, columns = np.mgrid[0:height, 0:width]
    hue = (number * 47 + columns * 40 // width) % 180
    value = 140 + rows * 100 // height
    hsv = np.dstack([hue, np.full_like(hue, 120), value]).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR))[1].tobytes()


MAKERS = {
    "shots": _shots,
    "scenes": _scenes,
    "objects": _objects,
    "faces": _faces,
    "actions": _actions,
    "speech": _speech,
}
MODELS = {
    "shots": ("transnetv2", "MIT"),
    "scenes": ("efficientnet-lite0", "Apache-2.0"),
    "objects": ("nanodet-416", "Apache-2.0"),
    "faces": ("mtcnn", "MIT"),
    "actions": ("mc3-18-fights", "MIT"),
    "speech": ("whisper-tiny.en", "MIT"),
}
