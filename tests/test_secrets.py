"""All options that take an address work with its secrets, and print or write them nowhere."""

from __future__ import annotations

import base64
import http.server
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import kinoscope as package
from kinoscope.core.results import TaskResult
from kinoscope.galleries import read_gallery
from kinoscope.models.inference import mouth_tracker
from kinoscope.models.inference.lipsync import LipSyncMetadata, new_nets, save_lipsync
from kinoscope.models.trainable import predictors
from kinoscope.models.trainable.predictors import PredictorMetadata, new_predictor, save_predictor
from kinoscope.pipeline import analysis
from kinoscope.pipeline.options import OutputOptions
from kinoscope.source.synthetic.video import SyntheticSource, shapes
from kinoscope.tasks import registry
from kinoscope.tasks.rules import Rules
from kinoscope.views.registry import VIEWS
from tests.api.test_alerts import RULES, Truth
from tests.api.test_detect import ColourDetector
from tests.api.test_predict import Brighter
from tests.api.test_sync import Clicks
from tests.api.test_sync import film as clicks
from tests.conftest import Call, serving
from tests.helpers.colour_clips import film as colours
from tests.helpers.people import SIZE, ColourEmbedder, ColourFinder, draw
from tests.helpers.talking import DrawnFollower
from tests.helpers.talking import write as talking

pytestmark = pytest.mark.slow

USER, PASSWORD, TOKEN = "nadia", "hunter2-Pa55", "t0ken-S3cret"
SECRETS = (USER, PASSWORD, TOKEN)

Cli = Callable[..., Call]
Serve = Callable[[Path], str]


class Guarded(http.server.BaseHTTPRequestHandler):
    """HTTP server of files that requires a password and a token."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != wanted or query != f"token={TOKEN}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="films"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.server.files[path]  # type: ignore[attr-defined]
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        try:
            self.wfile.write(data[first:])
        except OSError:  # the client has closed the connection
            return

    def do_POST(self) -> None:
        self.send_response(410)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.ThreadingHTTPServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(Guarded) as server:
        server.files = {}  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def serve(server: Any) -> Serve:
    """Return a function that serves a file and returns its address, secrets included."""

    def address(path: Path) -> str:
        server.files[f"/{path.name}"] = path.read_bytes()
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{server.server_port}/{path.name}?token={TOKEN}"

    return address


@pytest.fixture
def video(tmp_path: Path, serve: Serve) -> str:
    return serve(shapes(duration=3, count=1).write(tmp_path / "shapes.mp4"))


def leaked_secrets(text: str | bytes) -> list[str]:
    """Return the secrets that a text contains."""
    data = text.encode() if isinstance(text, str) else text
    return [secret for secret in SECRETS if secret.encode() in data]


def hides_all(folder: Path, *calls: Call) -> bool:
    """Return whether no secret is in the output of calls, in any file of a folder, nor in any file's name."""
    for call in calls:
        assert leaked_secrets(call.out + call.err) == []
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name: leaked_secrets(path.read_bytes()) + leaked_secrets(str(path)) for path in files} == {
        p.name: [] for p in files
    }
    return True


@pytest.fixture
def ready(light: dict[str, type], tmp_path: Path) -> list[Any]:
    light |= {"objects": Truth, "rules": Rules}
    (tmp_path / "rules.yaml").write_text(RULES)
    return ["--rules", tmp_path / "rules.yaml", "-o", tmp_path / "out"]


def test_an_analysis_with_all_that_it_can_write(
    kinoscope: Cli, ready: list[Any], video: str, tmp_path: Path, server: Any
) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("opentimelineio")
    dead = f"http://127.0.0.1:{server.server_port}/hook?key={TOKEN}"
    words = [*ready[:2], "--export", ",".join(VIEWS), "--annotate", "--clips", "--webhook", dead]
    calls = [
        kinoscope("analyze", video, *words, "-o", tmp_path / "out" / str(number), *more)
        for number, more in enumerate(((), ("--json",), ("--debug",)))
    ]
    assert [call.status for call in calls] == [0] * 3, calls[0].err
    out = tmp_path / "out" / "0"
    assert {"annotated.mp4", "clips", "report.html", "timeline.otio", "undelivered.jsonl"} <= {
        path.name for path in out.iterdir()
    }
    assert hides_all(tmp_path / "out", *calls)
    shown = json.loads((out / "timeline.json").read_text())["source"]["path"]
    assert shown.startswith("http://***@127.0.0.1:")
    assert shown.endswith("/shapes.mp4?***")


def test_an_analysis_goes_on_with_the_real_address(kinoscope: Cli, light: Any, serve: Serve, tmp_path: Path) -> None:
    video = serve(shapes(duration=1).write(tmp_path / "one.mp4"))
    other = serve(shapes(duration=1).write(tmp_path / "two.mp4"))
    words = ("-o", tmp_path / "out", "--resume")
    calls = [kinoscope("analyze", source, *words) for source in (video, video, other)]
    assert ["(done before)" in call.out for call in calls] == [False, True, False]
    assert hides_all(tmp_path / "out", *calls)


