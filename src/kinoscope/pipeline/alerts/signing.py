"""Signed messages: whoever has the secret can tell that a webhook was called by us, and when.

The signature is the HMAC-SHA256 of ``TIMESTAMP_HEADER.BODY``, as hexadecimal digits after ``sha256=``.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from kinoscope.core.errors import OptionError

SECRET_VARIABLE = "KINOSCOPE_WEBHOOK_SECRET"
"""The environment variable that holds the secret, where no file does."""

SIGNATURE_HEADER, TIMESTAMP_HEADER, DELIVERY_HEADER = "Kinoscope-Signature", "Kinoscope-Timestamp", "Kinoscope-Delivery"
"""Headers: the signature, the seconds since 1970 at which it was made, and what one message keeps through all tries."""


def sign(body: bytes, timestamp: int, secret: bytes) -> str:
    """Give the signature of a body that is sent at ``timestamp``."""
    return "sha256=" + hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def verify(body: bytes, timestamp: str, signature: str, secret: bytes, now: float, tolerance: float = 300) -> bool:
    """Tell whether a message is genuine and at most ``tolerance`` seconds old: for those who receive it.

    Args:
        body: as it came, before anything is read from it.
        timestamp, signature: the headers.
        secret: that the sender has too.
        now: seconds since 1970.
    """
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return False
    wanted = sign(body, int(timestamp), secret)
    return hmac.compare_digest(wanted.encode(), signature.encode()) and abs(now - int(timestamp)) <= tolerance


def find_secret(file: str | Path | None) -> bytes | None:
    """Give the secret from a file or from the environment, or None where there is none.

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
