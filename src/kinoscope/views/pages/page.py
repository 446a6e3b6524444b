"""Pages: one HTML file each, that opens from disk, holds all it shows, and needs no network.

A page is a folder in ``assets``: a skeleton, a style sheet and plain scripts, joined here with what all pages share,
without a build step. What is shown goes in as JSON that no name or label can break out of; the scripts set all of it as
text, never as markup, and no other script may run.
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
    """Give a page as text.

    Args:
        name: its folder in ``assets``.
        scripts: names of its scripts in the order in which they are joined; a script's constants use only what stands
            before them.
        title: as in the browser's tab.
        data: what it shows, in plain values.
        column: whether it has the head and the looks of the pages that are one column of cards.
        media: where it may play sound and video from, as a content security policy says it.
    """
    assets = files("kinoscope.views.pages") / "assets"

    def joined(*names: str) -> str:
        return "\n".join((assets / one).read_text("utf-8") for one in names)

    shared = ["column"] if column else []
    script = joined("base.js", *(f"{name}/{one}.js" for one in scripts))
    parts = {
        "title": html.escape(title),
        "style": joined("base.css", *(f"{one}/style.css" for one in (*shared, name))),
        "script": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "media": media,
        "body": joined(*(f"{one}/head.html" for one in shared), f"{name}/page.html"),
        "data": _embed(data),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], joined("base.html"))


def _embed(plain: Mapping[str, Any]) -> str:
    """Write JSON that is safe inside a script element, where only ``<`` could end or change it."""
    return json.dumps(plain, separators=(",", ":")).replace("<", "\\u003c")
