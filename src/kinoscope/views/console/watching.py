"""Statistics of a watch on the terminal."""

from __future__ import annotations

import sys

from kinoscope.core.terminal import warn
from kinoscope.core.validation import pluralize
from kinoscope.results.watch import WatchResult
from kinoscope.views.console.render import render


@render.register
def render_watch(result: WatchResult) -> None:
    """Print the statistics of a watch to standard error; the alerts have been printed as they came."""
    plain = result.to_dict()
    print(pluralize(result.alerts, "alert"), file=sys.stderr)
    for end, delays in (("detection", plain["detection_delays"]), ("alert", plain["delays"])):
        if delays["count"]:
            print(f"from frame to {end}: {delays['p50']} s (p50), {delays['p95']} s (p95)", file=sys.stderr)
    frames, reconnects = pluralize(plain["frames"], "frame"), pluralize(plain["reconnects"], "reconnect")
    print(f"{frames}, {plain['dropped']} dropped, {reconnects}, at most {plain['memory_mb']} MB", file=sys.stderr)
    if result.undelivered or result.delivered:
        print(f"{pluralize(result.delivered, 'alert')} delivered, {result.undelivered} not", file=sys.stderr)
    if result.clips:
        print(pluralize(result.clips, "clip"), file=sys.stderr)
    reports = result.tasks.items()
    reasons = [f"{name} {report.status}: {report.reason}" for name, report in reports if report.reason]
    errors = result.decode.errors
    for reason in reasons + (errors if result.status else [line for line in errors if line.endswith("reconnected")]):
        warn(reason)
