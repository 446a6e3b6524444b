"""Annotated video: the results of a Timeline at the time of a frame, drawn over a copy of the frame.

Objects are drawn as rectangles, faces as corners; both have a tag, and one colour per track or per known person. At
the top are the number of the shot with its scene and, in red, actions and rule alerts, whose zones and lines are
outlined; at the bottom are the subtitles.
"""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from zlib import crc32

import numpy as np

from kinoscope.core.media import Frame, Pixels
from kinoscope.core.results import Event, Track
from kinoscope.views.formats.clock import origin
from kinoscope.views.formats.subtitles import cues
from kinoscope.views.timeline import Timeline
from kinoscope.views.video import primitives
from kinoscope.views.video.interval_lookup import IntervalLookup
from kinoscope.views.video.primitives import Colour, Rect, TextRenderer

TIME_TOLERANCE = 1e-6
"""Seconds by which a time in a file may differ from the exact time of a frame: files hold microseconds."""

MIN_TEXT_SIZE = 11
"""Size in pixels of the smallest legible letters."""

MIN_LABELLED_SIDE = 96
"""Pixels of the shorter side of a frame below which there is no room for text, and only boxes are drawn."""

ALERT_COLOUR: Colour = (200, 30, 45)
ZONE_COLOUR: Colour = (240, 190, 60)
"""Of zones and lines without an alert."""

CORNERS = {
    "top right": (2 / 3, 0.0, 1.0, 0.15),
    "bottom right": (2 / 3, 0.65, 1.0, 0.8),
    "bottom left": (0.0, 0.65, 1 / 3, 0.8),
}
"""Regions for alerts, as fractions of the frame: above the subtitles, and clear of the shot banner."""

ALERT_SAMPLES = 8
"""Times within an alert at which the boxes that it would cover are measured."""

MIN_ALERT_SECONDS = 2.0
"""Seconds for which an alert is shown at least, so that it can be read."""


class Annotator:
    """Renderer of a Timeline over frames of its source, which may come in any order and any size."""

    def __init__(self, timeline: Timeline) -> None:
        zero = origin(timeline)
        tracks = [track for track in timeline.all_tracks if len(track.boxes)]
        self._size = timeline.source.get("width"), timeline.source.get("height")
        self._tracks = IntervalLookup(
            (t.start - TIME_TOLERANCE, t.end + 2 * TIME_TOLERANCE, _AnnotatedTrack(t)) for t in tracks
        )
        self._banners = IntervalLookup((e.start, e.end, text) for e, text in _banners(timeline))
        alerts = [(*display_interval(e), e) for task in ("actions", "rules") for e in timeline.events(task)]
        self._alerts = IntervalLookup((start, end, (event, self._corner(start, end))) for start, end, event in alerts)
        self._zones = list(_zones(timeline))
        self._lines = IntervalLookup((float(c.start) + zero, float(c.end) + zero, c.lines) for c in cues(timeline))

    def draw(self, frame: Frame) -> Frame:
        """Return the frame with everything at its time drawn over a copy of its pixels."""
        pixels, time = frame.pixels.copy(), float(frame.time)
        alerts = self._alerts.at(time + TIME_TOLERANCE)
        self._outline(pixels, {event.extra.get("zone") or event.extra.get("line") for event, _ in alerts})
        rects = [(track, self._rect(frame, track.at(time))) for track in self._tracks.at(time)]
        for track, rect in rects:
            _draw_box(pixels, track, rect)
        if min(frame.size) >= MIN_LABELLED_SIDE:
            renderer = TextRenderer(max(MIN_TEXT_SIZE, round(min(frame.size) / 40)))
            occupied = _draw_banner(pixels, renderer, " · ".join(self._banners.at(time + TIME_TOLERANCE)))
            occupied += _draw_alerts(pixels, renderer, [(_alert_text(event), corner) for event, corner in alerts])
            _draw_tags(pixels, renderer, rects, occupied)
            _draw_subtitle(pixels, self._lines.at(time + TIME_TOLERANCE))
        return Frame(pixels, frame.time, frame.index, frame.duration)

    def _corner(self, start: float, end: float) -> str:
        """Return the corner in which an alert covers the least area of the tracks while it is shown."""
        width, height = (float(side or 1) for side in self._size)
        covered = dict.fromkeys(CORNERS, 0.0)
        for time in np.linspace(start, end, ALERT_SAMPLES, endpoint=False).tolist():
            boxes = [track.at(time) / [width, height, width, height] for track in self._tracks.at(time)]
            for corner, region in CORNERS.items():
                covered[corner] += sum(_intersection(box, region) for box in boxes)
        return min(CORNERS, key=lambda corner: covered[corner])

    def _outline(self, pixels: Pixels, alarmed: set[str | None]) -> None:
        """Draw the zones and lines of rules, those in ``alarmed`` in red."""
        height, width = pixels.shape[:2]
        scale = np.array([width / (self._size[0] or width), height / (self._size[1] or height)])
        for name, points, closed in self._zones:
            colour = ALERT_COLOUR if name in alarmed else ZONE_COLOUR
            primitives.polyline(pixels, points * scale, colour, max(1, round(min(width, height) / 300)), closed)

    def _rect(self, frame: Frame, box: np.ndarray) -> Rect:
        """Return a box in whole pixels of this frame, which may differ in size from the source."""
        width, height = frame.size
        scale_x, scale_y = width / (self._size[0] or width), height / (self._size[1] or height)
        low, high = -4 * max(width, height), 8 * max(width, height)  # keeps any box within the range of int
        x1, y1, x2, y2 = np.clip(np.rint(box * [scale_x, scale_y, scale_x, scale_y]), low, high).astype(int).tolist()
        return x1, y1, max(x2, x1 + 1), max(y2, y1 + 1)


