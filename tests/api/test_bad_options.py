"""The contract of all verbs: a value that cannot be used is one line and exit status 2, before anything is read."""

from __future__ import annotations

import json
import shlex
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kinoscope.core.errors import KinoscopeError, SourceError
from kinoscope.core.files import atomic_write
from kinoscope.galleries import EmbeddingModel, GallerySample, edit_gallery
from kinoscope.models.trainable.classifiers import NETWORKS
from kinoscope.models.trainable.predictors import PredictorMetadata, new_predictor, save_predictor
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import shapes
from tests.conftest import Call
from tests.helpers.tiny_models import NETWORK, train_tiny

RULES = """\
lines:
  gate: [[0.5, 0], [0.5, 1]]
rules:
  - name: through the gate
    kind: line
    line: gate
    labels: [person]
"""

DEVICE = ("--device gpu", "choose one of auto, cpu, cuda")
SPAN = (
    ("--start soon", "soon"), ("--start -1", "start -1"), ("--start nan", "nan"), ("--start inf", "inf"),
    ("--end 0", "end 0"), ("--end nan", "nan"), ("--end inf", "inf"), ("--start 3 --end 2", "end 2"),
    ("--end -3", "end -3"),
)  # fmt: skip
RATE = tuple((f"--rate {value}", f"rate {value}") for value in ("0", "-1", "nan", "inf"))
TASK_RATE = tuple((flag, shown.replace(" ", "=")) for flag, shown in RATE)

