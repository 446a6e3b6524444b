"""Tell a web address of every alert, in a thread of its own: nobody waits for it, and nothing that fails is lost."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kinoscope import __version__
from kinoscope.core.addresses import Address, mask
from kinoscope.core.errors import OptionError, OutputError
from kinoscope.core.files import append, prepare_folder, require_free, write_error
from kinoscope.core.results import Event
from kinoscope.core.validation import pluralize
from kinoscope.pipeline.alerts.signing import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

log = logging.getLogger("kinoscope")

MAX_ATTEMPTS = 5
"""How often a message is sent before it is given up."""

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 30.0
"""Seconds before the second try, doubled for each further one, and at most."""

RETRIED_STATUSES = {408, 425, 429}
"""Answers under 500 after which it is worth another try."""

MAX_QUEUED_MESSAGES = 1000
"""Messages that may wait; what comes on top goes to the dead letters."""

Send = Callable[[Request, float], int]
"""Sends a request within a timeout in seconds and gives the status of the answer."""


class _NoRedirect(HTTPRedirectHandler):
    """Takes a redirect for an answer: a message must not go where nobody meant it to."""

    def redirect_request(self, *_: Any) -> None:
        """Give no new request."""


def send(request: Request, timeout: float) -> int:
    """Send a request, and give the status of the answer."""
    try:
        with build_opener(_NoRedirect()).open(request, timeout=timeout) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


class Webhook:
    """POSTs messages as JSON to a URL.

    A message that is not answered with 2xx is sent again after growing, uneven waits; one that never is, or that comes
    when too many wait, is written to the dead letters: a JSON object a line, with the message, the reason, the number
    of tries and the time. What is still waiting at the end goes there too.

    Args:
        url: http or https.
        dead_letters: the file of what was not delivered; made when first needed.
        secret: signs the messages, see ``signing``.
        timeout: seconds for which an answer is waited for.
        tries, held: see ``MAX_ATTEMPTS`` and ``MAX_QUEUED_MESSAGES``.
        send, clock: to send, and to tell the seconds since 1970.
        jitter: gives a factor from 0.5 to 1 for each wait.

    Raises:
        OptionError: the URL is not one that can be called.
        OutputError: dead letters could not be written.
    """

    def __init__(
        self,
        url: str,
        dead_letters: str | Path,
        secret: bytes | None = None,
        timeout: float = 5.0,
        tries: int = MAX_ATTEMPTS,
        held: int = MAX_QUEUED_MESSAGES,
        send: Send = send,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1),
    ) -> None:
        self.url, self.dead_letters, self.delivered, self.buried = check_url(url), Path(dead_letters), 0, 0
        check_undelivered_file(self.dead_letters)
        self._secret, self._timeout, self._tries, self._send = secret, timeout, tries, send
        self._clock, self._jitter, self._held = clock, jitter, held
        self._queue: Queue[dict[str, Any] | None] = Queue(held + 1)  # and a place for the end
        self._stop, self._lock, self._given_up = threading.Event(), threading.Lock(), False
        self._current: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self._work, name="kinoscope-webhook", daemon=True)
        self._thread.start()

    def put(self, message: dict[str, Any]) -> None:
        """Have a message sent; returns at once."""
        message = {"id": uuid.uuid4().hex} | message
        if self._queue.qsize() >= self._held:
            self._bury(message, f"{pluralize(self._held, 'message')} waiting already", 0)
        else:
            self._queue.put(message)

    def close(self, grace: float = 5.0) -> None:
        """Send what waits for ``grace`` seconds at most, and write the rest to the dead letters."""
        self._queue.put(None)
        self._thread.join(grace)
        self._stop.set()
        self._thread.join(self._timeout + 1)
        with self._lock:
            # A server that answers byte by byte can hold the thread for longer than any timeout.
            self._given_up = True
            current, self._current = self._current, None
        if current is not None:
            self._bury(current, "no answer before the end", 1)
        while (message := self._next(block=False)) is not None:
            self._bury(message, "the end came first", 0)

    def _work(self) -> None:
        while not self._stop.is_set() and (message := self._next()) is not None:
            reason, tries = self._deliver(message)
            with self._lock:
                if self._given_up:
                    return
                self._current = None
            if reason is None:
                self.delivered += 1
            else:
                self._bury(message, reason, tries)

    def _next(self, block: bool = True) -> dict[str, Any] | None:
        """Give the next message; None where there is none, or none will come."""
        try:
            message = self._queue.get(block)
        except Empty:
            return None
        with self._lock:
            self._current = message if block else None
        return message if message is not None or block else self._next(block)

    def _deliver(self, message: dict[str, Any]) -> tuple[str | None, int]:
        """Send a message until it is taken; give why it was not, or None, and the number of tries."""
        body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        reason, wait = "", FIRST_RETRY_SECONDS
        for made in range(1, self._tries + 1):
            reason, again = self._try(body, message["id"])
            if not reason:
                return None, made
            log.debug("webhook: %s, try %d", reason, made)
            if not again or made == self._tries or self._stop.wait(min(wait, MAX_RETRY_SECONDS) * self._jitter()):
                return reason, made
            wait *= 2
        return reason, self._tries

    def _try(self, body: bytes, delivery: str) -> tuple[str, bool]:
        """Send once; give what went wrong (nothing: it was taken), and whether it is worth another try."""
        try:
            status = self._send(self._request(body, delivery), self._timeout)
        except Exception as error:  # whatever a server does, the thread lives on
            return mask(f"{type(error).__name__}: {error}").splitlines()[0], True
        if 200 <= status < 300:
            return "", False
        return f"answered {status}", status in RETRIED_STATUSES or status >= 500

    def _request(self, body: bytes, delivery: str) -> Request:
        stamp = int(self._clock())
        headers = {"Content-Type": "application/json", "User-Agent": f"kinoscope/{__version__}"}
        headers |= {DELIVERY_HEADER: delivery, TIMESTAMP_HEADER: str(stamp)}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = sign(body, stamp, self._secret)
        return Request(self.url, body, headers, method="POST")

    def _bury(self, message: dict[str, Any], reason: str, tries: int) -> None:
        """Write a message to the dead letters; where even that fails, to the log."""
        letter = {"message": message, "reason": reason, "tries": tries, "time": round(self._clock(), 3)}
        line = json.dumps(letter, ensure_ascii=False)
        with self._lock:
            self.buried += 1
            try:
                append(self.dead_letters, line)
            except OutputError as error:
                log.error("%s; undelivered: %s", error, line)


def check_undelivered_file(path: Path) -> None:
    """Make sure that undelivered messages could be written.

    Raises:
        OutputError: they could not.
    """
    prepare_folder(path.parent)
    if require_free(path, any_command=True) and not os.access(path, os.W_OK):
        raise write_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def alert_message(event: Event, source: str, taken: datetime | None = None) -> dict[str, Any]:
    """Give what is told of an event.

    Args:
        event: an alert.
        source: where it was seen.
        taken: the time of day, where it is known.
    """
    plain: dict[str, Any] = {"kinoscope": __version__, "source": str(Address(source))}
    if taken is not None:
        plain["taken"] = taken.isoformat(timespec="milliseconds")
    return plain | {"event": event.to_dict()}


def check_url(url: str) -> str:
    """Give a URL back if it can be called.

    Raises:
        OptionError: it cannot; the message does not repeat it, since such addresses are often secrets.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or any(c.isspace() or not c.isprintable() for c in url):
        raise OptionError("the webhook is no address that can be called; give http://HOST/PATH or https://HOST/PATH")
    if parts.username is not None:
        raise OptionError("the webhook's address holds a name or password; leave it out, messages are signed instead")
    return url
