"""The annotated video, frame by frame: what a Timeline says of a frame's time is drawn over its picture.

Boxes of objects are frames, faces are corners; both carry a tag and keep one colour for life, a known person even
across tracks. Above stand the number of the shot with its scene and, in red, actions and rules that are met, whose
zones and lines are outlined; below the subtitles.
"""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from zlib import crc32

import numpy as np

from kinoscope.core.media import Frame, Pixels
from kinoscope.core.results import Event, Timeline, Track
from kinoscope.views.formats.clock import origin
from kinoscope.views.formats.subtitles import cues
from kinoscope.views.video import primitives
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.primitives import Colour, Rect, TextRenderer

TIME_TOLERANCE = 1e-6
"""Seconds by which a time in a file may differ from the frame's exact one: files hold microseconds."""

MIN_TEXT_SIZE = 11
"""Size in pixels of the smallest letters that can be read."""

MIN_LABELLED_SIDE = 96
"""Pixels of the shorter side below which there is no room for letters, and only boxes are drawn."""

ALERT_COLOUR: Colour = (200, 30, 45)
ZONE_COLOUR: Colour = (240, 190, 60)

CORNERS = {
    "top right": (2 / 3, 0.0, 1.0, 0.15),
    "bottom right": (2 / 3, 0.65, 1.0, 0.8),
    "bottom left": (0.0, 0.65, 1 / 3, 0.8),
}
"""Where alerts may stand, as shares of the picture: above the subtitles, and not where the shots are."""

ALERT_SAMPLES = 8
"""Moments of an alert at which it is seen what it would hide."""

MIN_ALERT_SECONDS = 2.0
"""Seconds for which an alert is shown at least."""


class Annotator:
    """Draws a Timeline over frames of its source. Frames may come in any order and any size."""

    def __init__(self, timeline: Timeline) -> None:
        zero = origin(timeline)
        tracks = [track for track in timeline.tracks if len(track.boxes)]
        self._size = timeline.source.get("width"), timeline.source.get("height")
        self._tracks = IntervalLookup(
            (t.start - TIME_TOLERANCE, t.end + 2 * TIME_TOLERANCE, _DrawnTrack(t)) for t in tracks
        )
        self._banners = IntervalLookup((e.start, e.end, text) for e, text in _banners(timeline))
        alerts = [(*display_interval(e), e) for task in ("actions", "rules") for e in timeline.events_of(task)]
        self._alerts = IntervalLookup((start, end, (event, self._corner(start, end))) for start, end, event in alerts)
        self._places = list(_zones(timeline))
        self._lines = IntervalLookup((float(c.start) + zero, float(c.end) + zero, c.lines) for c in cues(timeline))

    def draw(self, frame: Frame) -> Frame:
        """Give the frame with everything of its time drawn over a copy of its pixels."""
        pixels, time = frame.pixels.copy(), float(frame.time)
        alerts = self._alerts.at(time + TIME_TOLERANCE)
        self._outline(pixels, {event.extra.get("zone") or event.extra.get("line") for event, _ in alerts})
        found = [(path, self._rect(frame, path.at(time))) for path in self._tracks.at(time)]
        for path, rect in found:
            _draw_box(pixels, path, rect)
        if min(frame.size) >= MIN_LABELLED_SIDE:
            pen = TextRenderer(max(MIN_TEXT_SIZE, round(min(frame.size) / 40)))
            taken = _draw_banner(pixels, pen, " · ".join(self._banners.at(time + TIME_TOLERANCE)))
            taken += _draw_alerts(pixels, pen, [(_alert_text(event), corner) for event, corner in alerts])
            _draw_tags(pixels, pen, found, taken)
            _draw_subtitle(pixels, self._lines.at(time + TIME_TOLERANCE))
        return Frame(pixels, frame.time, frame.index, frame.duration)

    def _corner(self, start: float, end: float) -> str:
        """Return the corner in which an alert hides least of what is followed while it is shown."""
        width, height = (float(side or 1) for side in self._size)
        hidden = dict.fromkeys(CORNERS, 0.0)
        for time in np.linspace(start, end, ALERT_SAMPLES, endpoint=False).tolist():
            boxes = [path.at(time) / [width, height, width, height] for path in self._tracks.at(time)]
            for corner, place in CORNERS.items():
                hidden[corner] += sum(_intersection(box, place) for box in boxes)
        return min(CORNERS, key=lambda corner: hidden[corner])

    def _outline(self, pixels: Pixels, alarmed: set[str | None]) -> None:
        """Draw the zones and lines of rules, in red where one is met."""
        height, width = pixels.shape[:2]
        scale = np.array([width / (self._size[0] or width), height / (self._size[1] or height)])
        for name, points, closed in self._places:
            colour = ALERT_COLOUR if name in alarmed else ZONE_COLOUR
            primitives.polyline(pixels, points * scale, colour, max(1, round(min(width, height) / 300)), closed)

    def _rect(self, frame: Frame, box: np.ndarray) -> Rect:
        """Give a box in whole pixels of this frame, which may be of another size than the source."""
        width, height = frame.size
        across, down = width / (self._size[0] or width), height / (self._size[1] or height)
        low, high = -4 * max(width, height), 8 * max(width, height)  # no box is too odd to draw
        x1, y1, x2, y2 = np.clip(np.rint(box * [across, down, across, down]), low, high).astype(int).tolist()
        return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def display_interval(event: Event) -> tuple[float, float]:
    """Give the seconds from when to when an alert is shown: what is met in a moment can be read all the same."""
    if event.task != "rules":
        return event.start, event.end
    told = float(event.extra.get("at", event.start))
    return told, max(event.end, told + MIN_ALERT_SECONDS)


