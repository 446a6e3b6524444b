"""HTML pages in one file each, which opens from disk, contains all its data, and needs no network.

A page is a folder in ``assets``: a skeleton, a style sheet and plain scripts, joined here with the shared ones, without
a build step. The data is embedded as JSON that no name or label can break out of; the scripts insert it as text, never
as markup, and the content security policy allows no other script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any


def compose(
    name: str,
    scripts: Iterable[str],
    title: str,
    data: Mapping[str, Any],
    *,
    column: bool = False,
    media: str = "'none'",
) -> str:
    """Return a page as text.

    Args:
        name: its folder in ``assets``.
        scripts: names of its scripts in the order in which they are joined; the constants of a script use only
            what is defined before them.
        title: in the tab of the browser.
        data: to embed, as JSON values.
        column: whether it has the header and the style of the pages with one column of cards.
        media: sources of audio and video, in the syntax of a content security policy.
    """
    assets = files("kinoscope.views.pages") / "assets"

    def joined(*names: str) -> str:
        return "\n".join((assets / file).read_text("utf-8") for file in names)

    shared = ["column"] if column else []
    script = joined("base.js", *(f"{name}/{script}.js" for script in scripts))
    parts = {
        "title": html.escape(title),
        "style": joined("base.css", *(f"{folder}/style.css" for folder in (*shared, name))),
        "script": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "media": media,
        "body": joined(*(f"{folder}/head.html" for folder in shared), f"{name}/page.html"),
        "data": _embed(data),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], joined("base.html"))


def _embed(plain: Mapping[str, Any]) -> str:
    """Encode JSON that is safe inside a script element, where only ``<`` could end or change it."""
    return json.dumps(plain, separators=(",", ":")).replace("<", "\\u003c")
