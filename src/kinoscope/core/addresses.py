"""Source addresses that contain secrets: how they are displayed, and how they are opened.

User names, passwords, queries and fragments of URLs are secrets. ``Address`` is the string without them, so that
whatever prints it, writes it or derives a name from it exposes none; ``reveal`` returns the real URL, which is needed
only where a connection is opened. ``mask`` removes the secrets from any other text.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import Self

HIDDEN = "***"
"""Text that replaces a secret."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://?(?=[^/])")
_URL = re.compile(rf"(?P<scheme>{_SCHEME.pattern})(?P<rest>[^\s\"'<>`]+?)(?=[.,:;!)\]]*(?:[\s\"'<>`]|$))")
_HOST = re.compile(r"(?:\[[^\]/?#@]*\]|[^:/?#@]*)(?::\d*)?(?=[/?#]|$)")
_KEY_VALUE = re.compile(
    r"(?i)(?<![a-z])((?:user(?:name)?|usr|login|pass(?:word|wd)?|pwd|(?:access_?|auth_?)?token|auth|api_?key|key|secret"
    r"|signature|sig|j?sessionid)=)(?:(?!_[a-z]+=)[^/&;,])+"
)


class Address(str):
    """A URL without its secrets; any other path as it is.

    Pass the object itself to the place where it is opened: ``str(address)`` is a plain string and cannot be opened.

    Attributes:
        real: the whole address, secrets included.
    """

    __slots__ = ("real",)
    real: str

    def __new__(cls, text: str | os.PathLike[str]) -> Self:
        """Return the masked address; ``text`` itself if it is an Address already."""
        if isinstance(text, cls):
            return text
        real = os.fspath(text)
        shown = super().__new__(cls, mask_address(real))
        shown.real = real
        return shown

    def __getnewargs__(self) -> tuple[str]:
        return (self.real,)


def reveal(path: str) -> str:
    """Return the real address of ``path``, secrets included."""
    return path.real if isinstance(path, Address) else path


def mask_address(text: str) -> str:
    """Return ``text``, a single address or path, with ``***`` for each secret in it."""
    match = _SCHEME.match(text)
    return match[0] + _mask_rest(text[match.end() :]) if match else text


def is_address(text: str) -> bool:
    """Return whether a text starts like a URL, also as path handling rewrites one (``http:/host``)."""
    return _SCHEME.match(text) is not None


def mask(text: str) -> str:
    """Return ``text`` with ``***`` for each secret of the URLs in it."""
    return _URL.sub(lambda match: match["scheme"] + _mask_rest(match["rest"]), text)


def short_name(source: str | os.PathLike[str]) -> str:
    """Return the last component of a path or a URL, or the host of a URL without one; never a secret."""
    shown = str(Address(source))
    if "://" not in shown:
        return PurePath(shown).name or shown
    host, _, path = shown.partition("://")[2].partition("?")[0].partition("#")[0].partition("/")
    return path.rstrip("/").rpartition("/")[2] or host.rpartition("@")[2] or "stream"


def _mask_rest(rest: str) -> str:
    """Mask what follows ``scheme://``."""
    user, location = _split_user(rest)
    path, query, _ = _split_query(location)
    return user + _KEY_VALUE.sub(rf"\g<1>{HIDDEN}", path) + (f"{query}{HIDDEN}" if query else "")


def _split_user(rest: str) -> tuple[str, str]:
    """Return the mask of the user part, if there is one, and what follows it.

    The user part ends at the last ``@`` before the path. An unescaped ``/``, ``?`` or ``#`` in a password leaves an
    invalid host before it: then everything up to the last ``@`` is taken for the user part.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return f"{HIDDEN}@", rest[authority.rindex("@") + 1 :]
    if _HOST.match(rest):
        return "", rest
    return (f"{HIDDEN}@", rest.rpartition("@")[2]) if "@" in rest else (HIDDEN, "")


def _split_query(location: str) -> tuple[str, str, str]:
    """Split an address at the character that starts its query or its fragment."""
    match = re.search(r"[?#]", location)
    if match is None:
        return location, "", ""
    return location[: match.start()], match[0], location[match.end() :]
