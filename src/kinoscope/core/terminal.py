"""Text for a terminal: control characters are shown, never executed; warnings are one line."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from typing import Any, TextIO

from kinoscope.core.addresses import mask

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters except tabs and line ends, and those that change the direction of text."""


def escape_control(text: str) -> str:
    r"""Return text with its control characters escaped: ESC as ``\x1b``, a change of direction as ``\u202e``.

    Those that JSON may contain are escaped as in JSON, so that JSON stays equivalent.
    """
    return _CONTROL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


class EscapingStream:
    """A text stream for a terminal that escapes control characters: ``write`` applies :func:`escape_control`.

    Rich, which colours its own text, writes to the underlying stream; see ``views.console.data_console``.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write text; return its length."""
        self.rich_proxied_file.write(escape_control(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several strings."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def warn(message: object) -> None:
    """Print a message to standard error as one line, without the secrets of addresses in it."""
    line = mask(str(message)).replace("\n", "\\n")
    with suppress(OSError):
        print(f"kinoscope: {line}", file=sys.stderr)
