"""A webhook against real servers on the loopback: one that takes, one that fails first, one that never answers."""

import contextlib
import http.server
import json
import socket
import threading
from typing import cast

import pytest

from kinoscope.core.errors import OptionError, OutputError
from kinoscope.pipeline.alerts.signing import (
    DELIVERY_HEADER,
    SECRET_VARIABLE,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    find_secret,
    sign,
    verify,
)
from kinoscope.pipeline.alerts.webhook import Webhook, check_url, send
from tests.conftest import serving

pytestmark = pytest.mark.network


class Inbox(http.server.ThreadingHTTPServer):
    """A server's requests, the statuses that it answers with, and a count of the requests to wait for."""

    got: list[tuple[dict[str, str], bytes]]
    answers: list[int]
    came: threading.Semaphore


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what comes, and answers as configured: one status after another, the last for ever."""

    def do_POST(self):
        server = cast(Inbox, self.server)
        server.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.answers[min(len(server.got), len(server.answers)) - 1])
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()
        server.came.release()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(Receiver) as http_server:
        inbox = cast(Inbox, http_server)
        inbox.got, inbox.answers, inbox.came = [], [200], threading.Semaphore(0)
        yield inbox


def hook(server, tmp_path, **options):
    url = f"http://127.0.0.1:{server.server_port}/alerts?token=hush"
    return Webhook(url, tmp_path / "dead" / "letters.jsonl", **{"jitter": lambda: 0.01} | options)


def letters(tmp_path):
    path = tmp_path / "dead" / "letters.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_message_comes_whole_and_signed(server, tmp_path):
    webhook = hook(server, tmp_path, secret=b"secret", clock=lambda: 1_764_000_000.7)
    webhook.put({"event": {"label": "Tür"}})
    webhook.close()
    ((headers, body),) = server.got
    assert json.loads(body) == {"id": headers[DELIVERY_HEADER], "event": {"label": "Tür"}}
    assert headers["Content-Type"] == "application/json"
    assert headers[SIGNATURE_HEADER] == sign(body, 1_764_000_000, b"secret")
    assert verify(body, headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER], b"secret", now=1_764_000_100)
    assert (webhook.delivered, webhook.undelivered, letters(tmp_path)) == (1, 0, [])


def test_without_a_secret_nothing_is_signed(server, tmp_path):
    webhook = hook(server, tmp_path)
    webhook.put({})
    webhook.close()
    assert SIGNATURE_HEADER not in server.got[0][0]


def test_a_failure_of_the_server_is_tried_again_as_the_same_delivery(server, tmp_path):
    server.answers = [500, 429, 200]
    webhook = hook(server, tmp_path)
    webhook.put({"a": 1})
    for _ in range(3):
        assert server.came.acquire(timeout=30)
    webhook.close()
    assert len({headers[DELIVERY_HEADER] for headers, _ in server.got}) == 1
    assert (webhook.delivered, letters(tmp_path)) == (1, [])


@pytest.mark.parametrize(("status", "tries"), [(503, 3), (404, 1), (302, 1)])
def test_what_is_refused_is_a_dead_letter(server, tmp_path, status, tries):
    server.answers = [status]
    webhook = hook(server, tmp_path, max_attempts=3, clock=lambda: 12.5)
    webhook.put({"a": 1})
    for _ in range(tries):
        assert server.came.acquire(timeout=30)
    webhook.close()
    (letter,) = letters(tmp_path)
    assert (letter["reason"], letter["tries"], letter["time"]) == (f"answered {status}", tries, 12.5)
    assert letter["message"] == {"id": server.got[0][0][DELIVERY_HEADER], "a": 1}
    assert len(server.got) == tries
    assert "hush" not in json.dumps(letter)


def test_one_that_never_answers_holds_nothing_up(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        webhook = Webhook(url, tmp_path / "dead" / "letters.jsonl", timeout=0.1, max_attempts=2, jitter=lambda: 0.01)
        for number in range(3):
            webhook.put({"n": number})
        webhook.close(grace=0.05)
    found = letters(tmp_path)
    assert [letter["message"]["n"] for letter in found] == [0, 1, 2]
    assert (webhook.delivered, webhook.undelivered) == (0, 3)


def test_one_that_answers_byte_by_byte_holds_nothing_up_either(tmp_path):
    let_go = threading.Event()

    def drip(request, timeout):
        let_go.wait(60)
        return 200

    webhook = Webhook("http://host/", tmp_path / "dead" / "letters.jsonl", timeout=-0.99, send=drip)
    webhook.put({"n": 0})
    webhook.put({"n": 1})
    webhook.close(grace=0.05)
    assert [letter["message"]["n"] for letter in letters(tmp_path)] == [0, 1]
    let_go.set()
    webhook._thread.join(30)
    assert len(letters(tmp_path)) == 2


def test_what_there_is_no_room_for_is_a_dead_letter_at_once(tmp_path):
    let_go, busy = threading.Event(), threading.Event()

    def wait(request, timeout):
        busy.set()
        let_go.wait(60)
        return 200

    webhook = Webhook("http://host/", tmp_path / "dead" / "letters.jsonl", max_queued=1, send=wait)
    webhook.put({"n": 0})
    assert busy.wait(30)
    webhook.put({"n": 1})
    webhook.put({"n": 2})
    (letter,) = letters(tmp_path)
    assert (letter["message"]["n"], letter["reason"]) == (2, "1 message waiting already")
    let_go.set()
    webhook.close()
    assert webhook.delivered >= 1
    assert webhook.delivered + webhook.undelivered == 3


def test_waits_grow_and_are_uneven(tmp_path, monkeypatch):
    waits: list[float] = []
    webhook = Webhook("http://host/", tmp_path / "l", max_attempts=9, send=lambda *_: 500, jitter=lambda: 0.5)
    monkeypatch.setattr(webhook._stop, "wait", waits.append)
    webhook.put({})
    webhook.close(grace=30)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15]


def test_a_letter_that_cannot_be_written_is_logged(tmp_path, caplog):
    webhook = Webhook("http://host/", tmp_path / "letters", send=lambda *_: 404)
    (tmp_path / "letters").mkdir()
    webhook.put({"n": 7})
    webhook.close()
    assert '"n": 7' in caplog.text


def test_an_undelivered_folder_that_cannot_be_written_is_an_error_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        Webhook("http://host/", tmp_path / "file" / "letters")
    Webhook("http://host/", tmp_path / "letters").close()
    assert not (tmp_path / "letters").exists()


def test_nobody_there(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    webhook = Webhook(url, tmp_path / "dead" / "letters.jsonl", max_attempts=1)
    webhook.put({})
    webhook.close()
    assert "refused" in letters(tmp_path)[0]["reason"]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/", "hook", "http://", "http://[::1", "http://h:99999/", "http://h/a b"]
)
def test_addresses_that_cannot_be_called(url):
    with pytest.raises(OptionError, match="the webhook is no valid URL") as error:
        check_url(url)
    assert str(error.value).endswith("give http://HOST/PATH or https://HOST/PATH")


def test_a_password_in_the_address_is_refused_and_not_repeated():
    with pytest.raises(OptionError, match="holds a name or password") as error:
        check_url("https://ada:hush@host/")
    assert "hush" not in str(error.value)


def test_the_secret_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET_VARIABLE, raising=False)
    assert find_secret(None) is None
    monkeypatch.setenv(SECRET_VARIABLE, "a")
    assert find_secret(None) == b"a"
    (tmp_path / "secret").write_text("b\n")
    assert find_secret(tmp_path / "secret") == b"b"
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(OptionError, match="is empty"):
        find_secret(tmp_path / "empty")
    with pytest.raises(OptionError, match="no such file"):
        find_secret(tmp_path / "none")


def test_invalid_signatures_are_rejected():
    body, stamp = b"{}", 1000
    good = sign(body, stamp, b"s")
    assert verify(body, "1000", good, b"s", now=1300)
    assert not verify(body, "1000", good, b"s", now=1301)
    assert not verify(body, "1001", good, b"s", now=1000)
    assert not verify(b"[]", "1000", good, b"s", now=1000)
    assert not verify(body, "1000", good, b"t", now=1000)
    for odd in ("", "x", "²", "-1", "9" * 5000):
        assert not verify(body, odd, good, b"s", now=1000)
    assert not verify(body, "1000", "ü", b"s", now=1000)


def test_send_returns_the_status_of_a_failure(server):
    from urllib.request import Request

    server.answers = [410]
    with contextlib.suppress(ConnectionError):
        assert send(Request(f"http://127.0.0.1:{server.server_port}/", b"{}", method="POST"), 10) == 410
