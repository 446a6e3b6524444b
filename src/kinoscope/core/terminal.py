"""Text on its way to a terminal: control characters are shown, never obeyed."""

from __future__ import annotations

import re
from typing import Any, TextIO

_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters but for tabs and ends of lines, and those that turn the direction of text."""


def escape_control(text: str) -> str:
    r"""Return text with its control characters written out: ESC as ``\x1b``, a turn of direction as ``\u202e``.

    Those that JSON may hold are written as JSON does, so that JSON stays what it was.
    """
    return _HIDDEN.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


class EscapingStream:
    """A text stream for a terminal, whatever names, labels and messages bring along: ``write`` goes by :func:`visible`.

    Rich, which colours its own text, writes to the stream beneath; see ``views.console.data_console``.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Write text; return its length."""
        self.rich_proxied_file.write(escape_control(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)
