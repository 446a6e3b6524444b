"""Reading of clips of talking faces, for the training of a lip-sync generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kinoscope.core.callbacks import ProgressCallback
from kinoscope.core.errors import DatasetError
from kinoscope.core.media import Audio, Pixels
from kinoscope.core.signal.mel import SAMPLE_RATE
from kinoscope.models.inference.face_compositor import crop_face, track_face
from kinoscope.models.inference.lipsync import NormalizedMel, TalkingFace
from kinoscope.models.inference.mouth_tracker import FaceTracker
from kinoscope.source import open_source
from kinoscope.source.folders import find_sources
from kinoscope.training.sync.data import find_row, read_each, read_table

MIN_TRACK_FRAMES = 25
"""Minimum frames of a face track to learn from."""


def read_talking_faces(
    data: Path, offsets: str = "", progress: ProgressCallback | None = None
) -> tuple[list[TalkingFace], dict[str, str]]:
    """Read a clip, or all clips of a folder: the talking faces, and why some clips could not be used.

    Args:
        offsets: CSV with the columns clip and offset: seconds by which the audio of a clip is late.

    Raises:
        DatasetError: no clip can be used, or the table cannot be read.
        SourceError: there is no video.
    """
    known = read_table(Path(offsets)) if offsets else {}
    paths = [Path(name) for name in find_sources(str(data))]
    return read_each(data, paths, lambda path: read_talking_face(path, find_row(known, path).offset), progress)


def read_talking_face(path: Path, late: float = 0.0) -> list[TalkingFace]:
    """Read the face tracks of a clip, each at least a second long.

    Args:
        late: seconds by which its audio is late.

    Raises:
        DatasetError: there is no face, or no audio.
        SourceError: it cannot be read.
    """
    with open_source(str(path)) as source:
        tracks = [track for track in track_face(source, FaceTracker()) if len(track) >= MIN_TRACK_FRAMES]
    if not tracks:
        raise DatasetError(f"{path.name} shows no face for a second")
    moments = {time: (n, at) for n, track in enumerate(tracks) for at, time in enumerate(track.times.tolist())}
    audio: list[Audio] = []
    crops: list[list[Pixels]] = [[] for _ in tracks]
    with open_source(str(path)) as source:
        for item in source.read(audio_rates=(SAMPLE_RATE,)):
            if isinstance(item, Audio):
                audio.append(item)
            elif float(item.time) in moments:
                n, at = moments[float(item.time)]
                crops[n].append(crop_face(item.pixels(), tracks[n].transforms[at]))
    if not audio:
        raise DatasetError(f"{path.name} has no audio")
    mel = NormalizedMel(audio, late)
    return [
        TalkingFace(path.name, track, torch.from_numpy(np.array(frames)).permute(0, 3, 1, 2), mel)
        for track, frames in zip(tracks, crops, strict=True)
    ]
