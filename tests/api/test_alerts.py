"""Rules in an analysis, from the file to the clip and the webhook."""

import http.server
import json
import threading

import pytest

from kinoscope.core.results import TaskResult
from kinoscope.pipeline.alerts.signing import SECRET_VARIABLE, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from kinoscope.source import open_source
from kinoscope.source.synthetic.video import shapes
from kinoscope.tasks.base import Task
from kinoscope.tasks.rules import Rules
from kinoscope.views.timeline import Timeline

RULES = """
clock: 2026-11-26 22:00:00 Europe/Berlin
zones: {left: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
lines: {middle: [[0.5, 0], [0.5, 1]]}
rules:
- {name: to the right, kind: line, line: middle, direction: right}
- {name: in the left half, kind: zone, zone: left}
"""


class Truth(Task):
    """Knows what is in the synthetic video."""

    name = "objects"

    def finish(self, timeline: Timeline) -> TaskResult:
        return TaskResult(tracks=shapes(duration=3, count=1).truth.tracks)


@pytest.fixture
def ready(light, tmp_path, monkeypatch):
    light |= {"objects": Truth, "rules": Rules}
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    shapes(duration=3, count=1).write(tmp_path / "shapes.mp4")
    (tmp_path / "rules.yaml").write_text(RULES)
    return ["analyze", tmp_path / "shapes.mp4", "--rules", tmp_path / "rules.yaml", "-o", tmp_path / "out", "--quiet"]


@pytest.mark.slow
def test_rules_clips_and_a_webhook_in_one_analysis(kinoscope, ready, tmp_path, monkeypatch):
    got = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setenv(SECRET_VARIABLE, "hush")
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    call = kinoscope(*ready, "--clips", "--webhook", f"http://127.0.0.1:{server.server_port}/", "--annotate")
    server.shutdown()
    thread.join()
    server.server_close()
    assert call.status == 0, call.err
    assert "2 alerts" in call.out
    assert not (tmp_path / "out" / "undelivered.jsonl").exists()

    timeline = json.loads((tmp_path / "out" / "timeline.json").read_text())
    events = [event for event in timeline["events"] if event["task"] == "rules"]
    assert [(event["label"], event["start"], event["at"]) for event in events] == [
        ("in the left half", 0.0, 0.32),
        ("to the right", 1.12, 1.28),
    ]
    clips = [("clips/00-00-00.320-in-the-left-half.mp4", 0.32), ("clips/00-00-01.280-to-the-right.mp4", 1.28)]
    assert [(event["clip"], event["clip_at"]) for event in events] == clips
    with open_source(tmp_path / "out" / events[0]["clip"]) as clip:
        assert len(list(clip.lazy_frames())) == 75

    assert [json.loads(body)["event"]["label"] for _, body in got] == [event["label"] for event in events]
    assert [json.loads(body)["taken"] for _, body in got] == [
        "2026-11-26T22:00:00.320+01:00",
        "2026-11-26T22:00:01.280+01:00",
    ]
    for headers, body in got:
        stamp = headers[TIMESTAMP_HEADER]
        assert verify(body, stamp, headers[SIGNATURE_HEADER], b"hush", now=float(stamp))


def test_undelivered_alerts_are_reported_and_saved(kinoscope, ready, tmp_path, caplog):
    class Refuser(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Refuser)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    call = kinoscope(*ready, "--webhook", f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    thread.join()
    server.server_close()
    assert call.status == 0
    assert "not delivered: 2 alerts; see" in caplog.text
    undelivered = (tmp_path / "out" / "undelivered.jsonl").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in undelivered] == ["answered 404"] * 2


def test_rules_are_gone_by_again_when_resumed(kinoscope, ready, tmp_path):
    assert "2 alerts" in kinoscope(*ready).out
    (tmp_path / "rules.yaml").write_text(RULES.replace("zone: left", "zone: left, when: enter"))
    assert "1 alert " in kinoscope(*ready, "--resume").out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [{name: a, kind: crowd, count: 2, labels: [dragon]}]", "names the label 'dragon', which no detector"),
        ("rules: [{name: a, kind: crowd, count: 2, hours: ['1:00-2:00']}]", "rule 'a' depends on the time of day"),
        ("rules: [{name: a, kind: crowd, count: 2, identities: [Ada]}]", "give --gallery FILE to analyze"),
    ],
)
def test_bad_rules_are_one_line_and_nothing_is_decoded(kinoscope, ready, tmp_path, text, message):
    (tmp_path / "rules.yaml").write_text(text)
    call = kinoscope(*ready)
    assert call.status == 2
    assert message in call.err
    assert call.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_zone_outside_the_frame_fails_the_rules_and_no_other_task(kinoscope, ready, tmp_path):
    text = "units: pixels\nzones: {z: [[0, 0], [999, 0], [9, 9]]}\nrules: [{name: a, kind: zone, zone: z}]"
    (tmp_path / "rules.yaml").write_text(text)
    call = kinoscope(*ready)
    assert call.status == 1
    timeline = json.loads((tmp_path / "out" / "timeline.json").read_text())
    assert "outside the frame; the frame is 320x240" in timeline["tasks"]["rules"]["reason"]
    assert len(timeline["tracks"]) == 1


def test_clips_and_webhook_need_rules(kinoscope, ready):
    call = kinoscope("analyze", ready[1], "--clips")
    assert (call.status, call.err) == (
        2,
        "kinoscope: clips and webhook are about the alerts of rules; give --rules FILE\n",
    )
    call = kinoscope(*ready, "--webhook", "file:///etc/passwd")
    assert (call.status, "no valid URL" in call.err) == (2, True)
