"""Rule engines without a file, and synthetic observations."""

from kinoscope.core.results import Observation
from kinoscope.rules import RuleEngine, RuleFile
from kinoscope.rules.debounce import ObservationFilter

SIZE = (200, 100)
ZONES = {"yard": [[0, 0.5], [1, 0.5], [1, 1], [0, 1]], "left half": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
LINES = {"door": [[0.5, 0.2], [0.5, 0.8]]}


def make_engine(*rules, clock=None, observation_filter=None, size=SIZE, **head):
    """Return an engine for a frame of 200x100: a zone in its lower half, one in its left half, a line in its middle.

    Objects are confirmed from their first frame, unless ``observation_filter`` says otherwise.
    """
    named = [{"name": f"rule {n}"} | rule for n, rule in enumerate(rules, 1)]
    file = RuleFile.model_validate({"zones": ZONES, "lines": LINES, "rules": named} | head)
    return RuleEngine(file, size, clock, observation_filter or ObservationFilter(size, min_seconds=0, min_frames=1))


def observation(x, y, number=1, label="person", wide=10, high=20, **more):
    """Return an observation of an object with a given ground point."""
    return Observation("objects", number, label, (x - wide / 2, y - high, x + wide / 2, y), **more)


def play(engine, *frames, rate=10):
    """Return the events of frames, ``rate`` a second; a frame is an observation, or a list of them."""
    events = []
    for number, observed in enumerate(frames):
        events += engine.update(number / rate, observed if isinstance(observed, list) else [observed])
    return events


def spans(events):
    return [(event.label, event.start, event.end) for event in events]
