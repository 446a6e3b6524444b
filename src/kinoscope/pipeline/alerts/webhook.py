"""Webhook that posts every alert, in a thread of its own: nothing waits for it, and undelivered messages are stored."""

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
"""Attempts to send a message."""

FIRST_RETRY_SECONDS, MAX_RETRY_SECONDS = 0.5, 30.0
"""Seconds before the second attempt, doubled for each further one, and their maximum."""

RETRIED_STATUSES = {408, 425, 429}
"""Statuses below 500 after which a message is sent again."""

MAX_QUEUED_MESSAGES = 1000
"""Messages in the queue; further ones are stored as undelivered."""

Send = Callable[[Request, float], int]
"""Sends a request within a timeout in seconds and returns the status of the response."""


class _NoRedirect(HTTPRedirectHandler):
    """Handler that takes a redirect for a response: a message must not go to an address that nobody chose."""

    def redirect_request(self, *_: Any) -> None:
        """Return no new request."""


def send(request: Request, timeout: float) -> int:
    """Send a request, and return the status of the response."""
    try:
        with build_opener(_NoRedirect()).open(request, timeout=timeout) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code


class Webhook:
    """Sender of messages as JSON, by POST to a URL.

    A message without a 2xx response is sent again after growing, random waits. One that fails every time, or that comes
    while the queue is full, is written to the file of undelivered messages: a JSON object per line, with the message,
    the reason, the number of attempts (``tries``) and the time. Messages still in the queue at the end are written
    there too.

    Args:
        url: http or https.
        undelivered_path: the file of undelivered messages; created when first needed.
        secret: signs the messages, see ``signing``.
        timeout: seconds to wait for a response.
        max_attempts, max_queued: see ``MAX_ATTEMPTS`` and ``MAX_QUEUED_MESSAGES``.
        send, clock: send a request, and return the Unix time in seconds.
        jitter: returns a factor from 0.5 to 1 for each wait.

    Raises:
        OptionError: the URL is invalid.
        OutputError: the file of undelivered messages cannot be written.
    """

    def __init__(
        self,
        url: str,
        undelivered_path: str | Path,
        secret: bytes | None = None,
        timeout: float = 5.0,
        max_attempts: int = MAX_ATTEMPTS,
        max_queued: int = MAX_QUEUED_MESSAGES,
        send: Send = send,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = lambda: random.uniform(0.5, 1),
    ) -> None:
        self.url, self.undelivered_path, self.delivered, self.undelivered = check_url(url), Path(undelivered_path), 0, 0
        check_undelivered_file(self.undelivered_path)
        self._secret, self._timeout, self._max_attempts, self._send = secret, timeout, max_attempts, send
        self._clock, self._jitter, self._max_queued = clock, jitter, max_queued
        self._queue: Queue[dict[str, Any] | None] = Queue(max_queued + 1)  # and an entry for the end
        self._stop, self._lock, self._given_up = threading.Event(), threading.Lock(), False
        self._current: dict[str, Any] | None = None
        self._thread = threading.Thread(target=self._run, name="kinoscope-webhook", daemon=True)
        self._thread.start()

    def put(self, message: dict[str, Any]) -> None:
        """Queue a message; returns at once."""
        message = {"id": uuid.uuid4().hex} | message
        if self._queue.qsize() >= self._max_queued:
            self._store_undelivered(message, f"{pluralize(self._max_queued, 'message')} waiting already", 0)
        else:
            self._queue.put(message)

    def close(self, grace: float = 5.0) -> None:
        """Send queued messages for ``grace`` seconds at most, and store the rest as undelivered."""
        self._queue.put(None)
        self._thread.join(grace)
        self._stop.set()
        self._thread.join(self._timeout + 1)
        with self._lock:
            # A server that answers byte by byte can hold the thread for longer than any timeout.
            self._given_up = True
            current, self._current = self._current, None
        if current is not None:
            self._store_undelivered(current, "no answer before the end", 1)
        while (message := self._next(block=False)) is not None:
            self._store_undelivered(message, "the end came first", 0)

    def _run(self) -> None:
        while not self._stop.is_set() and (message := self._next()) is not None:
            reason, attempts = self._deliver(message)
            with self._lock:
                if self._given_up:
                    return
                self._current = None
            if reason is None:
                self.delivered += 1
            else:
                self._store_undelivered(message, reason, attempts)

    def _next(self, block: bool = True) -> dict[str, Any] | None:
        """Return the next message; None if there is none, or at the end."""
        try:
            message = self._queue.get(block)
        except Empty:
            return None
        with self._lock:
            self._current = message if block else None
        return message if message is not None or block else self._next(block)

    def _deliver(self, message: dict[str, Any]) -> tuple[str | None, int]:
        """Send a message until it is accepted; return the reason if it was not, or None, and the number of attempts."""
        body = json.dumps(message, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        reason, wait = "", FIRST_RETRY_SECONDS
        for attempt in range(1, self._max_attempts + 1):
            reason, retry = self._try(body, message["id"])
            if not reason:
                return None, attempt
            log.debug("webhook: %s, try %d", reason, attempt)
            if (
                not retry
                or attempt == self._max_attempts
                or self._stop.wait(min(wait, MAX_RETRY_SECONDS) * self._jitter())
            ):
                return reason, attempt
            wait *= 2
        return reason, self._max_attempts

    def _try(self, body: bytes, delivery: str) -> tuple[str, bool]:
        """Send once; return the error, empty on success, and whether another attempt makes sense."""
        try:
            status = self._send(self._request(body, delivery), self._timeout)
        except Exception as error:  # whatever a server does, the thread must survive
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

    def _store_undelivered(self, message: dict[str, Any], reason: str, attempts: int) -> None:
        """Write a message to the file of undelivered messages; if even that fails, to the log."""
        entry = {"message": message, "reason": reason, "tries": attempts, "time": round(self._clock(), 3)}
        line = json.dumps(entry, ensure_ascii=False)
        with self._lock:
            self.undelivered += 1
            try:
                append(self.undelivered_path, line)
            except OutputError as error:
                log.error("%s; undelivered: %s", error, line)


def check_undelivered_file(path: Path) -> None:
    """Check that undelivered messages can be written.

    Raises:
        OutputError: they cannot.
    """
    prepare_folder(path.parent)
    if require_free(path, any_command=True) and not os.access(path, os.W_OK):
        raise write_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def alert_message(event: Event, source: str, taken: datetime | None = None) -> dict[str, Any]:
    """Return the message of an event.

    Args:
        event: an alert.
        source: of the video.
        taken: the time of day, if known.
    """
    fields: dict[str, Any] = {"kinoscope": __version__, "source": str(Address(source))}
    if taken is not None:
        fields["taken"] = taken.isoformat(timespec="milliseconds")
    return fields | {"event": event.to_dict()}


def check_url(url: str) -> str:
    """Return a URL if it is valid.

    Raises:
        OptionError: it is not; the message does not repeat it, since such addresses are often secrets.
    """
    try:
        parts = urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid or any(c.isspace() or not c.isprintable() for c in url):
        raise OptionError("the webhook is no valid URL; give http://HOST/PATH or https://HOST/PATH")
    if parts.username is not None:
        raise OptionError("the webhook's address holds a name or password; leave it out, messages are signed instead")
    return url
