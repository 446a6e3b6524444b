"""Reading clips of people who talk, as a painter of mouths learns from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kinoscope.core.errors import DatasetError
from kinoscope.core.media import Audio, Pixels
from kinoscope.core.progress import ProgressCallback
from kinoscope.core.signal.mel import SAMPLE_RATE
from kinoscope.models.inference.face_compositor import crop_face, track_face
from kinoscope.models.inference.lipsync import NormalizedMel, TalkingFace
from kinoscope.models.inference.mouth_tracker import FaceTracker
from kinoscope.source import open_source
from kinoscope.source.folders import find_sources
from kinoscope.training.sync.data import known_of, read_each, read_table

SHORTEST = 25
"""Pictures of the shortest stretch of a face that something can be learned from."""


def read_talking_faces(
    data: Path, offsets: str = "", progress: ProgressCallback | None = None
) -> tuple[list[TalkingFace], dict[str, str]]:
    """Read a clip, or all clips of a folder: those who talk, and why some clips could not be used.

    Args:
        offsets: CSV with the columns clip and offset: seconds by which the sound of a clip is late.

    Raises:
        DatasetError: no clip can be used, or the table is none.
        SourceError: there is no video.
    """
    known = read_table(Path(offsets)) if offsets else {}
    paths = [Path(found) for found in find_sources(str(data))]
    return read_each(data, paths, lambda path: read_talking_face(path, known_of(known, path).offset), progress)


def read_talking_face(path: Path, late: float = 0.0) -> list[TalkingFace]:
    """Read the stretches of a clip in which a face is seen, each a second long at least.

    Args:
        late: seconds by which its sound is late.

    Raises:
        DatasetError: there is no face, or no sound.
        SourceError: it cannot be read.
    """
    with open_source(str(path)) as source:
        ways = [way for way in track_face(source, FaceTracker()) if len(way) >= SHORTEST]
    if not ways:
        raise DatasetError(f"{path.name} shows no face for a second")
    wanted = {time: (number, at) for number, way in enumerate(ways) for at, time in enumerate(way.times.tolist())}
    sounds: list[Audio] = []
    cuts: list[list[Pixels]] = [[] for _ in ways]
    with open_source(str(path)) as source:
        for item in source.read(audio_rates=(SAMPLE_RATE,)):
            if isinstance(item, Audio):
                sounds.append(item)
            elif float(item.time) in wanted:
                number, at = wanted[float(item.time)]
                cuts[number].append(crop_face(item.pixels(), ways[number].into[at]))
    if not sounds:
        raise DatasetError(f"{path.name} has no sound")
    hearing = NormalizedMel(sounds, late)
    return [
        TalkingFace(path.name, way, torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2), hearing)
        for way, pictures in zip(ways, cuts, strict=True)
    ]
