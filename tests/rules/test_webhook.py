"""Alerts over the network: signed, tried again, and never lost."""

import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kinoscope.core.errors import OptionError, OutputError
from kinoscope.rules import webhook
from kinoscope.rules.webhook import Webhook, check_dead, check_url, signature


class Receiver:
    """A server that answers as it is told, and remembers what it got; a None never answers."""

    def __init__(self, *answers):
        self.got, self.answers, self.enough = [], list(answers), threading.Event()
        self.release = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.headers, body))
                answer = outer.answers.pop(0) if outer.answers else 200
                if answer is None:
                    outer.release.wait(60)
                    return
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts?key=secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receive():
    made = []

    def make(*answers):
        made.append(Receiver(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def send(receiver, tmp_path, *alerts, **words):
    hook = Webhook(receiver.url, dead=tmp_path / "dead.jsonl", wait=lambda seconds: False, **words)
    for alert in alerts:
        hook.send(alert)
    hook.close()
    return hook


def dead(tmp_path):
    return [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]


def test_alerts_arrive_in_order_and_signed(receive, tmp_path):
    receiver = receive()
    hook = send(receiver, tmp_path, {"n": 1}, {"n": 2}, secret="s3cret")
    assert [json.loads(body) for _, body in receiver.got] == [{"n": 1}, {"n": 2}]
    headers, body = receiver.got[0]
    stamp, digest = (part.split("=")[1] for part in headers["X-Kinoscope-Signature"].split(","))
    assert digest == hmac.new(b"s3cret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert (hook.delivered, hook.failed) == (2, 0)
    assert not (tmp_path / "dead.jsonl").exists()


def test_without_a_secret_nothing_is_signed(receive, tmp_path):
    receiver = receive()
    send(receiver, tmp_path, {"n": 1})
    assert receiver.got[0][0]["X-Kinoscope-Signature"] is None
    assert signature("k", b"body", lambda: 12.9)["X-Kinoscope-Signature"].startswith("t=12,v1=")


def test_a_server_that_stumbles_is_tried_again(receive, tmp_path):
    receiver = receive(500, 503, 200)
    hook = send(receiver, tmp_path, {"n": 1})
    assert len(receiver.got) == 3
    assert (hook.delivered, hook.failed) == (1, 0)


def test_a_refusal_is_final_and_the_alert_is_kept(receive, tmp_path):
    receiver = receive(403)
    hook = send(receiver, tmp_path, {"n": 1})
    assert len(receiver.got) == 1
    (row,) = dead(tmp_path)
    assert row["alert"] == {"n": 1}
    assert row["why"] == "it answered 403"
    assert "secret" not in row["url"]
    assert hook.failed == 1


def test_redirects_are_not_followed(receive, tmp_path):
    send(receive(302), tmp_path, {"n": 1})
    assert dead(tmp_path)[0]["why"] == "it answered 302"


def test_an_address_that_never_answers_holds_nobody_up(receive, tmp_path):
    receiver = receive(None, None)
    hook = Webhook(receiver.url, dead=tmp_path / "dead.jsonl", tries=2, timeout=0.2, wait=lambda seconds: False)
    hook.send({"n": 1})
    hook.send({"n": 2})
    hook.close(0.05)
    assert sorted(row["alert"]["n"] for row in dead(tmp_path)) == [1, 2]
    assert hook.failed == 2


def test_nobody_listens(tmp_path):
    hook = Webhook("http://127.0.0.1:9/x", dead=tmp_path / "d" / "dead.jsonl", wait=lambda seconds: False)
    hook.send({"n": 1})
    hook.close()
    assert json.loads((tmp_path / "d" / "dead.jsonl").read_text())["alert"] == {"n": 1}


def test_too_many_alerts_go_to_the_file(receive, tmp_path, monkeypatch):
    monkeypatch.setattr(webhook, "WAITING", 3)
    receiver = receive(None)
    hook = Webhook(receiver.url, dead=tmp_path / "dead.jsonl", tries=1, timeout=0.3, wait=lambda seconds: False)
    for n in range(10):
        hook.send({"n": n})
    receiver.release.set()
    hook.close()
    assert hook.delivered + hook.failed == 10
    assert len(dead(tmp_path)) == hook.failed >= 6


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "nowhere", "http://"])
def test_only_web_addresses(url):
    with pytest.raises(OptionError, match="https://"):
        check_url(url)


def test_a_place_that_cannot_be_written_is_told_beforehand(tmp_path):
    assert check_dead(tmp_path / "a" / "dead.jsonl") == tmp_path / "a" / "dead.jsonl"
    assert not (tmp_path / "a" / "dead.jsonl").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        check_dead(tmp_path / "file" / "dead.jsonl")
