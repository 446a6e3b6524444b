"""Reading of the code blocks of the documents, and the files that their examples name."""

from __future__ import annotations

import re
import shutil
import wave
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from kinoscope.cli.main import main
from kinoscope.core.errors import ModelError
from kinoscope.core.media import Frame
from kinoscope.source import open_source
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.moving_shapes import moving
from kinoscope.source.synthetic.video import flash_and_beep, shapes

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>not run|status|output)(?:: (?P<value>.*?))? -->\n\n?)?"
    r"^```(?P<kind>\w*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<text>.*?)^```$",
    flags=re.M | re.S,
)
"""A fenced block, with the comment before it: ``not run: REASON``, ``status: 1`` or ``output``."""

NEEDS_MODELS = "<!-- needs: models -->"
"""Comment of a page whose examples need weights and sample videos that are downloaded."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    Attributes:
        kind: its language.
        title: name of the file that it shows, or an empty string.
        reason: why it is not run, or an empty string.
        status: exit status that its commands have.
        is_output: whether it is exactly what the last block of Python printed.
    """

    page: str
    line: int
    kind: str
    title: str
    text: str
    reason: str
    status: int
    is_output: bool

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell block, continued lines joined, without comments."""
        lines = self.text.replace("\\\n", " ").splitlines()
        stripped = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
        return [line for line in stripped if line]


def pages() -> list[Path]:
    """Return the documents whose blocks are run: README.md, and the pages that show no other file."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *(path for path in found if not path.read_text("utf-8").startswith("---\nsource:"))]


def blocks_of(path: Path) -> list[Block]:
    """Return the fenced blocks of a document in their order."""
    text = path.read_text("utf-8")
    return [_block(path, text, match) for match in FENCE.finditer(text)]


def _block(path: Path, text: str, match: re.Match[str]) -> Block:
    mark, value = match["mark"], match["value"] or ""
    return Block(
        page=path.relative_to(ROOT).as_posix(),
        line=text.count("\n", 0, match.start("text")),
        kind=match["kind"],
        title=match["title"] or "",
        text=match["text"],
        reason=value if mark == "not run" else "",
        status=int(value) if mark == "status" else 0,
        is_output=mark == "output",
    )


def prepare_files(folder: Path, text: str, real: bool, cache: Path) -> None:
    """Write into a folder each known file that a text names.

    Args:
        folder: where the examples are run.
        text: of a page.
        real: whether the videos are cut from the sample videos, for the networks; otherwise they are drawn.
        cache: folder in which each file is made once.
    """
    for name, make in FILES.items():
        if re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w-])", text):
            made = cache / ("real" if real else "drawn") / name
            if not made.exists():
                made.parent.mkdir(parents=True, exist_ok=True)
                make(made, real)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if made.is_dir() else shutil.copy)(made, folder / name)


def street(path: Path, real: bool) -> None:
    """Write three seconds of a street, or moving shapes."""
    if real:
        cut(path, "bikes.mp4", start=4, seconds=3)
    else:
        shapes(duration=2, rate=10, width=64, height=48).write(path)


def person(path: Path, real: bool) -> None:
    """Write two seconds of a man who talks."""
    cut(path, "carphone_pristine.mp4", start=0, seconds=2)


def talk(path: Path, real: bool) -> None:
    """Write a man who talks, with audio, or flashes with beeps."""
    if not real:
        flash_and_beep(duration=3, rate=25).write(path)
        return
    cut(path, "carphone_pristine.mp4", start=0, seconds=4, audio_from=sample_path("bigbuckbunny.mp4"))


def voice(path: Path, real: bool) -> None:
    """Write a second of audio: a tone that swells and fades four times."""
    times = np.arange(16000) / 16000
    samples = 8000 * np.sin(2 * np.pi * 220 * times) * np.sin(4 * np.pi * times) ** 2
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes(samples.astype("<i2").tobytes())


def class_folders(path: Path, real: bool) -> None:
    """Write six clips of each of two classes: shapes that move in a circle, and that swing."""
    for name in ("circle", "swing"):
        (path / name).mkdir(parents=True)
        for seed in range(6):
            moving(motion=name, seed=seed, duration=1, rate=10).write(path / name / f"{name}{seed}.mp4")


def image(path: Path, real: bool) -> None:
    """Copy an image of an astronaut."""
    shutil.copy(sample_path("astronaut.png"), path)


def rules(path: Path, real: bool) -> None:
    """Copy the example of rules."""
    shutil.copy(ROOT / "examples" / "rules.yaml", path)


def classifier(path: Path, real: bool) -> None:
    """Train a small classifier for a moment."""
    options = {"net": "mc3-18", "start": "none", "size": "32x32", "frames": "4", "epochs": "1"}
    train_model("classify", path, real, options)


def generator(path: Path, real: bool) -> None:
    """Train a small generator for a moment."""
    options = {"epochs": 1, "steps": 2, "batch": 2, "frames": 8, "width": 8, "disc_width": 8}
    train_model("generate", path, real, options)


def predictor(path: Path, real: bool) -> None:
    """Train a small network for the prediction of frames for a moment."""
    options = {"epochs": 1, "steps": 2, "batch": 2, "width": 8, "context": 4, "horizon": 4, "size": 32}
    train_model("predict", path, real, options)


def train_model(task: str, path: Path, real: bool, options: Mapping[str, object]) -> None:
    """Train a model on the clips of ``class_folders``."""
    clips = path.parent / f"clips-{path.name}"
    class_folders(clips, real)
    words = [f"{name}={value}" for name, value in options.items()]
    with suppress(SystemExit):
        main(["train", task, str(clips), *words, "-o", str(path), "--quiet"])


FILES: dict[str, Callable[[Path, bool], None]] = {
    "street.mp4": street,
    "a.mp4": street,
    "b.mp4": street,
    "ada.mp4": person,
    "talk.mp4": talk,
    "voice.wav": voice,
    "clips": class_folders,
    "astronaut.png": image,
    "examples/rules.yaml": rules,
    "runs/shapes": classifier,
    "runs/generated": generator,
    "runs/predicted": predictor,
}
"""Name in the documents -> function that writes that file."""


def sample_path(name: str) -> Path:
    """Return the path of a sample; skip the test where it cannot be downloaded."""
    from kinoscope.models.samples import sample

    try:
        return sample(name)
    except ModelError as error:
        pytest.skip(f"the sample {name} cannot be downloaded: {error}")


def cut(path: Path, name: str, start: float, seconds: float, audio_from: Path | None = None) -> None:
    """Write a part of a sample video, with its clock beginning at zero."""
    with open_source(sample_path(name), start=start, end=start + seconds) as source:
        size = source.info.width, source.info.height
        frames = list(source.frames())
    with Writer(path, size, preset="ultrafast", audio_from=audio_from) as writer:
        for frame in frames:
            writer.write(Frame(frame.pixels, frame.time - frames[0].time))
