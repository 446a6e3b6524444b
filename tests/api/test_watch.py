"""Watching: alerts from a file, from a stream between two processes, to whoever is to be notified."""

import functools
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

import kinoscope
from kinoscope.core.detections import Detections as Found
from kinoscope.core.errors import OptionError, RulesError, SourceError
from kinoscope.core.results import DecodeReport
from kinoscope.pipeline.options import DecodingOptions
from kinoscope.pipeline.watching import DeliveryOptions, StreamOptions
from kinoscope.results.watch import WatchResult
from kinoscope.views.timeline import Timeline

pytestmark = [pytest.mark.slow, pytest.mark.network]

RULES = """
lines: {middle: [[0.5, 0], [0.5, 1]]}
rules: [{name: across, kind: line, line: middle, labels: [person]}]
"""
CARD = SimpleNamespace(name="bright", licence="MIT", labels=("person",))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class BrightDetector:
    """Finds what is bright; calls it a person."""

    runner = SimpleNamespace(card=CARD, runtime="fake")
    card = CARD

    def __init__(self, *_):
        pass

    def input_size(self, shown):
        return shown

    def __call__(self, frames, shown):
        return [self.find(frame) for frame in frames]

    def find(self, frame):
        y, x = np.nonzero(frame.mean(axis=2) > 150)
        boxes = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else [], float).reshape(-1, 4)
        return Found(boxes, np.full(len(boxes), 0.9), np.zeros(len(boxes), np.int64))


