"""Write the golden files again: ``python tests/views/formats/golden/make_golden.py``. Then review the difference.

The Timeline is small and made by hand: every kind of result, a clock that does not start at zero, a source that is
not plain ASCII, text that is hostile to each format, and keys that no version knows.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kinoscope.core.media import SourceInfo
from kinoscope.core.results import DecodeReport, Event, TaskReport, Track, describe_source
from kinoscope.views.timeline import Timeline

HERE = Path(__file__).parent
TEXT_VIEWS = ("json", "jsonl", "csv", "coco", "mot", "activitynet", "vtt", "srt", "otio")

START = 10.5
LONG = "I would rather take the long way around the lake than wait for another half an hour in this cold rain."


def golden() -> Timeline:
    """Build the Timeline."""
    times = START + np.arange(8) / 4
    walk = np.array([[t, 10 + 4 * i, 20, 50 + 4 * i, 100, 0.9] for i, t in enumerate(times.tolist())])
    return Timeline(
        source=_source(),
        decode=DecodeReport(frames=8, failures=1, errors=["frame 3: corrupt"]),
        tasks={
            "shots": TaskReport(model="transnetv2", runtime="openvino-fp32", licence="MIT", frames=8, seconds=0.25),
            "scenes": TaskReport(model="efficientnet-lite0", frames=2, seconds=0.125),
            "objects": TaskReport(model="nanodet", frames=8, seconds=1.5, extra={"inferences": 4}),
            "faces": TaskReport(model="mtcnn", frames=8, seconds=1),
            "actions": TaskReport(status="failed", reason="weights of mc3-18-fights are missing"),
            "speech": TaskReport(model="whisper-tiny.en", seconds=0.5),
        },
        events=[
            Event("shots", 10.5, 11.5, "shot", 0.98),
            Event("scenes", 10.5, 11.5, "=street", 0.7, extra={"top": [["=street", 0.7], ["kitchen", 0.1]]}),
            Event("speech", 10.6, 10.9, "speech", 0.9, "3 < 4 & <script>alert(1)</script> -->\n\n2\n00:00:01"),
            Event("speech", 11.0, 12.4, "speech", 0.8, LONG, _words()),
            Event("actions", 11.0, 12.0, "fight", 0.875),
            Event("shots", 11.75, 12.5, "shot", 0.75),
            Event("speech", 12.4, 12.45, "speech", 0.5, None),
        ],
        tracks=[
            Track(1, "faces", "face", 0.95, walk[2:5], "Zoë 你好"),
            Track(1, "objects", "person", 0.9, walk),
            Track(2, "objects", '@dog, "big"', 0.5, walk[:1], extra={"note": {"kept": [1, None]}}),
        ],
        times=times,
        features={"scenes.features": np.arange(8, dtype=np.float32).reshape(2, 4)},
        images={"objects-1": b"\xff\xd8 not really a picture"},
        version="0.1.0",
        extra={"from the future": {"a": 1}},
    )


def _source():
    info = SourceInfo(
        path="videos/straße.mp4",
        width=128,
        height=112,
        rate=Fraction(4),
        start=Fraction(21, 2),
        duration=Fraction(2),
        frames=8,
        has_audio=True,
    )
    return describe_source(info)


def _words():
    words = LONG.split()
    return {"words": [[round(11 + 0.06 * i, 2), round(11.05 + 0.06 * i, 2), w, 0.8] for i, w in enumerate(words)]}


def write(folder: Path) -> None:
    """Write the Timeline in every format that is text."""
    from kinoscope.views.registry import VIEWS

    for name in TEXT_VIEWS:
        VIEWS[name].write(golden(), folder / VIEWS[name].filename)
    cut_list = folder / VIEWS["otio"].filename
    here, anywhere = Path("videos").absolute().as_uri(), "file:///videos"
    cut_list.write_text(cut_list.read_text("utf-8").replace(here, anywhere), "utf-8")


if __name__ == "__main__":
    # Views never replace a file that they did not write, such as one from a checkout.
    with TemporaryDirectory() as folder:
        write(Path(folder))
        shutil.copytree(folder, HERE, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".kinoscope.jsonl"))
