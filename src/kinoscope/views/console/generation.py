"""Generated video on the terminal: sampled clips, predicted frames and painted lips."""

from __future__ import annotations

from kinoscope.core.terminal import warn
from kinoscope.results.lipsync import LipSyncResult
from kinoscope.results.predict import PredictResult
from kinoscope.views.console.render import print_paths, render

GENERATED_NOTICE = "each file says in its metadata that it was generated"


@render.register
def render_predicted_frames(result: PredictResult) -> None:
    """Print how many frames were predicted, notes, and the written file."""
    for note in result.notes:
        warn(note)
    print(f"{result.frames} frames predicted from the last {result.read}, at {result.rate:g} frames per second")
    print(GENERATED_NOTICE)
    print_paths(result.written)


@render.register
def render_painted_lips(result: LipSyncResult) -> None:
    """Print how many frames were painted, notes, and the written file."""
    for note in result.notes:
        warn(note)
    frames = f"{result.painted} of {result.frames} frames painted in {result.seconds:.1f} s"
    print(f"{frames}; metadata says it was generated")
    print_paths(result.written)
