"""Hooks of the documentation site (``mkdocs.yml``): pages of files and notebooks of the repository, options, links.

A page with ``source: PATH`` in its metadata shows that file, such as the changelog, which is written once. Links are
written as they work in the repository; here those to files that are no pages lead to the repository on the web.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # mkdocs loads this file by its path
from tools.docs_options import insert_options  # noqa: E402
from tools.notebooks import to_markdown  # noqa: E402

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

DOCS = "docs"
LINK = re.compile(r"(\]\()([^)#\s:]+)(#[^)\s]*)?(\))")
PAGES = {
    "README.md": "docs/index.md",
    "CHANGELOG.md": "docs/changelog.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "SECURITY.md": "docs/security.md",
    "CODE_OF_CONDUCT.md": "docs/conduct.md",
    "benchmarks/README.md": "docs/benchmarks.md",
}
"""File of the repository -> the page that shows it, or what it says."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Return the files of the site, with a page for each notebook."""
    from mkdocs.structure.files import File

    for path in sorted((ROOT / DOCS / "notebooks").glob("*.ipynb")):
        page = File.generated(config, f"notebooks/{path.stem}.md", content=to_markdown(path))
        files.append(page)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the text of a page, with the file that it shows and links that work on the site."""
    name = f"{DOCS}/{page.file.src_uri}"  # of a notebook with another suffix, which changes no relative link
    source = page.meta.get("source", name)
    text = (ROOT / source).read_text("utf-8") if "source" in page.meta else insert_options(markdown)
    return rewrite_links(text, source, name, str(config.repo_url))


def rewrite_links(text: str, source: str, page: str, repository: str) -> str:
    """Return Markdown whose relative links, written for the file ``source``, work on the page ``page``.

    Args:
        text: Markdown.
        source: path of the file for which the links are written, from the root of the repository.
        page: path of the page, likewise.
        repository: address of the repository on the web.
    """

    def rewrite(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = PAGES.get(target, target)
        if target.startswith(f"{DOCS}/"):
            target = re.sub(r"\.ipynb$", ".md", target)
            address = posixpath.relpath(target, posixpath.dirname(page))
        else:
            kind = "tree" if (ROOT / target).is_dir() else "blob"
            address = f"{repository}/{kind}/main/{target}"
        return f"{match[1]}{address}{match[3] or ''}{match[4]}"

    return outside_code(text, lambda part: LINK.sub(rewrite, part))


def outside_code(text: str, change: Any) -> str:
    """Return Markdown with the parts outside fenced blocks changed."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    return "".join(part if number % 2 else change(part) for number, part in enumerate(parts))
