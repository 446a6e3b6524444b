"""The page of clips that a model made: all of them play side by side, and what is known of them stands beside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kinoscope.views.page import compose


def page(facts: Mapping[str, Any], video: bytes) -> str:
    """Give the page as text.

    Args:
        facts: the plain form of what was made, with ``by``: what made it. video: an mp4 of all clips side by side.
    """
    data = dict(facts) | {"video": "data:video/mp4;base64," + base64.b64encode(video).decode()}
    return compose(
        "generated", ["main"], f"{facts['clips']} clips by {facts['model']}", data, column=True, media="data:"
    )
