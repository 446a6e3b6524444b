"""Draw the packages of kinoscope by their layers, as pyproject.toml declares them.

    python tools/draw_layers.py [--check]

Writes docs/images/layers.svg; with ``--check`` fails if it is not up to date. A package imports only packages below it.
"""

from __future__ import annotations

import ast
import html
import sys
import textwrap
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "layers.svg"
WIDTH, LEFT, TOP, GAP = 1080, 24, 20, 12
HEAD, LINE = 36, 14
"""Height of a box without its description, and of a line of it, in pixels."""

CHARACTER = 6.1
"""Width of a character of the description in pixels, about."""

STYLE = """
  text { font-family: system-ui, sans-serif; fill: #1f2a33 }
  .name { font-size: 15px; font-weight: 600 }
  .about { font-size: 11.5px }
  .box { fill: #eef3f6; stroke: #5b7688; stroke-width: 1.2 }
  .down { stroke: #5b7688; stroke-width: 1.2; marker-end: url(#head) }
"""


def main() -> int:
    """Write the drawing, or compare it with the file, and return the exit status."""
    drawing = draw(read_layers())
    if "--check" not in sys.argv[1:]:
        TARGET.parent.mkdir(exist_ok=True)
        TARGET.write_text(drawing, "utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text("utf-8") == drawing:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is not up to date; run python tools/draw_layers.py")
    return 1


def read_layers() -> list[list[str]]:
    """Return the names of the packages of each layer, from the top."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        contracts = tomllib.load(stream)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip().removeprefix("kinoscope.") for name in layer.split("|")] for layer in layers]


def describe(package: str) -> str:
    """Return the first sentence of the docstring of a package or module, without its full stop."""
    path = ROOT / "src" / "kinoscope" / package
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).rstrip(".").replace("`", "")


def draw(layers: list[list[str]]) -> str:
    """Return the drawing as SVG: a row for each layer, a box for each package."""
    parts, top = [], TOP
    for number, names in enumerate(layers):
        boxes, bottom = draw_row(names, top)
        parts += boxes
        top = bottom + 2 * GAP
        if number < len(layers) - 1:
            parts.append(f'<line class="down" x1="{WIDTH / 2}" y1="{bottom}" x2="{WIDTH / 2}" y2="{top}"/>')
    height = top - 2 * GAP + TOP
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="The packages of kinoscope by layers">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#5b7688"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def draw_row(names: list[str], top: int) -> tuple[list[str], int]:
    """Return the boxes of one layer, and where they end."""
    width = (WIDTH - 2 * LEFT - (len(names) - 1) * GAP) / len(names)
    abouts = [textwrap.wrap(describe(name), int((width - 20) / CHARACTER)) for name in names]
    height = HEAD + LINE * max(map(len, abouts))
    parts = []
    for number, (name, about) in enumerate(zip(names, abouts, strict=True)):
        left = LEFT + number * (width + GAP)
        parts.append(f'<rect class="box" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" rx="6"/>')
        parts.append(f'<text class="name" x="{left + 10:.1f}" y="{top + 22}">{name}</text>')
        for line, text in enumerate(about):
            y = top + 40 + line * LINE
            parts.append(f'<text class="about" x="{left + 10:.1f}" y="{y}">{html.escape(text)}</text>')
    return parts, top + height


if __name__ == "__main__":
    sys.exit(main())