@pytest.fixture(autouse=True)
def bright(monkeypatch):
    monkeypatch.setattr("kinoscope.models.inference.detector.ObjectDetector", BrightDetector)


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def film(path, seconds=2.0, rate=10, rest=0.0):
    """Write a bright square that rests for a share of the time, and then crosses the frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"g": "5", "bf": "0", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for i in range(round(seconds * rate)):
            pixels = np.full((96, 160, 3), 20, np.uint8)
            x = round(10 + 120 * max(0.0, i / (seconds * rate) - rest) / (1 - rest))
            pixels[30:70, x : x + 20] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def printed_lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_alerts_are_lines_as_they_come(tmp_path, rules, capsys):
    done = kinoscope.watch(str(film(tmp_path / "a.mp4")), rules=rules)
    head, alert = printed_lines(capsys)
    assert head["source"]["width"] == 160
    assert alert["event"]["label"] == "across"
    assert 0.8 <= alert["event"]["end"] <= 1.4
    assert [event.label for event in done.events] == ["across"]
    assert done.status == 0
    assert done.delays.quantile(0.95) >= done.delays.quantile(0.5) >= 0
    assert len(done.detection_delays) >= len(done.delays) == 1
    plain = done.to_dict()
    assert plain["frames"] == 20
    assert plain["memory_mb"] > 0


def test_a_file_at_the_pace_of_a_camera_is_left_when_the_time_is_up(tmp_path, rules):
    done = kinoscope.watch(
        str(film(tmp_path / "a.mp4")), rules=rules, stream=StreamOptions(loop=True, for_=3.0), quiet=True
    )
    assert len(done.events) >= 1
    assert done.timeline.decode.frames > 0


def test_a_part_of_a_file_is_watched(tmp_path, rules):
    video = film(tmp_path / "a.mp4")
    early = kinoscope.watch(video, rules=rules, decoding=DecodingOptions(end=0.5), quiet=True)
    assert (early.alerts, early.timeline.decode.frames) == (0, 5)
    late = kinoscope.watch(video, rules=rules, decoding=DecodingOptions(start=0.5, video_track=0), quiet=True)
    assert (late.alerts, late.timeline.decode.frames) == (1, 15)


def test_frames_in_memory_are_watched(rules):
    frames = np.full((20, 96, 160, 3), 20, np.uint8)
    for number, frame in enumerate(frames):
        frame[30:70, 10 + 6 * number : 30 + 6 * number] = 230
    done = kinoscope.watch(kinoscope.Video.from_frames(frames, rate=10), rules=rules, quiet=True)
    assert (done.source, done.alerts, done.status) == ("frames", 1, 0)


def test_a_stream_of_another_process_that_hangs_up_is_taken_up_again(tmp_path, rules, capsys):
    # While a stream is opened its beginning comes in a burst, of which frames are dropped: nothing happens in it yet.
    video = film(tmp_path / "a.ts", seconds=3.0, rest=0.45)
    command = [sys.executable, str(Path(__file__).parents[1] / "helpers" / "rtsp_server.py"), str(video), "4"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip().replace("rtsp://", "rtsp://ada:hush@") + "?token=hush"
        done = kinoscope.watch(address, rules=rules, stream=StreamOptions(for_=9.0))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    assert done.timeline.decode.reconnects >= 1
    assert len(done.events) >= 1
    assert {event.label for event in done.events} == {"across"}
    assert "hush" not in capsys.readouterr().out
    assert "hush" not in json.dumps(done.to_dict())
    assert done.status == 0


def test_a_watch_is_well_if_the_stream_is_there_at_its_end():
    def status(complete):
        decode = DecodeReport(complete=complete, errors=["no data for 12 s; reconnected"])
        return WatchResult("rtsp://host/a", timeline=Timeline(decode=decode)).status

    assert (status(True), status(False)) == (0, 1)


def test_a_camera_over_http_goes_by_the_clock_on_the_wall(tmp_path, rules):
    rules.write_text(RULES.replace("labels", "hours: ['0:00-24:00'], labels"))
    film(tmp_path / "a.ts", seconds=2.0, rest=0.4)
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/a.ts"
    try:
        with pytest.raises(
            RulesError, match=r"depends on the time of day.*; or give --live if http://127.* is a camera"
        ):
            kinoscope.watch(address, rules=rules, quiet=True)
        done = kinoscope.watch(address, rules=rules, stream=StreamOptions(live=True, for_=1.0), quiet=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.timeline.source["live"]
    assert done.timeline.decode.frames >= 20


def test_a_detector_that_breaks_ends_the_watch(tmp_path, rules, monkeypatch):
    def failing(*_):
        raise RuntimeError("no more")

    monkeypatch.setattr(BrightDetector, "find", failing)
    done = kinoscope.watch(str(film(tmp_path / "a.mp4")), rules=rules, stream=StreamOptions(loop=True), quiet=True)
    assert done.status == 1
    assert done.timeline.tasks["objects"].reason == "RuntimeError: no more"


def test_a_clip_and_a_web_address(tmp_path, rules, monkeypatch):
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((self.headers["Kinoscope-Signature"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("KINOSCOPE_WEBHOOK_SECRET", "s")
    try:
        done = kinoscope.watch(
            str(film(tmp_path / "a.mp4")),
            rules=rules,
            delivery=DeliveryOptions(
                webhook=f"http://127.0.0.1:{server.server_port}",
                undelivered=tmp_path / "undelivered.jsonl",
                clips_to=tmp_path / "clips",
                before=0.5,
                after=0.3,
            ),
            quiet=True,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (done.delivered, done.undelivered, done.clips) == (1, 0, 1)
    signature, body = got[0]
    assert signature.startswith("sha256=")
    clip = json.loads(body)["event"]["clip"]
    with kinoscope.open_source(clip) as source:
        assert 8 <= len(list(source.frames())) <= 10


def test_an_address_that_refuses_keeps_the_alert_and_the_watch_goes_on(tmp_path, rules, monkeypatch):
    monkeypatch.setattr("kinoscope.pipeline.alerts.webhook.FIRST_RETRY_SECONDS", 0)
    undelivered = tmp_path / "undelivered.jsonl"
    video, delivery = (
        str(film(tmp_path / "a.mp4")),
        DeliveryOptions(webhook="http://127.0.0.1:9", undelivered=undelivered),
    )
    done = kinoscope.watch(video, rules=rules, delivery=delivery, quiet=True)
    assert done.undelivered == 1
    assert json.loads(undelivered.read_text())["message"]["event"]["label"] == "across"
    assert len(done.events) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stream": StreamOptions(for_=0)}, OptionError, "no time to watch"),
        ({"delivery": DeliveryOptions(webhook="file:///x")}, OptionError, "no valid URL"),
        ({"stream": StreamOptions(live=True)}, OptionError, "is no address of a camera"),
        ({"stream": StreamOptions(live=True, loop=True)}, OptionError, "choose one"),
        ({"delivery": DeliveryOptions(before=-1)}, OptionError, "before -1 is not possible; give 0 to 30"),
        ({"model": "nothing"}, OptionError, "nothing"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, rules, options, error, message):
    with pytest.raises(error, match=message):
        kinoscope.watch(str(film(tmp_path / "a.mp4")), rules=rules, quiet=True, **options)


def test_rules_and_sources_that_cannot_be_used(tmp_path, rules):
    with pytest.raises(SourceError):
        kinoscope.watch(str(tmp_path / "absent.mp4"), rules=rules, quiet=True)
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules: [{name: a, kind: crowd, count: 2, labels: [persn]}]")
    with pytest.raises(RulesError, match="persn"):
        kinoscope.watch(str(film(tmp_path / "a.mp4")), bad, quiet=True)  # type: ignore[call-arg]  # the old way, still accepted