def _zones(timeline: Timeline) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Give name and points (N, 2) of the zones and lines of rules, and whether they are closed."""
    report = timeline.tasks.get("rules")
    for kind, closed in (("zones", True), ("lines", False)):
        for name, points in (report.extra.get(kind) or {}).items() if report else ():
            yield name, np.array(points, np.float64).reshape(-1, 2), closed


class _DrawnTrack:
    """A track ready for looking up its box: its colour, its tag, its times in one block of memory."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.colour = _track_colour(track)
        self.tag = track.identity or f"{track.label} #{track.id}"
        self._times = np.ascontiguousarray(track.boxes[:, 0])

    def at(self, time: float) -> np.ndarray:
        """Give x1, y1, x2, y2 at ``time``, between two boxes on the straight line from one to the other."""
        boxes, times = self.track.boxes, self._times
        after = int(np.searchsorted(times, time))
        if after in (0, len(times)):
            return boxes[min(after, len(times) - 1), 1:5]
        before = after - 1
        share = float((time - times[before]) / (times[after] - times[before]))
        return (1 - share) * boxes[before, 1:5] + share * boxes[after, 1:5]


def _track_colour(track: Track) -> Colour:
    """Give a bright colour: one for each person who is known by identity, else one for each track."""
    key = crc32(track.identity.encode("utf-8", "replace")) if track.identity else track.id + crc32(track.task.encode())
    hue = key * 0.618033988749895 % 1  # the golden ratio sets neighbouring numbers far apart
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.62, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _banners(timeline: Timeline) -> Iterator[tuple[Event, str]]:
    """Give the shots by number, and the scenes by label."""
    for number, shot in enumerate(timeline.events_of("shots"), 1):
        yield shot, f"shot {number}"
    for scene in timeline.events_of("scenes"):
        yield scene, scene.label


def _alert_text(event: Event) -> str:
    if event.task == "rules":
        return event.label
    return f"{event.label} {100 * event.score:.0f} %"


def _draw_box(pixels: Pixels, path: _DrawnTrack, rect: Rect) -> None:
    shape = primitives.corners if path.track.task == "faces" else primitives.rectangle
    shape(pixels, rect, path.colour, max(1, round(min(pixels.shape[:2]) / 260)))