VERBS: dict[str, tuple[tuple[str, str], ...]] = {
    "analyze VIDEO -o OUT": (
        DEVICE, *SPAN, *RATE,
        ("--tasks dance", "choose from shots"), ("--on-error ignore", "skip"), ("--tracker kalman", "buffered"),
        ("--export xlsx", "csv"), ("--blur hats", "faces"), ("--blur faces --hide-with fog", "pixels"),
        ("--blur faces --keep Ada", "--gallery"), ("--gallery none.gallery", "none.gallery"),
        ("--rules none.yaml", "none.yaml"), ("--rules RULES --webhook ftp://x", "http"),
        ("--rules RULES --webhook-secret RULES", "--webhook URL"),
        ("--rules RULES --webhook http://x --webhook-secret none.txt", "none.txt"),
        ("--model yolov8", "yolov8"), ("--model objects=yolov8", "nanodet"), ("--model objects=transnetv2", "nanodet"),
        ("--model nanodet=objects", "TASK=CARD"), ("--model objects=", "TASK=CARD"),
        ("--tasks shots --model objects=nanodet", "objects"), ("--tasks shots --model nanodet", "objects"),
        ("--tasks shots --tracker sort", "objects"), ("--tasks ,", "tasks"), ("--export ,", "export"),
        ("--bounds days=1", "bounds: limit 'days=1'"), ("--option shots", "TASK.NAME=VALUE"),
        ("--option objects.rate=0", "option of task objects: rate=0"),
    ),
    "classify VIDEO --model MODEL -o OUT": (DEVICE, *SPAN, ("--top 0", "top 0"), ("--top -1", "top -1")),
    "classify VIDEO -o OUT": (("--model nanodet", "fight"), ("--model none", "none")),
    "detect VIDEO -o OUT": (
        DEVICE, *SPAN, *TASK_RATE,
        ("--labels unicorn", "known: "), ("--model yolov8", "nanodet"), ("--model transnetv2", "nanodet"),
        ("--tracker kalman", "buffered"), ("--appearance hats", "colours"),
        ("--every 0", "every 0"), ("--every nan", "every nan"), ("--every -1", "every -1"),
    ),
    "recognize VIDEO --gallery GALLERY -o OUT": (
        DEVICE, *SPAN, ("--threshold 0", "threshold 0"), ("--threshold nan", "threshold nan"),
        ("--threshold inf", "threshold inf"), ("--threshold -1", "threshold -1"),
    ),
    "sync VIDEO -o OUT": (
        DEVICE, *SPAN, ("--force", "--fix FILE"),
        ("--audio-track -1", "audio-track -1"), ("--video-track -1", "video-track -1"),
        ("--model nanodet", "nanodet"), ("--model none", "none"),
    ),
    "enroll GALLERY Eve VIDEO": (DEVICE, ("--kind pet", "person")),
    "gallery check GALLERY VIDEOS -o OUT": (
        DEVICE, ("--far 0", "far 0"), ("--far 1", "far 1"), ("--far nan", "far nan"), ("--kind pet", "face"),
    ),
    "explain MODEL VIDEO -o OUT": (
        DEVICE, *SPAN[:4], ("--method magic", "grad-cam"), ("--target plaid", "red"), ("--method ,", "method"),
    ),
    "evaluate MODEL CLIPS -o OUT": (
        DEVICE, ("--split most", "train"), ("--views 0", "views 0"), ("--batch 0", "batch 0"), ("--seed -1", "seed -1"),
        ("--compare none", "none"), ("--compare nanodet", "nanodet"), ("--group '('", "group"), ("--n 0", "n 0"),
        ("--classifier MODEL", "for a generator"), ("--features MODEL", "for a generator"),
    ),
    "evaluate shapes CLIPS -o OUT": (
        DEVICE, ("--split val", "for a model that classifies"),
        ("--n 0", "n 0"), ("--n 1", "n 1"), ("--seed -1", "seed -1"), ("--features none", "none"),
        ("--classifier none", "none"), ("--compare none", "none"), ("--group '('", "group"),
    ),
    "generate shapes -o OUT": (
        DEVICE, ("--n 0", "n 0"), ("--frames 0", "frames 0"), ("--rate nan", "rate nan"), ("--rate inf", "rate inf"),
        ("--truncation nan", "truncation nan"), ("--truncation -1", "truncation -1"), ("--show all", "crossed"),
        ("--enlarge 0", "enlarge 0"), ("--seed -1", "seed -1"), ("--classes plaid", "class"),
        ("--project none.mp4", "none.mp4"),
    ),
    "generate shapes": (("-o OUT/x.doc", ".mp4"), ("-o OUT/x.tiff", ".mp4")),
    "predict PREDICTOR VIDEO": (
        ("-o OUT/x.doc", ".mp4"), ("-o OUT/x.mp4 --device gpu", "auto, cpu, cuda"),
        ("-o OUT/x.mp4 --frames 0", "frames 0"), ("-o OUT/x.mp4 --frames -5", "frames -5"),
    ),
    "lipsync VIDEO VIDEO -o OUT/x.mp4 --model MODEL": (DEVICE,),
    "watch VIDEO --rules RULES --clips-to OUT": (
        DEVICE, ("--before -1", "before"), ("--before nan", "before"), ("--after 99", "after"), ("--for 0", "for 0"),
        ("--for nan", "nan"), ("--for -1", "for -1"), ("--model yolov8", "nanodet"),
        ("--model shots=transnetv2", "objects"), ("--model transnetv2", "objects"), ("--webhook ftp://x", "http"),
    ),
    "search person --library LIBRARY -o OUT": (
        DEVICE, ("--limit 0", "limit 0"), ("--export gif", "edl"), ("--like none.jpg", "none.jpg"),
    ),
    "convert TIMELINE -o OUT": (("--to xlsx", "csv"), ("--to ,", "to ',' has no name")),
    "models show": (("yolov8", "nanodet"),),
    "bench VIDEO": (DEVICE, ("--tasks dance", "shots")),
    "train classify CLIPS -o OUT": tuple(
        (f"{name}={value}", name.rpartition(".")[2])
        for name, value in (
            ("epochs", 0), ("lr", "nan"), ("lr", "inf"), ("lr", -1), ("val", 1), ("val", "nan"), ("batch", 0),
            ("device", "gpu"), ("net", "resnet"), ("loss", "best"), ("size", "0x0"), ("fold", "3/2"), ("group", "("),
            ("augment", "much"), ("augment.flip", "nan"), ("augment.flip", -1), ("augment.spin", 1), ("net.depth", 3),
            ("rate", "nan"), ("seed", -1), ("speed", 3), ("start", "none.safetensors"), ("ema", "nan"),
        )
    ),
    "train generate CLIPS -o OUT": tuple(
        (f"{name}={value}", name)
        for name, value in (
            ("epochs", 0), ("lr", "nan"), ("lr", "inf"), ("lr", -1), ("batch", 0), ("device", "gpu"), ("net", "gan"),
            ("size", 65), ("rate", 0), ("rate", "nan"), ("spacing", 0), ("ema", 1), ("ema", "nan"), ("seed", -1),
            ("gan_loss", "chess"), ("augment", "much"), ("bf16", "maybe"), ("r1_weight", "nan"), ("momentum", "nan"),
            ("target", 0.2),
        )
    ),
    "train predict CLIPS -o OUT": tuple(
        (f"{name}={value}", name)
        for name, value in (
            ("epochs", 0), ("lr", "nan"), ("lr", -1), ("val", 1), ("val", "nan"), ("device", "gpu"), ("net", "gan"),
            ("size", 65), ("rate", 0), ("rate", "inf"), ("flip", "nan"), ("flip", 2), ("group", "("),
        )
    ),
    "train lipsync CLIPS -o OUT": tuple(
        (f"{name}={value}", name)
        for name, value in (
            ("epochs", 0), ("lr", "nan"), ("val", 1), ("val", "nan"), ("device", "gpu"), ("width", 12), ("l1", "inf"),
            ("ema", "nan"),
        )
    ),
    "train sync CLIPS -o OUT": tuple(
        (f"{name}={value}", name.rstrip("s"))
        for name, value in (
            ("steps", 0), ("batch", 1), ("val", 1), ("val", "nan"), ("device", "gpu"),
            ("align", "no"), ("pairs", "ears"), ("table", "none.csv"), ("seed", -1), ("steps", "many"),
        )
    ),
    "train segments SEGMENTS model=MODEL": (("seed=-1", "seed"), ("model=none", "model"), ("device=gpu", "device")),
    "train classify CLIPS": (("--resume-from none", "none"),),
    "train": (("dance CLIPS", "classify"),),
}  # fmt: skip

