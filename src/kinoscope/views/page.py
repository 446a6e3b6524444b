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


def compose(name: str, scripts: Iterable[str], title: str, data: Mapping[str, Any]) -> str:
    """Give a page as text.

    Args:
        name: its folder in ``assets``.
        scripts: names of its scripts in the order in which they are joined; a script's constants use only what stands
            before them.
        title: as in the browser's tab.
        data: what it shows, in plain values.
    """
    assets = files("kinoscope.views") / "assets"
    script = "\n".join(
        (assets / f"{part}.js").read_text("utf-8") for part in ("base", *(f"{name}/{one}" for one in scripts))
    )
    parts = {
        "title": html.escape(title),
        "style": "\n".join((assets / part).read_text("utf-8") for part in ("base.css", f"{name}/style.css")),
        "script": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": _embed(data),
    }
    page = (assets / name / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _embed(plain: Mapping[str, Any]) -> str:
    """Write JSON that is safe inside a script element, where only ``<`` could end or change it."""
    return json.dumps(plain, separators=(",", ":")).replace("<", "\\u003c")
