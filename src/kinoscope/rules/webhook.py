"""Alerts sent to a web address: signed, tried again, and kept in a file where they cannot be delivered.

Each alert is one POST of JSON. ``X-Kinoscope-Signature: t=SECONDS,v1=HEX`` is the HMAC-SHA256 (RFC 2104), under the
secret, of ``SECONDS.BODY``; who receives it compares, and refuses what is older than a few minutes. Deliveries wait in
a queue of bounded length and go out in a thread of their own, so that no address, however slow, holds up the video.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kinoscope.core.errors import OptionError
from kinoscope.core.files import cannot_write

TRIES = 5
"""How often an alert is sent before it is given up."""
TIMEOUT = 5.0
"""Seconds that an address may take to answer."""
WAITING = 1000
"""Alerts that may wait; of more, the oldest go to the file."""
RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""HTTP answers after which it is worth trying again."""


class Webhook:
    """Delivers alerts to a web address.

    Args:
        url: http or https.
        secret: shared with who receives; unsigned without one.
        dead: file to which what cannot be delivered is added, a JSON object a line, with the reason.
        tries, timeout: how often, and for how many seconds at a time.
        wait: waits for some seconds, or until it is told to stop; gives whether it was.

    Raises:
        OptionError: the address cannot be used.
    """

    def __init__(
        self,
        url: str,
        secret: str | None = None,
        dead: Path = Path("undelivered.jsonl"),
        tries: int = TRIES,
        timeout: float = TIMEOUT,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._url, self._secret, self._dead, self._tries, self._timeout = check_url(url), secret, dead, tries, timeout
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._opener = build_opener(_NoRedirects)
        self._queue: deque[dict[str, Any]] = deque()
        self._change = threading.Condition()
        self._closed = False
        self.delivered = self.failed = 0
        self._thread = threading.Thread(target=self._work, name="kinoscope-webhook", daemon=True)
        self._thread.start()

    def send(self, alert: Mapping[str, Any]) -> None:
        """Take an alert to be delivered; returns at once."""
        with self._change:
            self._queue.append(dict(alert))
            overflow = self._queue.popleft() if len(self._queue) > WAITING else None
            self._change.notify()
        if overflow is not None:
            self._bury(overflow, f"more than {WAITING} alerts were waiting")

    def close(self, seconds: float = 10.0) -> None:
        """Deliver what still waits, for at most so many seconds; the rest goes to the file."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join(seconds)
        self._stop.set()  # nothing is tried again from now on
        with self._change:
            left, self._queue = list(self._queue), deque()
        for alert in left:
            self._bury(alert, "the watch ended before it could be delivered")
        self._thread.join(self._timeout + 1)

    def _work(self) -> None:
        while (alert := self._next()) is not None:
            why = self._deliver(alert)
            if why is None:
                self.delivered += 1
            else:
                self._bury(alert, why)

    def _next(self) -> dict[str, Any] | None:
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closed)
            return self._queue.popleft() if self._queue else None

    def _deliver(self, alert: dict[str, Any]) -> str | None:
        """Send an alert until it arrives; give why it did not."""
        body, why = json.dumps(alert, allow_nan=False).encode(), "no try was made"
        for number in range(self._tries):
            if number and self._wait(0.5 * 2 ** (number - 1) * random.uniform(0.75, 1.25)):
                return why
            why, again = self._post(body)
            if why == "":
                return None
            if not again:
                return why
        return why

    def _post(self, body: bytes) -> tuple[str, bool]:
        """Send once; give what went wrong, empty if nothing, and whether another try may help."""
        headers = {"Content-Type": "application/json", "User-Agent": "kinoscope"} | signature(self._secret, body)
        try:
            with self._opener.open(Request(self._url, body, headers, method="POST"), timeout=self._timeout) as answer:
                answer.read(1024)
            return "", False
        except HTTPError as error:
            error.close()
            return f"it answered {error.code}", error.code in RETRIED
        except (OSError, http.client.HTTPException, ValueError) as error:
            return f"{type(error).__name__}: {error}"[:200], True

    def _bury(self, alert: Mapping[str, Any], why: str) -> None:
        """Add an alert to the file of those that did not arrive."""
        self.failed += 1
        line = json.dumps({"alert": alert, "url": _without_secrets(self._url), "why": why}, allow_nan=False)
        self._dead.parent.mkdir(parents=True, exist_ok=True)
        with self._dead.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class _NoRedirects(HTTPRedirectHandler):
    """An alert goes where the user said, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def signature(secret: str | None, body: bytes, now: Callable[[], float] = time.time) -> dict[str, str]:
    """Give the header that signs a body; none without a secret."""
    if not secret:
        return {}
    stamp = str(int(now()))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Kinoscope-Signature": f"t={stamp},v1={digest}"}


def check_url(url: str) -> str:
    """Give a web address back if alerts can be sent to it.

    Raises:
        OptionError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError(f"webhook {url!r} is no web address; give one that begins with https:// or http://")
    return url


def check_dead(path: Path) -> Path:
    """Make sure that undelivered alerts could be written.

    Raises:
        OutputError: they could not.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise cannot_write(path, error) from None
    if not path.stat().st_size:
        path.unlink()
    return path


def _without_secrets(url: str) -> str:
    """Give an address without password and query, which may hold keys."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