CASES = [pytest.param(verb, *case, id=f"{verb} {case[0]}") for verb, cases in VERBS.items() for case in cases]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Whatever the verbs need, all of it good."""
    root = tmp_path_factory.mktemp("world")
    video = shapes(duration=1, rate=10, width=64, height=48).write(root / "videos" / "shapes.mp4")
    for label in ("red", "green", "blue"):
        shapes(duration=1, rate=10, width=64, height=48).write(root / "clips" / label / "a.mp4")
    (root / "rules.yaml").write_text(RULES)
    labelled = {"annotations": [{"label": "red", "segment": [0, 1]}]}
    (root / "segments.json").write_text(json.dumps({"database": {"shapes": labelled}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (NETWORK,))
        train_tiny(root / "model")
    _predictor(root / "predictor")
    _gallery(root / "people.gallery")
    _library(root / "films.lance")
    (root / "timeline").mkdir()
    (root / "timeline" / "timeline.json").write_text('{"schema": 1, "source": {}, "events": [], "tracks": []}')
    return {
        "VIDEO": video, "VIDEOS": video.parent, "CLIPS": root / "clips", "RULES": root / "rules.yaml",
        "MODEL": root / "model", "PREDICTOR": root / "predictor", "GALLERY": root / "people.gallery",
        "LIBRARY": root / "films.lance", "TIMELINE": root / "timeline", "SEGMENTS": root / "segments.json",
    }  # fmt: skip


def _predictor(folder: Path) -> None:
    facts = PredictorMetadata(network="simvp", context=2, horizon=2, rate=10, size=16, width=8)
    save_predictor(folder, new_predictor(facts), facts)


def _gallery(path: Path) -> None:
    with edit_gallery(path, create=True) as known:
        for number, name in enumerate(("Ada", "Bob")):
            look = GallerySample(name, "face", np.eye(128, dtype=np.float32)[number], 0.9, b"\xff\xd8", "a.jpg")
            known.add([look], EmbeddingModel("dlib-resnet", "0" * 16))


def _library(place: Path) -> None:
    try:
        from kinoscope.library import Library
        from tests.helpers.libraries import timeline

        Library(place, create=True).add("0" * 64, "street.mp4", timeline())
    except KinoscopeError:  # the extra is not installed; who asks for the library is skipped
        return


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "bad", "said"), CASES)
def test_a_bad_value_is_one_line_and_nothing_is_read_or_written(
    kinoscope: Callable[..., Call],
    world: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    verb: str,
    bad: str,
    said: str,
) -> None:
    if "LIBRARY" in verb:
        pytest.importorskip("lancedb", reason="needs the extra library")
    out = tmp_path / "out"
    out.mkdir()
    (out / "timeline.json").write_text("an earlier result")
    opened: list[str] = []
    monkeypatch.setattr("kinoscope.source._open", lambda path, *_: _refuse(path, opened))
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (*NETWORKS, NETWORK))
    monkeypatch.setattr("kinoscope.models.runtime.runner.has_cuda", lambda: False)
    monkeypatch.chdir(tmp_path)
    before = _tree(tmp_path)
    call = kinoscope(*(_fill(word, world | {"OUT": out}) for word in shlex.split(f"{verb} {bad}")))
    assert (call.status, call.out) == (2, "")
    assert call.err.startswith("kinoscope: ")
    assert call.err.count("\n") == 1
    assert said in call.err
    assert not opened
    assert _tree(tmp_path) == before


def _refuse(path: str, opened: list[str]) -> None:
    """Stand for the opening of a source, which only what is there can reach."""
    if not Path(path).exists():
        raise SourceError(f"{path} does not exist")
    opened.append(path)
    raise AssertionError(f"{path} was opened")


def _fill(word: str, world: dict[str, Path]) -> str:
    """Put a file for a word in capitals, alone or at the beginning of a path or after an equals sign."""
    head, equals, tail = word.rpartition("=")
    first, slash, rest = tail.partition("/")
    return f"{head}{equals}{world.get(first, first)}{slash}{rest}"


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(
    "words",
    [
        "analyze VIDEO GOOD -o OUT --tasks shots --no-report",
        "classify VIDEO GOOD --model MODEL -o OUT",
        "explain MODEL VIDEO -o OUT",
    ],
)
@pytest.mark.parametrize("start", ["1", "99"])
def test_a_start_past_the_end_leaves_earlier_results_alone(
    kinoscope: Callable[..., Call],
    world: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    light: dict[str, type],
    tmp_path: Path,
    words: str,
    start: str,
) -> None:
    monkeypatch.setattr("kinoscope.models.trainable.classifiers.NETWORKS", (*NETWORKS, NETWORK))
    out = tmp_path / "out"
    folder = out / "shapes" if "GOOD" in words else out
    folder.mkdir(parents=True)
    with atomic_write(folder / "features.safetensors") as temporary:
        temporary.write_text("an earlier result")
    good = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "good.mp4")
    call = kinoscope(*(_fill(word, world | {"OUT": out, "GOOD": good}) for word in f"{words} --start {start}".split()))
    assert call.status == 2
    assert f"start {start} s" in call.err
    assert "lasts from 0 to 1 s" in call.err
    assert [path.name for path in folder.glob("[!.]*")] == ["features.safetensors"]
    assert (folder / "features.safetensors").read_text() == "an earlier result"
    assert (out / "good" / "timeline.json").exists() == ("GOOD" in words and start == "1")


@pytest.mark.parametrize("start", [1, 1.5, "00:00:59"])
def test_nothing_is_opened_past_its_end(world: dict[str, Path], tmp_path: Path, start: float | str) -> None:
    sound = tmp_path / "a.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    for path in (world["VIDEO"], sound, "synthetic:shapes?duration=1"):
        with pytest.raises(SourceError, match=r"is past the end of .*: it lasts from 0 to 1 s"):
            open_source(path, start=start)
        open_source(path, start=0.9).close()


def test_an_end_before_the_beginning_leaves_nothing(tmp_path: Path) -> None:
    late = tmp_path / "late.mkv"
    with av.open(str(late), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(50, 60):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_source(late, end=5.5) as source:
        assert [float(frame.time) for frame in source.frames()] == [5, 5.1, 5.2, 5.3, 5.4]
    with pytest.raises(SourceError, match=r"end 4 s is before the beginning of .*: it lasts from 5 to 6 s"):
        open_source(late, end=4)