def test_default_folders_titles_and_python(
    light: Any, video: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinoscope: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    titles = []
    real = analysis.run

    def run(job: Any, options: Any, title: str) -> Any:
        titles.append(title)
        return real(job, options, title)

    monkeypatch.setattr(analysis, "run", run)
    library = tmp_path / "lib.lance" if _has_lance() else None
    done = package.analyze(video, output=OutputOptions(library=library))
    assert titles == ["shapes.mp4"]
    assert done.timeline is not None
    assert done.timeline.decode.frames == 75
    assert leaked_secrets(repr(done) + str(done) + str(done.to_dict()) + str(done.error) + str(done.folder)) == []
    nameless = f"http://{USER}:{PASSWORD}@127.0.0.1:9?token={TOKEN}"
    assert kinoscope("analyze", nameless, video).status == 2
    assert hides_all(tmp_path / "runs")


def _has_lance() -> bool:
    try:
        import lancedb  # noqa: F401
    except ImportError:
        return False
    return True


def test_a_stream_that_is_lost_and_one_that_is_refused(
    kinoscope: Cli, light: Any, serve: Serve, server: Any, video: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = server.files["/shapes.mp4"]
    server.files["/cut.ts"] = b""
    calls = [
        kinoscope("analyze", address, "-o", tmp_path / "out" / str(number), *more)
        for more in ((), ("--json",))
        for number, address in enumerate(
            [
                video.replace(PASSWORD, f"{PASSWORD}-wrong"),
                video.replace(":" + PASSWORD, ":p/w?#" + PASSWORD),
                video.replace("http://", "nope://"),
                video.replace("shapes.mp4", "cut.ts"),
                video.replace("http://", "http:/"),
            ]
        )
    ]
    assert {call.status for call in calls} == {2}
    server.files["/shapes.mp4"] = data
    with package.open_source(video) as source:
        server.files.clear()
        assert hides_all(tmp_path / "out", *calls)
        assert leaked_secrets("".join(source.report.errors) + str(source.info.path)) == []


def test_tracebacks_and_logs(capsys: pytest.CaptureFixture[str], video: str) -> None:
    from kinoscope.cli.stdio import MaskingFormatter, print_traceback

    try:
        raise ValueError(f"cannot open {video}") from RuntimeError(video)
    except ValueError as error:
        print_traceback(type(error), error, error.__traceback__)
        record = logging.LogRecord("libav.http", logging.ERROR, "", 0, "%s lost", (video,), (ValueError, error, None))
        print(MaskingFormatter("%(name)s: %(message)s").format(record))
    out, err = capsys.readouterr()
    assert "cannot open http://***@127.0.0.1" in err
    assert "libav.http: http://***@127.0.0.1" in out
    assert leaked_secrets(out + err) == []


def test_classify(kinoscope: Cli, serve: Serve, tiny: Callable[..., Path], tmp_path: Path) -> None:
    address, model = serve(colours(tmp_path / "c.mp4", ("red", 4), ("blue", 3))), tiny()
    calls = [kinoscope("classify", address, "--model", model, "-o", tmp_path / "out", *m) for m in ((), ("--json",))]
    assert [call.status for call in calls] == [0, 0], calls[0].err
    assert hides_all(tmp_path / "out", *calls)


def test_detect_watch_and_bench(
    kinoscope: Cli, video: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light: Any, server: Any
) -> None:
    from kinoscope.tasks.objects import Objects

    monkeypatch.setattr("kinoscope.models.inference.detector.ObjectDetector", ColourDetector)
    light["objects"] = Objects
    (tmp_path / "rules.yaml").write_text(RULES.replace("clock: 2026-11-26 22:00:00\n", ""))
    out = tmp_path / "out"
    watch = ("watch", video, "--rules", tmp_path / "rules.yaml", "--clips-to", out / "clips")
    dead = (
        "--webhook",
        f"http://127.0.0.1:{server.server_port}/?key={TOKEN}",
        "--undelivered",
        out / "undelivered.jsonl",
    )
    calls = [
        kinoscope("detect", video, "-o", out),
        kinoscope("detect", video, "--json"),
        kinoscope(*watch),
        kinoscope(*watch, *dead, "--json"),
        kinoscope("bench", video, "--json"),
    ]
    assert [call.status for call in calls] == [0] * 5, [call.err for call in calls]
    assert "http://***@127.0.0.1" in calls[2].out
    assert hides_all(out, *calls)


def test_enroll_and_recognize(kinoscope: Cli, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceDetector", ColourFinder)
    monkeypatch.setattr("kinoscope.models.inference.faces.FaceEmbedder", ColourEmbedder)
    picture = draw({"ann": (40, 80)}).astype(np.uint8)
    film = SyntheticSource("people", lambda *_: picture, TaskResult(), SIZE, 2, 10)
    address, gallery = serve(film.write(tmp_path / "ann.mkv", lossless=True)), tmp_path / "out" / "people.gallery"
    gallery.parent.mkdir()
    calls = [
        kinoscope("enroll", gallery, "Ann", address),
        kinoscope("gallery", "list", gallery, "--json"),
        kinoscope("recognize", address, "--gallery", gallery, "-o", tmp_path / "out"),
        kinoscope("recognize", address, "--gallery", gallery, "--json"),
    ]
    assert [call.status for call in calls] == [0] * 4, calls[0].err
    assert {look.source for look in read_gallery(gallery).samples} == {"ann.mkv"}
    assert hides_all(tmp_path / "out", *calls)


def test_sync(kinoscope: Cli, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TASKS, "sync", Clicks)
    address, out = serve(clicks(tmp_path / "click.mp4", 0.2)), tmp_path / "out"
    calls = [kinoscope("sync", address, "-o", out), kinoscope("sync", address, "--json")]
    assert [call.status for call in calls] == [0, 0], calls[0].err
    assert hides_all(out, *calls, kinoscope("sync", address, "--fix", out / "fixed.mp4"))


def test_predict(kinoscope: Cli, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(predictors.NETWORKS, "brighter", Brighter)
    facts = PredictorMetadata(network="brighter", context=3, horizon=2, rate=10.0, size=16)
    save_predictor(tmp_path / "model", new_predictor(facts), facts)
    address = serve(shapes(duration=1).write(tmp_path / "shapes.mp4"))
    call = kinoscope("predict", tmp_path / "model", address, "-o", tmp_path / "out" / "next.mp4", "--json")
    assert call.status == 0, call.err
    assert hides_all(tmp_path / "out", call)


def test_lipsync(kinoscope: Cli, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mouth_tracker, "FaceTracker", DrawnFollower)
    monkeypatch.setattr(
        "kinoscope.pipeline.lipsync._write", lambda result, *_: package.open_source(result.source).close()
    )
    save_lipsync(tmp_path / "model", new_nets(8), LipSyncMetadata(width=8))
    address = serve(talking(tmp_path / "face.mp4", 0.4))
    words = ("-o", tmp_path / "out" / "a.mp4", "--model", tmp_path / "model", "--looks", address)
    calls = [kinoscope("lipsync", address, address, *words, *more) for more in ((), ("--json",))]
    assert [call.status for call in calls] == [0, 0], calls[0].err
    assert hides_all(tmp_path / "out", *calls)


def test_a_search_for_what_is_like_a_video(video: str, tmp_path: Path) -> None:
    from kinoscope.pipeline.image_query import _read_frame

    assert np.array_equal(_read_frame(f"{video}@1.5"), _read_frame(f"{video}@00:00:01.5"))
    assert not np.array_equal(_read_frame(video), _read_frame(f"{video}@1.5"))


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", "--nothing", "URL"], ["analyze", "synthetic:shapes", "--rules", "URL"],
        ["analyze", "synthetic:shapes", "--webhook", "URL"], ["analyze", "synthetic:shapes", "--library", "URL"],
        ["analyze", "synthetic:shapes", "--gallery", "URL"],
        ["classify", "URL", "--model", "URL"], ["convert", "URL", "csv"], ["detect", "URL", "--model", "URL"],
        ["enroll", "URL", "Ann", "URL"], ["evaluate", "URL", "URL"], ["explain", "URL", "URL"],
        ["gallery", "list", "URL"], ["generate", "URL"], ["generate", "shapes", "--project", "URL"],
        ["library", "list", "URL"], ["lipsync", "URL", "URL", "--model", "URL", "-o", "a.mp4"],
        ["models", "show", "URL"],
        ["predict", "URL", "URL", "-o", "a.mp4"], ["recognize", "URL", "--gallery", "URL"],
        ["search", "person", "--library", "URL"], ["search", "--like", "URL", "--library", "lib.lance"],
        ["sync", "URL", "--model", "URL"], ["train", "classify", "URL"], ["watch", "URL", "--rules", "URL"],
        ["URL"], ["analyze", "URL", "--tasks", "URL"], ["bench", "URL"],
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_not_repeated(
    words: list[str], kinoscope: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("faces.FaceDetector", "faces.FaceEmbedder", "detector.ObjectDetector"):
        monkeypatch.setattr(
            f"kinoscope.models.inference.{name}", ColourFinder if "FaceDetector" in name else ColourEmbedder
        )
    url = f"nope://{USER}:{PASSWORD}@127.0.0.1:9/a.mp4?token={TOKEN}"
    for more in ((), ("--json",)):
        call = kinoscope(*[word.replace("URL", url) for word in words], *more)
        assert call.status == 2
        assert leaked_secrets(call.out + call.err) == []


def test_ffmpegs_own_words_go_through_the_same_formatter() -> None:
    assert av.logging.get_level() is None  # else they would be printed by FFmpeg itself
