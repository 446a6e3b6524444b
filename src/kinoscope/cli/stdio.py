"""The standard streams of the command line: escaped output, warnings of one line, masked logs and tracebacks."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any

from kinoscope.core.addresses import mask
from kinoscope.core.terminal import EscapingStream, warn


def escape_controls(stream: Any) -> Any:
    """Return a stream that writes the control characters of names, labels and messages as escape sequences.

    Characters that its encoding lacks, such as an emoji in cp1252, are escaped as well.
    """
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return stream if stream is None or isinstance(stream, EscapingStream) else EscapingStream(stream)


def discard_output() -> None:
    """Send standard output to the null device, so that flushing its buffer at exit raises no error."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, status: int) -> int:
    """Print an error, and return the exit status."""
    warn(message)
    return status


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print a traceback without the secrets of addresses in it; an exception hook."""
    print(mask("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


class MaskingFormatter(logging.Formatter):
    """Formatter of log records that masks the secrets of addresses."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the masked line of a record."""
        return mask(super().format(record))


def log_to_stderr() -> None:
    """Log the debug messages of kinoscope, and the warnings of other packages, to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter("%(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("kinoscope").setLevel(logging.DEBUG)