def _draw_tags(pixels: Pixels, pen: TextRenderer, found: list[tuple[_DrawnTrack, Rect]], taken: list[Rect]) -> None:
    """Write a tag for each box where no other one stands yet: above it, inside, or below."""
    height, width = pixels.shape[:2]
    pad = pen.size // 3
    for path, (x1, y1, x2, y2) in found:
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            continue
        text = pen.fit(path.tag, width - 2 * pad)
        wide = pen.width(text) + 2 * pad
        left = max(0, min(x1, width - wide))
        tops = (y1 - pen.height, max(0, y1), y2, y2 - pen.height)
        places = [(left, top, left + wide, top + pen.height) for top in tops]
        inside = [place for place in places if place[1] >= 0 and place[3] <= height] or places[1:2]
        place = next((place for place in inside if not any(map(partial(_overlap, place), taken))), inside[0])
        primitives.fill(pixels, place, path.colour)
        pen.write(pixels, text, left + pad, place[1], primitives.contrast(path.colour))
        taken.append(place)


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_banner(pixels: Pixels, pen: TextRenderer, text: str) -> list[Rect]:
    """Write the shot and the scene at the top left; give the place."""
    if not text:
        return []
    text = pen.fit(text, pixels.shape[1] // 2)
    return [_draw_panel(pixels, pen, text, pen.size // 2, pen.size // 2, primitives.BLACK)]


def _intersection(box: np.ndarray, place: tuple[float, float, float, float]) -> float:
    """Return the area that a box and a place share, both x1, y1, x2, y2."""
    across = min(box[2], place[2]) - max(box[0], place[0])
    down = min(box[3], place[3]) - max(box[1], place[1])
    return float(max(0.0, across) * max(0.0, down))


def _draw_alerts(pixels: Pixels, pen: TextRenderer, alerts: list[tuple[str, str]]) -> list[Rect]:
    """Write the alerts in their corners, below each other or, at the bottom, above; return where they stand."""
    rows: Counter[str] = Counter()
    places = []
    for alert, corner in alerts[:4]:
        text = pen.fit(alert, pixels.shape[1] // 3)
        left = pixels.shape[1] - pen.width(text) - 2 * pen.size if corner.endswith("right") else pen.size // 2
        step = rows[corner] * round(pen.height * 1.5)
        bottom = round(pixels.shape[0] * CORNERS[corner][3]) - round(pen.height * 1.25)
        top = pen.size // 2 + step if corner.startswith("top") else bottom - step
        places.append(_draw_panel(pixels, pen, text, left, top, ALERT_COLOUR))
        rows[corner] += 1
    return places


def _draw_panel(pixels: Pixels, pen: TextRenderer, text: str, left: int, top: int, colour: Colour) -> Rect:
    wide, high = pen.width(text) + pen.size * 3 // 2, round(pen.height * 1.25)
    place = (left, top, left + wide, top + high)
    primitives.panel(pixels, place, colour, 0.7, high // 2)
    pen.write(pixels, text, left + pen.size * 3 // 4, top + (high - pen.height) // 2, primitives.WHITE)
    return place


def _draw_subtitle(pixels: Pixels, spoken: list[tuple[str, ...]]) -> None:
    """Write the lines that are spoken, centred at the bottom."""
    height, width = pixels.shape[:2]
    pen = TextRenderer(max(MIN_TEXT_SIZE, min(round(height / 24), round(width / 26))), 450)
    lines = [pen.fit(line, width - 2 * pen.size) for cue in spoken for line in cue]
    if not lines:
        return
    wide = max(map(pen.width, lines)) + pen.size
    top = height - round(height * 0.05) - len(lines) * pen.height
    left = (width - wide) // 2
    box = (left, top - pen.size // 5, left + wide, top + len(lines) * pen.height + pen.size // 5)
    primitives.panel(pixels, box, primitives.BLACK, 0.65, pen.size // 3)
    for row, line in enumerate(lines):
        pen.write(pixels, line, (width - pen.width(line)) // 2, top + row * pen.height, primitives.WHITE)
