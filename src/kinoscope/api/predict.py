"""``kinoscope predict``: the next frames of a video, predicted by a trained network and marked as generated."""

from __future__ import annotations

from pathlib import Path

from kinoscope.api.deprecations import accept_old_names
from kinoscope.core.validation import require_number
from kinoscope.pipeline.arguments import choose_device
from kinoscope.pipeline.inputs import release
from kinoscope.pipeline.prediction import predict_video
from kinoscope.results.predict import PredictResult
from kinoscope.source.names import SourceObject, name_of


@accept_old_names
def predict(
    model: str | Path,
    video: SourceObject,
    out: str | Path,
    frames: int | None = None,
    include_input: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> PredictResult:
    """Predict the next frames of a video from its last ones, and write them, marked as generated.

    The future is seldom certain, and the mean of what may follow is predicted: later frames are blurrier.

    Args:
        model: folder that `kinoscope train predict` wrote.
        video: a video, a strip of square frames or a folder of frames.
        out: file to write (-o): .mp4 .mov .m4v .mkv, .gif, or images as name-%05d.png.
        frames: number of frames to predict; as many as the model predicts at once if not given. For more, it reads
            what it predicted.
        include_input: also write the frames that were read, before the predicted ones.
        overwrite: replace kinoscope's own results of another source or command there.
        device: auto (a GPU if there is one), cpu or cuda.
        quiet: has no effect, as there is no progress to show; other verbs have it too.

    Raises:
        OptionError: an option cannot be used.
        SourceError: the video is too short, or has no end.
        ModelError: the model cannot be used.
        OutputError: it cannot be written.
    """
    require_number("frames", frames, 1, 10_000)
    return release(predict_video(
        model,
        name_of(video),
        out=out,
        frames=frames,
        include_input=include_input,
        overwrite=overwrite,
        device=choose_device(device),
    ))  # fmt: skip
