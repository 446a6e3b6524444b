"""Generated video on the terminal: sampled clips, predicted frames and painted lips."""

from __future__ import annotations

from kinoscope.core.terminal import warn
from kinoscope.core.validation import pluralize
from kinoscope.results.generate import GenerateResult
from kinoscope.results.lipsync import LipSyncResult
from kinoscope.results.predict import PredictResult
from kinoscope.views.console.render import print_paths, render

GENERATED_NOTICE = "each file says in its metadata that it was generated"


MAX_LISTED_CLIPS = 8
"""Generated files that are all listed; of more, the last five are."""


@render.register
def render_generated_clips(result: GenerateResult) -> None:
    """Print how many clips were generated, how fast, and the written files."""
    speed = result.clips * result.frames / max(result.seconds, 1e-9)
    clips = f"{pluralize(result.clips, 'clip')} of {result.frames} frames in {result.seconds:.1f} s"
    print(f"{clips} ({speed:.0f} frames per second, {result.runtime})")
    if result.psnr is not None:
        print(f"the real clip is reconstructed with a PSNR of {result.psnr:.1f} dB")
    print(GENERATED_NOTICE)
    print_paths(result.written[-5:] if len(result.written) > MAX_LISTED_CLIPS else result.written)


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
