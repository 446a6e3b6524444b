"""Rules without a file, and things that move as told."""

from kinoscope.core.results import Observation
from kinoscope.rules import RuleEngine, RuleFile
from kinoscope.rules.debounce import ObservationFilter

SIZE = (200, 100)
ZONES = {"yard": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]], "left half": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
LINES = {"door": [[0.5, 0.2], [0.5, 0.8]]}


def book(*rules, clock=None, settling=None, size=SIZE, **head):
    """Rules on a picture of 200x100: a zone in its lower half and one in its left half, a line in its middle.

    Things count from their first picture, unless ``settling`` says otherwise.
    """
    named = [{"name": f"rule {n}"} | rule for n, rule in enumerate(rules, 1)]
    file = RuleFile.model_validate({"zones": ZONES, "lines": LINES, "rules": named} | head)
    return RuleEngine(file, size, clock, settling or ObservationFilter(size, min_seconds=0, min_frames=1))


def thing(x, y, number=1, label="person", wide=10, high=20, **more):
    """A thing that stands on a point."""
    return Observation("objects", number, label, (x - wide / 2, y - high, x + wide / 2, y), **more)


def play(rulebook, *pictures, rate=10):
    """Step through pictures, ``rate`` a second; a picture is a thing, or a list of them."""
    events = []
    for number, seen in enumerate(pictures):
        events += rulebook.update(number / rate, seen if isinstance(seen, list) else [seen])
    return events


def spans(events):
    return [(event.label, event.start, event.end) for event in events]
