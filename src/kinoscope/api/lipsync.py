"""``kinoscope lipsync``: lip synchronization of a speaker to other audio; the video is marked as generated."""

from __future__ import annotations

from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.lipsync import synchronize_lips
from kinoscope.results.lipsync import LipSyncResult


@accept_old_names
def lipsync(
    video: str | Path,
    audio: str | Path,
    out: str | Path,
    model: str | Path,
    reference: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> LipSyncResult:
    """Make the lips of a speaker follow other audio, which replaces that of the video; marked as generated.

    The lips are those of the person whose face is largest for most of the time. Frames without that face, and
    everything around the mouth, stay unchanged. The audio starts with the video; after its end, the lips rest. Obtain
    the speaker's consent first.

    Args:
        video: of a person who speaks towards the camera.
        audio: file with speech, or a video with it.
        out: the video to write (-o), .mp4 .mov .m4v or .mkv.
        model: folder that `kinoscope train lipsync` wrote; it works well only for people it was trained on.
        reference: another video of the person, in the same light, to take images of the mouth from; the video itself if
            not given.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Raises:
        OptionError: an option cannot be used.
        SourceError: there is no face, or no audio.
        ModelError: the model cannot be used.
        OutputError: the video cannot be written.
    """
    return synchronize_lips(
        video, audio, out, model, reference, overwrite=overwrite, device=choose_device(device), quiet=quiet
    )
