"""Signed messages: a receiver with the secret can verify who sent a webhook, and when.

The signature is the HMAC-SHA256 of ``TIMESTAMP.BODY``, as hexadecimal digits after ``sha256=``.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from kinoscope.core.errors import OptionError

SECRET_VARIABLE = "KINOSCOPE_WEBHOOK_SECRET"
"""The environment variable that holds the secret, if no file does."""

SIGNATURE_HEADER, TIMESTAMP_HEADER, DELIVERY_HEADER = "Kinoscope-Signature", "Kinoscope-Timestamp", "Kinoscope-Delivery"
"""Headers: the signature, the Unix time in seconds at which it was made, and the id of a message in all attempts."""


def sign(body: bytes, timestamp: int, secret: bytes) -> str:
    """Return the signature of a body that is sent at ``timestamp``."""
    return "sha256=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def verify(body: bytes, timestamp: str, signature: str, secret: bytes, now: float, tolerance: float = 300) -> bool:
    """Return whether a message is genuine and at most ``tolerance`` seconds old: for its receiver.

    Args:
        body: as received, before parsing.
        timestamp, signature: the headers.
        secret: shared with the sender.
        now: Unix time in seconds.
        tolerance: in seconds.
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    expected = sign(body, int(timestamp), secret)
    return hmac.compare_digest(expected.encode(), signature.encode()) and abs(now - int(timestamp)) <= tolerance


def find_secret(file: str | Path | None) -> bytes | None:
    """Return the secret from a file or from the environment, or None if there is none.

    Raises:
        OptionError: the file cannot be read, or is empty.
    """
    if file is None:
        return os.environ.get(SECRET_VARIABLE, "").encode() or None
    try:
        secret = Path(file).read_bytes().strip()
    except OSError as error:
        raise OptionError(f"cannot read the secret in {file}: {(error.strerror or str(error)).lower()}") from None
    if not secret:
        raise OptionError(f"the secret in {file} is empty; write a long random word into it")
    return secret
