"""No verb replaces or removes a file that kinoscope did not write: a contract over all verbs that write."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kinoscope.core.media import Frame
from kinoscope.core.results import Event, TaskReport, TaskResult, Track
from kinoscope.models.trainable import predictors
from kinoscope.models.trainable.generators import GeneratorMetadata, new_generator, save_generator
from kinoscope.models.trainable.predictors import PredictorMetadata, new_predictor, save_predictor
from kinoscope.pipeline import analysis
from kinoscope.source.encode.writer import Writer
from kinoscope.source.synthetic.video import shapes
from kinoscope.views.formats.json import load
from kinoscope.views.timeline import Timeline
from tests.conftest import Breaking, Counting

pytestmark = pytest.mark.slow

MINE = b"this is mine"


class Following(Counting):
    """Finds one person, with a portrait and an embedding."""

    name = "objects"

    def __init__(self, **settings: Any) -> None:
        super().__init__()

    def finish(self, timeline: Timeline) -> TaskResult:
        boxes = np.array([[time, 1, 2, 20, 30, 0.9] for time in self.seen])
        return TaskResult(
            tracks=[Track(1, self.name, "person", 0.9, boxes)],
            features={f"{self.name}.embeddings": np.ones((1, 4), np.float32)},
            images={f"{self.name}-1": b"a jpeg"},
            report=TaskReport(model="following"),
        )


class Faces(Following):
    name = "faces"
    biometric = True


class Lips(Following):
    name = "sync"


class Repeating(torch.nn.Module):
    """A predictor that repeats the last frame."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()
        self.anything = torch.nn.Parameter(torch.zeros(1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.stack([frames[:, -1]] * 2, 1) / 255


@dataclass
class World:
    """What the verbs are called with."""

    video: Path
    folder: Path
    call: Callable[..., Any]

    def words(self, verb: str, video: Path, out: Path) -> list[str | Path]:
        """Return the words of a command that writes all that it can."""
        models = self.folder / "models"
        table: dict[str, list[str | Path]] = {
            "analyze": ["analyze", video, "-o", out, "--annotate", "--export", "csv,coco,mot,vtt,srt,jsonl"],
            "detect": ["detect", video, "-o", out, "--annotate"],
            "sync": ["sync", video, "-o", out],
            "generate": ["generate", models / "generator", "-n", "2", "-o", out],
            "generate a clip": ["generate", models / "generator", "-n", "2", "-o", out / "a.mp4"],
            "generate an animation": ["generate", models / "generator", "-n", "2", "-o", out / "a.gif"],
            "generate a sheet": ["generate", models / "generator", "-n", "2", "-o", out / "a.png"],
            "generate numbered": ["generate", models / "generator", "-n", "2", "-o", out / "a-%03d.png"],
            "predict": ["predict", models / "predictor", video, "-o", out / "a.mp4"],
            "convert": ["convert", self.folder / "analyzed", "csv,coco,mot,vtt,json", "-o", out],
            "export a model": ["export", models / "predictor", "--format", "openvino", "-o", out / "a.xml"],
            "export": ["gallery", "export", self.folder / "people.gallery", "-o", out],
        }
        return table[verb]


VERBS = (
    "analyze", "detect", "sync", "generate", "generate a clip", "generate an animation", "generate a sheet",
    "generate numbered", "predict", "convert", "export a model", "export",
)  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, light: Any, kinoscope: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    light.update({"objects": Following, "faces": Faces, "sync": Lips})
    monkeypatch.setitem(predictors.NETWORKS, "repeating", Repeating)
    video = shapes(duration=1, rate=10, width=64, height=48).write(tmp_path / "in" / "a.mp4")
    models = tmp_path / "models"
    torch.manual_seed(0)
    facts = GeneratorMetadata(width=8, size=16, frames=6, rate=12.5, classes=("disc", "square"))
    (models / "generator").mkdir(parents=True)
    save_generator(models / "generator", new_generator(facts), facts)
    known = PredictorMetadata(network="repeating", context=3, horizon=2, rate=10.0, size=16)
    save_predictor(models / "predictor", new_predictor(known), known)
    assert kinoscope("analyze", video, "-o", tmp_path / "analyzed", "--no-report").status == 0
    enroll(tmp_path / "people.gallery")
    return World(video, tmp_path, kinoscope)


def enroll(path: Path) -> None:
    from kinoscope.galleries import EmbeddingModel, GallerySample, edit_gallery

    look = GallerySample("Ada", "face", np.full(4, 0.5, np.float32), 0.9, b"a jpeg", "a.png")
    with edit_gallery(path, create=True) as known:
        known.add([look], EmbeddingModel("a", "b"))


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def put(target: Path, victim: Path, how: str) -> None:
    """Put a file where results go: itself, or a link to one outside."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if how == "file":
        target.write_bytes(victim.read_bytes())
    elif how == "symlink":
        target.symlink_to(os.path.relpath(victim, target.parent))
    else:
        os.link(victim, target)


@pytest.mark.parametrize("how", ["file", "symlink", "hard link"])
@pytest.mark.parametrize("verb", VERBS)
def test_files_of_the_user_are_never_replaced(world: World, tmp_path: Path, verb: str, how: str) -> None:
    assert world.call(*world.words(verb, world.video, tmp_path / "clean")).status == 0
    names = files(tmp_path / "clean")
    assert names
    victim = tmp_path / "victim"
    victim.write_bytes(MINE)
    for number, name in enumerate(names):
        for flags in ([], ["--overwrite"]):
            out = tmp_path / f"out{number}{len(flags)}"
            put(out / name, victim, how)
            call = world.call(*world.words(verb, world.video, out), *flags)
            assert (out / name).read_bytes() == MINE, (name, call.err)
            assert (out / name).is_symlink() is (how == "symlink")
            assert victim.read_bytes() == MINE
            assert call.status == 2 or name.name == "video.mp4", (name, call.out, call.err)
            assert call.err.count("\n") <= 1
            assert "in the way" in call.err or name.name == "video.mp4"
            assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("how", ["file", "symlink", "hard link"])
@pytest.mark.parametrize("verb", ["analyze", "detect", "sync", "predict"])
def test_the_input_is_never_replaced(world: World, tmp_path: Path, verb: str, how: str) -> None:
    assert world.call(*world.words(verb, world.video, tmp_path / "clean")).status == 0
    data = world.video.read_bytes()
    for number, name in enumerate(one for one in files(tmp_path / "clean") if one.suffix == ".mp4"):
        for flags in ([], ["--overwrite"]):
            out = tmp_path / f"out{number}{len(flags)}"
            put(out / name, world.video, how)
            for source in (out / name, world.video):
                call = world.call(*world.words(verb, source, out), *flags)
                assert (out / name).read_bytes() == world.video.read_bytes() == data, (name, call.err)
                assert (out / name).is_symlink() is (how == "symlink")
                assert call.status == 2 or name.name == "video.mp4"


def test_own_results_that_were_changed_are_the_users(world: World, tmp_path: Path) -> None:
    words = world.words("analyze", world.video, tmp_path / "out")
    assert world.call(*words).status == 0
    assert world.call(*words).status == 0
    with (tmp_path / "out" / "report.html").open("a") as page:
        page.write("my remarks")
    call = world.call(*words, "--overwrite")
    assert call.status == 2
    assert "report.html is in the way: kinoscope did not write it, or it was changed since; move it away" in call.err
    assert "my remarks" in (tmp_path / "out" / "report.html").read_text()


def test_a_result_that_is_read_is_not_replaced(world: World, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert world.call(*world.words("analyze", world.video, out)).status == 0
    drawn = (out / "annotated.mp4").read_bytes()
    for source in (out / "annotated.mp4", out / ".." / "out" / "annotated.mp4"):
        call = world.call("analyze", source, "-o", out, "--annotate", "--overwrite")
        assert (call.status, "annotated.mp4 is an input, which is never replaced" in call.err) == (2, True)
    assert (out / "annotated.mp4").read_bytes() == drawn
    assert world.call("analyze", out / "video.mp4", "-o", out).status == 0
    assert (out / "video.mp4").read_bytes() == world.video.read_bytes()


def test_a_folder_of_other_files_may_be_written_to(world: World, tmp_path: Path) -> None:
    (tmp_path / "out" / "images").mkdir(parents=True)
    others = [tmp_path / "out" / name for name in ("notes.txt", "images/shots-holiday.jpg", "images/objects-9.jpg")]
    for path in others:
        path.write_bytes(MINE)
    for _ in range(2):
        assert world.call(*world.words("analyze", world.video, tmp_path / "out")).status == 0
    assert [path.read_bytes() for path in others] == [MINE] * 3


def test_other_tasks_keep_what_was_found(world: World, tmp_path: Path, light: Any) -> None:
    words = ("analyze", world.video, "-o", tmp_path / "out", "--no-report")
    assert world.call(*words, "--tasks", "objects,shots").status == 0
    call = world.call(*words, "--tasks", "faces")
    assert (call.status, call.err) == (0, f"kinoscope: earlier results kept in {tmp_path / 'out'}: shots, objects\n")
    plain = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert set(plain["tasks"]) == {"objects", "shots", "faces"}
    assert {track["task"] for track in plain["tracks"]} == {"objects", "faces"}
    assert {path.name for path in files(tmp_path / "out" / "images")} == {"objects-1.jpg", "faces-1.jpg"}

    class Broken(Breaking):
        name = "faces"

    light["faces"] = Broken
    call = world.call(*words, "--tasks", "faces")
    assert call.status == 1
    assert "faces failed (RuntimeError: this task is broken); its earlier result is kept" in call.err
    assert {track.task for track in load(tmp_path / "out").all_tracks} == {"objects", "faces"}


def test_sources_of_one_name_do_not_share_a_folder(world: World, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    other = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "other" / "a.mp4")
    for source, folder in ((world.video, "a"), (other, "a-2"), (world.video, "a"), (other, "a-2")):
        call = world.call("analyze", source, "--no-report")
        assert f"runs/analyze/{folder}/timeline.json" in call.out
    lengths = [json.loads(Path("runs/analyze", name, "timeline.json").read_text()) for name in ("a", "a-2")]
    assert [plain["decode"]["frames"] for plain in lengths] == [10, 20]
    call = world.call("analyze", other, "-o", "runs/analyze/a", "--no-report")
    assert call.status == 2
    assert "timeline.json is a result of another `analyze a.mp4`, of another file or with other options" in call.err
    assert world.call("analyze", other, "-o", "runs/analyze/a", "--no-report", "--overwrite").status == 0
    assert json.loads(Path("runs/analyze/a/timeline.json").read_text())["decode"]["frames"] == 20


def test_the_option_that_differs_is_named(world: World, tmp_path: Path) -> None:
    words = ("analyze", world.video, "-o", tmp_path / "out", "--no-report")
    assert world.call(*words).status == 0
    call = world.call(*words, "--end", "0.5", "--on-error", "blank")
    assert (call.status, call.err.count("\n")) == (2, 1)
    assert (
        "timeline.json is a result of another `analyze a.mp4`, with other options (on-error skip, now blank; "
        "end not given, now 0.5); give --overwrite to replace it"
    ) in call.err
    assert "(bounds not given, now pixels=300e6)" in world.call(*words, "--bounds", "pixels=300e6").err
    assert world.call(*words, "--end", "0.5", "--overwrite").status == 0
    assert "`analyze a.mp4`, with other options (end 0.5, now not given); give" in world.call(*words).err


def test_overwriting_leaves_nothing_of_another_source(world: World, tmp_path: Path) -> None:
    other = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "other" / "b.mp4")
    out = tmp_path / "out"
    assert world.call(*world.words("analyze", world.video, out)).status == 0
    (out / "csv" / "mine.csv").write_bytes(MINE)
    assert world.call("analyze", other, "-o", out, "--tasks", "shots", "--overwrite").status == 0
    assert {str(path) for path in files(out)} == {
        "csv/mine.csv", "features.safetensors", "report.html", "timeline.json", "video.mp4",
    }  # fmt: skip
    assert (out / "video.mp4").samefile(other)
    assert world.video.exists()


def test_folders_that_cannot_be_listed_are_tried_once(tmp_path: Path, monkeypatch: Any) -> None:
    tried: list[Path] = []

    def refuse(path: Path) -> Any:
        tried.append(path)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "lstat", refuse)
    assert analysis.can_hold_results("a.mp4", tmp_path / "a", analysis.AnalysisOptions(tasks=["shots"]))
    assert len(tried) == 1


def test_overwriting_leaves_what_other_commands_made(world: World, tmp_path: Path) -> None:
    """A folder may hold more than one result: only what belongs to the replaced one goes with it."""
    other = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "other" / "b.mp4")
    out = tmp_path / "out"
    assert world.call("generate", "shapes", "-n", "1", "-o", out / "made.mp4").status == 0
    made = (out / "made.mp4").read_bytes()
    for verb in ("analyze", "detect"):
        assert world.call(verb, world.video, "-o", out, "--overwrite").status == 0
        assert world.call(verb, other, "-o", out, "--overwrite").status == 0
        assert (out / "made.mp4").read_bytes() == made


def test_a_shorter_sequence_leaves_no_images_of_a_longer_one(world: World, tmp_path: Path) -> None:
    model, out = tmp_path / "models" / "generator", tmp_path / "out"
    for name, frames in (("f-%03d.png", 3), ("g-%03d.png", 3), ("f.png", 3)):
        assert world.call("generate", model, "-n", "1", "--frames", frames, "-o", out / name).status == 0
    (out / "f-mine.png").write_bytes(MINE)
    assert world.call("generate", model, "-n", "1", "--frames", "2", "-o", out / "f-%03d.png").status == 0
    assert [str(path) for path in files(out)] == [
        "f-000.png", "f-001.png", "f-mine.png", "f.png", "g-000.png", "g-001.png", "g-002.png",
    ]  # fmt: skip
    for name in ("f-1.mp4", "f-%d.mp4"):  # of a video, the name is what it is
        assert world.call("generate", model, "-n", "1", "--frames", "2", "-o", out / name).status == 0
    assert (out / "f-1.mp4").exists()
    (out / "f-007.png").write_bytes(MINE)
    assert world.call("generate", model, "-n", "1", "--frames", "1", "-o", out / "f-%03d.png").status == 2
    assert (out / "f-001.png").exists()


def test_fewer_clips_leave_none_of_more(world: World, tmp_path: Path) -> None:
    model, out = tmp_path / "models" / "generator", tmp_path / "out"
    made = ["all.gif", "all.mp4", "generated.json", "report.html", "sheet.png"]
    assert world.call("generate", model, "-n", "3", "-o", out).status == 0
    assert world.call("generate", model, "-n", "1", "-o", out / "holiday.mp4").status == 0
    (out / "00007-mine.mp4").write_bytes(MINE)
    assert world.call("generate", model, "-n", "1", "--classes", "square", "-o", out).status == 0
    assert [str(path) for path in files(out)] == sorted(["00000-square.mp4", "00007-mine.mp4", "holiday.mp4", *made])


def test_the_last_name_of_a_video_is_kept(world: World, tmp_path: Path) -> None:
    """The link beside a report may be all that is left of a recording."""
    out, data = tmp_path / "out", world.video.read_bytes()
    assert world.call("analyze", world.video, "-o", out).status == 0
    world.video.unlink()
    other = shapes(duration=2, rate=10, width=64, height=48).write(tmp_path / "other" / "b.mp4")
    assert world.call("analyze", other, "-o", out, "--overwrite").status == 0
    assert (out / "video.mp4").read_bytes() == data
    assert "../other/b.mp4" in (out / "report.html").read_text()


def test_resuming_goes_by_the_source_that_is_named(world: World, tmp_path: Path) -> None:
    out, secret = tmp_path / "out", tmp_path / "secret.mp4"
    secret.write_bytes(MINE)
    assert world.call("analyze", world.video, "-o", out).status == 0
    plain = json.loads((out / "timeline.json").read_text())
    (out / "timeline.json").write_text(json.dumps(plain | {"source": plain["source"] | {"path": str(secret)}}))
    (out / "video.mp4").unlink()
    call = world.call("analyze", world.video, "-o", out, "--resume")
    assert (call.status, "timeline.json is in the way" in call.err) == (2, True)
    assert not (out / "video.mp4").exists()


def test_a_link_of_a_link_is_the_video_itself(world: World, tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(Path("in") / "a.mp4")
    assert world.call("analyze", tmp_path / "link.mp4", "-o", tmp_path / "deep" / "out").status == 0
    linked = tmp_path / "deep" / "out" / "video.mp4"
    assert linked.samefile(world.video)
    assert not linked.is_symlink()


def test_files_that_identify_people_are_for_the_owner_alone(world: World, tmp_path: Path) -> None:
    os.umask(0o022)
    assert world.call(*world.words("analyze", world.video, tmp_path / "out")).status == 0
    assert world.call(*world.words("export", world.video, tmp_path / "people")).status == 0
    assert world.call("analyze", world.video, "-o", tmp_path / "plain", "--tasks", "shots").status == 0
    for folder in ("out", "people", "out/images", "people/Ada"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    written = [tmp_path / "out" / name for name in files(tmp_path / "out") if name.name != "video.mp4"]
    written += [tmp_path / "people" / name for name in files(tmp_path / "people")] + [tmp_path / "people.gallery"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    assert stat.S_IMODE((tmp_path / "plain" / "timeline.json").stat().st_mode) == 0o644


def test_one_that_is_in_the_way_does_not_stop_the_batch(world: World, tmp_path: Path) -> None:
    other = shapes(duration=1, rate=5, width=64, height=48).write(tmp_path / "in" / "b.mp4")
    words: Sequence[str | Path] = ("analyze", world.video, other, "-o", tmp_path / "out", "--no-report")
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "timeline.json").write_bytes(MINE)
    assert world.call(*words).status == 0
    assert (tmp_path / "out" / "a" / "timeline.json").read_bytes() == MINE
    assert {path.parts[0] for path in files(tmp_path / "out")} == {"a", "a-2", "b"}


def test_alerts_go_to_no_file_of_the_users(tmp_path: Path) -> None:
    from kinoscope.core.errors import OutputError
    from kinoscope.core.files import append
    from kinoscope.pipeline.alerts.webhook import check_undelivered_file

    letters = tmp_path / "undelivered.jsonl"
    check_undelivered_file(letters)
    append(letters, '{"a": 1}')
    append(letters, '{"b": 2}')
    check_undelivered_file(letters)
    assert letters.read_text() == '{"a": 1}\n{"b": 2}\n'
    letters.unlink()
    (tmp_path / "victim").write_bytes(MINE)
    letters.symlink_to("victim")
    with pytest.raises(OutputError, match="in the way"):
        check_undelivered_file(letters)
    with pytest.raises(OutputError, match="in the way"):
        append(letters, "x")
    assert (tmp_path / "victim").read_bytes() == MINE


def test_clips_of_alerts_replace_nothing(tmp_path: Path) -> None:
    from kinoscope.core.errors import OutputError
    from kinoscope.pipeline.alerts.clips import cut_clips

    path = tmp_path / "in.mp4"
    with Writer(path, (32, 16), 10) as writer:
        for number in range(10):
            writer.write(Frame(np.full((16, 32, 3), number, np.uint8), Fraction(number, 10), number))
    event = Event("rules", 0.5, 0.6, "somebody")
    (name,) = [one.name for one in cut_clips(str(path), [event], tmp_path / "clips")]
    (tmp_path / "clips" / name).write_bytes(MINE)
    with pytest.raises(OutputError, match="in the way"):
        cut_clips(str(path), [event], tmp_path / "clips")
    assert (tmp_path / "clips" / name).read_bytes() == MINE
