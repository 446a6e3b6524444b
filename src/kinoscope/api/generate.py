"""``kinoscope generate``: video generation by a trained generator."""

from __future__ import annotations

from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.generation import CLIPS_AS_TRAINED, GeneratedClipOptions, generate_clips
from kinoscope.results.generate import GenerateResult


@accept_old_names
def generate(
    model: str | Path,
    *,
    n: int = 16,
    out: str | Path | None = None,
    seed: int = 0,
    clips: GeneratedClipOptions = CLIPS_AS_TRAINED,
    show: str = "samples",
    project: str | Path | None = None,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> GenerateResult:
    """Generate clips; their files say in their metadata that they were generated.

    Args:
        model: folder of a model that `kinoscope train generate` wrote, or a bundled one: people or shapes.
        n: number of clips (-n); for ``--show between`` the number of steps, and for ``--show crossed`` the number of
            cells of a grid of about sqrt(n) contents by as many motions.
        out: a video or gif, which plays all clips side by side (-o); a .png or .jpg, where each clip is a row of
            frames; name-%05d.png, numbered images; or a folder for a file of each clip, all of these and a page
            (runs/generate/NAME if not given).
        seed: the same seed generates the same clips; a smaller n generates the first of them.
        clips: classes, length, rate and size of the clips.
        show: samples; between, an interpolation from one content to another; or crossed, a grid in which each row is
            one content and each column one motion.
        project: a real clip to invert: shown as it is, as the model reconstructs it, and with other motions.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: show no progress.

    Returns:
        The clips as an array, their classes, and the files written.

    Raises:
        OptionError: an option cannot be used.
        ModelError: the model cannot be used.
        SourceError: the clip to project cannot be read, or is too short.
        OutputError: a file cannot be written.
    """
    from kinoscope.models.trainable.generators import find_generator

    folder = Path("runs/generate") / find_generator(model).resolve().name
    return generate_clips(
        model,
        n,
        seed=seed,
        show=show,
        project=project,
        clips=clips,
        out=folder if out is None else out,
        overwrite=overwrite,
        device=choose_device(device),
        quiet=quiet,
    )
