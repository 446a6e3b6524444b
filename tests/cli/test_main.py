"""The command line end to end, with light tasks in place of the networks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kinoscope import __version__
from kinoscope.cli.main import _split_flags
from kinoscope.source.synthetic.video import flash_and_beep, shapes
from tests.conftest import Breaking, Call, Counting

Cli = Callable[..., Call]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return shapes(duration=1, rate=10, width=64, height=48).write(tmp_path / "in" / "shapes.mp4")


def timeline_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "timeline.json").read_text())


@pytest.mark.slow
def test_help_names_every_verb_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kinoscope.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([m for m in ('torch', 'cv2', 'av', 'openvino', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for verb in ("analyze", "convert", "models", "bench"):
        assert verb in done.stdout


def test_importing_the_package_loads_not_even_numpy() -> None:
    code = "import sys, kinoscope; print([m for m in ('torch', 'cv2', 'av', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_verb_is_a_function_of_the_package() -> None:
    import kinoscope as package
    from kinoscope.cli.commands import COMMANDS, find_command

    # kinoscope.models is the package, with pull() and status(); so is kinoscope.library, with Library.
    for name in set(COMMANDS) - {"models", "library"}:
        assert getattr(package, name) is find_command(name)
    with pytest.raises(AttributeError, match="no attribute 'dance'"):
        package.dance  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_changelog(kinoscope: Cli) -> None:
    changelog = (Path(__file__).parents[2] / "CHANGELOG.md").read_text()
    newest = re.search(r"^## (\S+)", changelog, flags=re.M)
    assert newest is not None
    assert kinoscope("--version").out.strip() == __version__ == newest[1]


def test_analyze_leaves_a_timeline_and_a_report(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    call = kinoscope("analyze", video, "-o", tmp_path / "out")
    assert (call.status, call.err) == (0, "")
    found = timeline_of(tmp_path / "out")
    assert found["source"]["path"] == str(video)
    assert (found["decode"]["frames"], found["decode"]["failures"]) == (10, 0)
    assert [(e["start"], e["end"]) for e in found["events"]] == [(0.0, 0.9)]
    assert (tmp_path / "out" / "report.html").read_text().startswith("<!doctype html>")
    assert "report.html" in call.out
    assert "shots" in call.out


def test_start_end_and_rate_limit_what_is_read(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    words = ("--start", "0.2", "--end", "00:00:00.7", "--rate", "5", "--no-report")
    assert kinoscope("analyze", video, "-o", tmp_path / "out", *words).status == 0
    found = timeline_of(tmp_path / "out")
    assert [(e["start"], e["end"]) for e in found["events"]] == [(0.2, 0.6)]
    assert found["decode"]["frames"] == 3
    assert not (tmp_path / "out" / "report.html").exists()


def test_one_bad_source_never_stops_the_rest(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    (tmp_path / "in" / "broken.mp4").write_text("this is no video")
    call = kinoscope("analyze", tmp_path / "in", tmp_path / "gone.mp4", "-o", tmp_path / "out")
    assert call.status == 2
    assert len(timeline_of(tmp_path / "out" / "shapes")["events"]) == 1
    lines = call.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("kinoscope: ") for line in lines)
    assert "broken.mp4" in lines[0]
    assert "gone.mp4" in lines[1]
    assert os.listdir(tmp_path / "out") == ["shapes"]


def test_a_failed_task_is_reported_and_the_others_finish(
    kinoscope: Cli, light: Any, video: Path, tmp_path: Path
) -> None:
    light["scenes"] = Breaking
    call = kinoscope("analyze", video, "-o", tmp_path / "out")
    assert call.status == 1
    tasks = timeline_of(tmp_path / "out")["tasks"]
    assert tasks["shots"]["status"] == "ok"
    assert (tasks["scenes"]["status"], tasks["scenes"]["reason"]) == ("failed", "RuntimeError: this task is broken")
    assert "this task is broken" in call.out + call.err


@pytest.mark.parametrize("flag", ["--quiet", "--json"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_flags_of_every_command_may_stand_anywhere(flag: str, at: int) -> None:
    words = ["analyze", "a.mp4"]
    words.insert(at, flag)
    assert _split_flags(words) == (["analyze", "a.mp4", "--quiet"], flag == "--json", False)


def test_what_follows_two_dashes_is_a_name(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    words = ["-o", "out", "--quiet", "--", "--json", "-o"]
    assert _split_flags(["analyze", *words]) == (
        ["analyze", "--out", "out", "--quiet", "--", "--json", "-o"], False, False,
    )  # fmt: skip
    (tmp_path / "-dash.mp4").write_bytes(video.read_bytes())
    with contextlib.chdir(tmp_path):
        call = kinoscope("analyze", "-o", "out", "--quiet", "--", "-dash.mp4")
    assert (call.status, call.err) == (0, "")
    assert timeline_of(tmp_path / "out")["source"]["path"] == "-dash.mp4"


def test_json_stands_alone(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    call = kinoscope("analyze", video, "-o", tmp_path / "out", "--json")
    plain = json.loads(call.out)
    assert call.err == ""
    assert plain["analyses"][0]["status"] == 0
    assert plain["analyses"][0]["timeline"]["events"] == timeline_of(tmp_path / "out")["events"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "dance"], "there is no task 'dance'; choose from shots"),
        (["--export", "pdf"], "there is no format 'pdf'; choose from"),
        (["--model", "shots"], "is not TASK=CARD; tasks: shots"),
        (["--start", "soon"], "time 'soon' is not understood; give seconds"),
        (["--rate", "fast"], 'unable to convert "fast" into float'),
        (["--on-error", "cry"], 'Choose from: "skip", "repeat", "blank", "raise"'),
    ],
)
def test_a_bad_option_is_one_line_and_reads_nothing(
    kinoscope: Cli, light: Any, video: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    call = kinoscope("analyze", video, "-o", tmp_path / "out", *words)
    assert call.status == 2
    assert message in call.err
    assert call.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["analyse", "a.mp4"], "there is no command 'analyse'; did you mean analyze? known: analyze, "),
        (["frobnicate"], ", models, bench; see kinoscope --help"),
        (["recognize", "a.mp4"], "recognize needs --gallery; see kinoscope recognize --help"),
        (["recognize", "a.mp4", "--gallery"], "--gallery needs a value; see kinoscope recognize --help"),
        (["convert", "out"], "convert needs TO; see kinoscope convert --help"),
    ],
)
def test_what_is_missing_is_named(kinoscope: Cli, words: list[str], message: str) -> None:
    call = kinoscope(*words)
    assert (call.status, call.err.count("\n")) == (2, 1)
    assert message in call.err


def test_an_output_that_cannot_be_written_is_named(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    call = kinoscope("analyze", video, "-o", tmp_path / "file" / "out")
    assert call.status == 2
    why = "a part of the path is a file; give a path through folders"
    assert call.err == f"kinoscope: cannot write {tmp_path / 'file' / 'out'}: {why}\n"


def test_a_full_disk_leaves_nothing_half_written(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if os.name != "posix" or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        call = kinoscope("analyze", video, "-o", disk / "out")
        assert call.status == 2
        assert "the disk is full; free some space or write to another disk" in call.err
        assert call.err.count("\n") == 1
        assert set(os.listdir(disk / "out")) <= {".kinoscope.jsonl", "features.safetensors", "timeline.json"}
        assert len(list(disk.rglob("*.part"))) == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_resume_does_only_the_rest(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    words = ("analyze", video, "-o", tmp_path / "out", "--resume")
    light["scenes"] = Breaking
    assert kinoscope(*words).status == 1
    ran: list[str] = []

    class Mended(Counting):
        name = "scenes"

        def needs(self, info: Any) -> Any:
            ran.append(self.name)
            return super().needs(info)

    class Never(Counting):
        def needs(self, info: Any) -> Any:
            raise AssertionError("shots is done already")

    light |= {"scenes": Mended, "shots": Never}
    assert kinoscope(*words).status == 0
    assert ran == ["scenes"]
    again = kinoscope(*words)
    assert (again.status, ran) == (0, ["scenes"])
    assert "done before" in again.out


def test_another_option_replaces_results_only_with_overwrite(
    kinoscope: Cli, light: Any, video: Path, tmp_path: Path
) -> None:
    words = ("analyze", video, "-o", tmp_path / "out", "--resume")
    assert kinoscope(*words).status == 0
    call = kinoscope(*words, "--end", "0.5")
    assert call.status == 2
    assert "with other options (end not given, now 0.5); give --overwrite to replace it" in call.err
    assert timeline_of(tmp_path / "out")["decode"]["frames"] == 10
    assert "done before" not in kinoscope(*words, "--end", "0.5", "--overwrite").out
    assert timeline_of(tmp_path / "out")["decode"]["frames"] == 5


def test_an_annotated_video_keeps_every_frame_and_time(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    from kinoscope import open_source

    assert kinoscope("analyze", video, "-o", tmp_path / "out", "--annotate").status == 0
    with open_source(video) as plain, open_source(tmp_path / "out" / "annotated.mp4") as annotated:
        assert [f.time for f in annotated.frames()] == [f.time for f in plain.frames()]
        assert annotated.info.size == (64, 48)


def test_a_video_that_no_browser_plays_gets_a_preview(kinoscope: Cli, light: Any, tmp_path: Path) -> None:
    from kinoscope import open_source

    video = flash_and_beep(duration=2, rate=10, width=64, height=48).write(tmp_path / "a.mkv")
    assert kinoscope("analyze", video, "-o", tmp_path / "out").status == 0
    with open_source(tmp_path / "out" / "preview.mp4") as preview:
        assert (preview.info.codec, preview.info.has_audio) == ("h264", True)
        assert [float(f.time) for f in preview.frames()] == [i / 10 for i in range(20)]


def test_convert_writes_other_formats(kinoscope: Cli, light: Any, video: Path, tmp_path: Path) -> None:
    assert kinoscope("analyze", video, "-o", tmp_path / "out", "--no-report").status == 0
    call = kinoscope("convert", tmp_path / "out", "jsonl,vtt", "-o", tmp_path / "more")
    assert (call.status, call.err) == (0, "")
    written = [Path(line) for line in call.out.splitlines()]
    assert len(written) == 2
    assert all(path.is_file() and path.parent == tmp_path / "more" for path in written)
    assert kinoscope("convert", tmp_path / "nowhere", "vtt").status == 2


def test_a_card_is_shown_as_a_whole(kinoscope: Cli) -> None:
    (row,) = json.loads(kinoscope("models", "show", "yolox-nano", "--json").out)["models"]
    ((name, digest),) = row["files"].items()
    lines = [line.split("│")[2].strip() for line in kinoscope("models", "show", "yolox-nano").out.splitlines()[3:-1]]
    shown = "".join(lines)
    assert f"{name}:{digest}" in shown
    assert row["sources"][0] in shown
    assert not {"{", "'", "None"} & {*shown, *lines}


def test_models_are_listed_with_their_licences(kinoscope: Cli) -> None:
    rows = json.loads(kinoscope("models", "list", "--json").out)["models"]
    assert {"nanodet", "transnetv2", "efficientnet-lite0"} <= {row["name"] for row in rows}
    assert all(row["licence"] and row["sources"] and row["files"] for row in rows)
    call = kinoscope("models", "show", "nothing")
    assert call.status == 2
    assert call.err.startswith("kinoscope: no model is called nothing; known: transnetv2, ")


def test_bench_reports_the_seconds_of_each_part(kinoscope: Cli, light: Any, video: Path) -> None:
    plain = json.loads(kinoscope("bench", video, "--where", "--json").out)
    assert plain["frames"] == 10
    assert set(plain["where"]) == {"shots", "loading models", "decode and scale"}


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_ctrl_c_leaves_a_valid_partial_result(tmp_path: Path) -> None:
    code = """
import signal
from tests.conftest import Counting
from kinoscope.tasks import registry
from kinoscope.cli.main import main

class Stopping(Counting):
    def process_frames(self, *batches):
        before = len(self.seen)
        super().process_frames(*batches)
        if before < 100 <= len(self.seen):
            signal.raise_signal(signal.SIGINT)

# A shell that runs the tests in the background leaves the signal ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
registry.TASKS = {"shots": Stopping}
main(["analyze", "synthetic:shapes?duration=1000&width=64&height=48", "-o", "out", "--no-report"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    found = timeline_of(tmp_path / "out")
    assert (found["decode"]["complete"], found["decode"]["errors"]) == (False, ["interrupted (Ctrl-C)"])
    assert found["tasks"]["shots"]["status"] == "interrupted"
    assert 100 <= found["decode"]["frames"] < 25_000
    assert found["events"][0]["start"] == 0.0
    assert signal.SIGINT.name not in done.stderr


def test_one_of_a_kind_is_printed_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    from kinoscope.results.watch import WatchResult
    from kinoscope.views.console.printers import render

    render(WatchResult("a.mp4", alerts=1, clips=1, delivered=1))
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-2:]) == ("1 alert", ["1 alert delivered, 0 not", "1 clip"])
