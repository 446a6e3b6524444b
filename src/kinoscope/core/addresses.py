"""Addresses that hold secrets: what is shown of them, and what they are opened by.

User names, passwords, queries and fragments of web addresses are secrets. ``Address`` is the string without them, so
that whatever prints it, writes it or takes a name from it shows none; ``reveal`` returns the real one, which is needed
only where a connection is opened. ``mask`` takes the secrets out of any other text.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath

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
    """A web address without its secrets; any other path as it is.

    Keep it as it is on its way to where it is opened: ``str(address)`` is a plain string, and cannot be.

    Attributes:
        real: the whole address, to open it by.
    """

    __slots__ = ("real",)
    real: str

    def __new__(cls, text: str | os.PathLike[str]) -> Address:
        """Return ``text`` itself if it is an Address already."""
        if isinstance(text, cls):
            return text
        real = os.fspath(text)
        shown = super().__new__(cls, mask_address(real))
        shown.real = real
        return shown

    def __getnewargs__(self) -> tuple[str]:
        return (self.real,)


def reveal(path: str) -> str:
    """Return the real address of ``path``, secrets and all."""
    return path.real if isinstance(path, Address) else path


def mask_address(text: str) -> str:
    """Return ``text``, which is one address or path, with ``***`` for each secret in it."""
    found = _SCHEME.match(text)
    return found[0] + _mask_rest(text[found.end() :]) if found else text


def is_address(text: str) -> bool:
    """Return whether a text begins as a web address does, also where a path has been made of it (``http:/host``)."""
    return _SCHEME.match(text) is not None


def mask(text: str) -> str:
    """Return ``text`` with ``***`` for each secret of the web addresses in it."""
    return _URL.sub(lambda found: found["scheme"] + _mask_rest(found["rest"]), text)


def short_name(source: str | os.PathLike[str]) -> str:
    """Return the last part of a path or an address, or the host of an address without one; never a secret."""
    shown = str(Address(source))
    if "://" not in shown:
        return PurePath(shown).name or shown
    host, _, path = shown.partition("://")[2].partition("?")[0].partition("#")[0].partition("/")
    return path.rstrip("/").rpartition("/")[2] or host.rpartition("@")[2] or "stream"


def _mask_rest(rest: str) -> str:
    """Mask what follows ``scheme://``."""
    user, place = _part_user(rest)
    path, query, _ = _part_query(place)
    return user + _KEY_VALUE.sub(rf"\g<1>{HIDDEN}", path) + (f"{query}{HIDDEN}" if query else "")


def _part_user(rest: str) -> tuple[str, str]:
    """Return what stands for the user, if there is one, and what follows it.

    A user ends at the last ``@`` before the path. A password with a ``/``, ``?`` or ``#`` in it, which should have been
    written as ``%2F``, makes what looks like the host none: then all up to the last ``@`` is taken for the user.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return f"{HIDDEN}@", rest[authority.rindex("@") + 1 :]
    if _HOST.match(rest):
        return "", rest
    return (f"{HIDDEN}@", rest.rpartition("@")[2]) if "@" in rest else (HIDDEN, "")


def _part_query(place: str) -> tuple[str, str, str]:
    """Part an address at the sign that begins its query or its fragment."""
    found = re.search(r"[?#]", place)
    if found is None:
        return place, "", ""
    return place[: found.start()], found[0], place[found.end() :]
