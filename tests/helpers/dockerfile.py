"""Reading of a Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path


def read_instructions(path: Path, name: str) -> list[list[str]]:
    """Return the words of each instruction of that name, in their order; continued lines are joined."""
    text = re.sub(r"\\\n", " ", path.read_text("utf-8"))
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [words for first, *words in lines if first == name]