def display_interval(event: Event) -> tuple[float, float]:
    """Return start and end in seconds of the display of an alert: a momentary alert stays long enough to be read."""
    if event.task != "rules":
        return event.start, event.end
    start = float(event.extra.get("at", event.start))
    return start, max(event.end, start + MIN_ALERT_SECONDS)


def _zones(timeline: Timeline) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Yield name and points (N, 2) of the zones and lines of rules, and whether they are closed."""
    report = timeline.tasks.get("rules")
    for kind, closed in (("zones", True), ("lines", False)):
        for name, points in (report.extra.get(kind) or {}).items() if report else ():
            yield name, np.array(points, np.float64).reshape(-1, 2), closed


class _AnnotatedTrack:
    """A track with its colour, its tag, and its times in contiguous memory for lookups."""

    def __init__(self, track: Track) -> None:
        self.track = track
        self.colour = _track_colour(track)
        self.tag = track.identity or f"{track.label} #{track.id}"
        self._times = np.ascontiguousarray(track.boxes[:, 0])

    def at(self, time: float) -> np.ndarray:
        """Return the box (4,) x1, y1, x2, y2 at ``time`` in seconds, interpolated linearly."""
        boxes, times = self.track.boxes, self._times
        after = int(np.searchsorted(times, time))
        if after in (0, len(times)):
            return boxes[min(after, len(times) - 1), 1:5]
        before = after - 1
        weight = float((time - times[before]) / (times[after] - times[before]))
        return (1 - weight) * boxes[before, 1:5] + weight * boxes[after, 1:5]


def _track_colour(track: Track) -> Colour:
    """Return a bright colour: one per identity if the track has one, else one per track."""
    key = crc32(track.identity.encode("utf-8", "replace")) if track.identity else track.id + crc32(track.task.encode())
    hue = key * 0.618033988749895 % 1  # the golden ratio spreads consecutive numbers over the hues
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.62, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _banners(timeline: Timeline) -> Iterator[tuple[Event, str]]:
    """Yield the shots with their number, and the scenes with their label."""
    for number, shot in enumerate(timeline.events("shots"), 1):
        yield shot, f"shot {number}"
    for scene in timeline.events("scenes"):
        yield scene, scene.label


def _alert_text(event: Event) -> str:
    if event.task == "rules":
        return event.label
    return f"{event.label} {100 * event.score:.0f} %"


def _draw_box(pixels: Pixels, annotated: _AnnotatedTrack, rect: Rect) -> None:
    shape = primitives.corners if annotated.track.task == "faces" else primitives.rectangle
    shape(pixels, rect, annotated.colour, max(1, round(min(pixels.shape[:2]) / 260)))


def _draw_tags(
    pixels: Pixels, renderer: TextRenderer, tracks: list[tuple[_AnnotatedTrack, Rect]], occupied: list[Rect]
) -> None:
    """Draw a tag for each box at the first free position: above it, inside, or below."""
    height, width = pixels.shape[:2]
    pad = renderer.size // 3
    for track, (x1, y1, x2, y2) in tracks:
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            continue
        text = renderer.fit(track.tag, width - 2 * pad)
        tag_width = renderer.width(text) + 2 * pad
        left = max(0, min(x1, width - tag_width))
        tops = (y1 - renderer.height, max(0, y1), y2, y2 - renderer.height)
        candidates = [(left, top, left + tag_width, top + renderer.height) for top in tops]
        inside = [rect for rect in candidates if rect[1] >= 0 and rect[3] <= height] or candidates[1:2]
        rect = next((rect for rect in inside if not any(map(partial(_overlap, rect), occupied))), inside[0])
        primitives.fill(pixels, rect, track.colour)
        renderer.write(pixels, text, left + pad, rect[1], primitives.contrast(track.colour))
        occupied.append(rect)


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_banner(pixels: Pixels, renderer: TextRenderer, text: str) -> list[Rect]:
    """Draw the shot and the scene at the top left and return the occupied rectangles."""
    if not text:
        return []
    text = renderer.fit(text, pixels.shape[1] // 2)
    return [_draw_panel(pixels, renderer, text, renderer.size // 2, renderer.size // 2, primitives.BLACK)]


def _intersection(box: np.ndarray, region: tuple[float, float, float, float]) -> float:
    """Return the area of the intersection of a box and a region, both x1, y1, x2, y2."""
    width = min(box[2], region[2]) - max(box[0], region[0])
    height = min(box[3], region[3]) - max(box[1], region[1])
    return float(max(0.0, width) * max(0.0, height))


def _draw_alerts(pixels: Pixels, renderer: TextRenderer, alerts: list[tuple[str, str]]) -> list[Rect]:
    """Draw the alerts in their corners, stacked downwards or, at the bottom, upwards; return their rectangles."""
    rows: Counter[str] = Counter()
    rects = []
    for alert, corner in alerts[:4]:
        text = renderer.fit(alert, pixels.shape[1] // 3)
        right = pixels.shape[1] - renderer.width(text) - 2 * renderer.size
        left = right if corner.endswith("right") else renderer.size // 2
        step = rows[corner] * round(renderer.height * 1.5)
        bottom = round(pixels.shape[0] * CORNERS[corner][3]) - round(renderer.height * 1.25)
        top = renderer.size // 2 + step if corner.startswith("top") else bottom - step
        rects.append(_draw_panel(pixels, renderer, text, left, top, ALERT_COLOUR))
        rows[corner] += 1
    return rects


def _draw_panel(pixels: Pixels, renderer: TextRenderer, text: str, left: int, top: int, colour: Colour) -> Rect:
    width, height = renderer.width(text) + renderer.size * 3 // 2, round(renderer.height * 1.25)
    rect = (left, top, left + width, top + height)
    primitives.panel(pixels, rect, colour, 0.7, height // 2)
    text_top = top + (height - renderer.height) // 2
    renderer.write(pixels, text, left + renderer.size * 3 // 4, text_top, primitives.WHITE)
    return rect


def _draw_subtitle(pixels: Pixels, cue_lines: list[tuple[str, ...]]) -> None:
    """Draw the lines of the current cues, centred at the bottom."""
    height, width = pixels.shape[:2]
    renderer = TextRenderer(max(MIN_TEXT_SIZE, min(round(height / 24), round(width / 26))), 450)
    lines = [renderer.fit(line, width - 2 * renderer.size) for cue in cue_lines for line in cue]
    if not lines:
        return
    panel_width = max(map(renderer.width, lines)) + renderer.size
    top = height - round(height * 0.05) - len(lines) * renderer.height
    left = (width - panel_width) // 2
    bottom = top + len(lines) * renderer.height
    rect = (left, top - renderer.size // 5, left + panel_width, bottom + renderer.size // 5)
    primitives.panel(pixels, rect, primitives.BLACK, 0.65, renderer.size // 3)
    for row, line in enumerate(lines):
        line_left = (width - renderer.width(line)) // 2
        renderer.write(pixels, line, line_left, top + row * renderer.height, primitives.WHITE)
