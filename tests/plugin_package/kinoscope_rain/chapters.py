"""A format: one line for each event, with its time in seconds and its label."""

from pathlib import Path

from kinoscope.core.files import atomic_write
from kinoscope.views.registry import View
from kinoscope.views.timeline import Timeline


def write_chapters(timeline: Timeline, path: Path) -> None:
    """Write the start and the label of each event."""
    lines = [f"{event.start:.2f} {event.label}\n" for event in timeline.events()]
    with atomic_write(path) as temporary:
        temporary.write_text("".join(lines))


CHAPTERS = View("chapters.txt", write_chapters, "events as chapters")
