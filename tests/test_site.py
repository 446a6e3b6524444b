"""The documentation site: it is built without a warning, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.load_tool import load_tool

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

hooks = load_tool("docs_hooks")
links = load_tool("check_links")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site."""
    pytest.importorskip("mkdocs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^WARNING", done.stderr, flags=re.M) is None, done.stderr
    return out


@pytest.mark.slow
def test_every_link_and_image_of_the_site_leads_somewhere(site):
    found = links.Site(site)
    assert list(found.broken()) == []
    assert found.count > 200


@pytest.mark.slow
def test_links_to_files_lead_to_files_of_the_repository(site):
    prefix = "https://github.com/kinoscope/kinoscope/"
    paths = [re.match(rf"{prefix}(?:blob|tree|edit)/main/(.+)", address) for address in links.Site(site).external]
    named = {path[1].split("#")[0] for path in paths if path}
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_files_have_the_page_that_shows_them():
    for name, page in hooks.PAGES.items():
        if name != "README.md":
            assert (ROOT / page).read_text().startswith(f"---\nsource: {name}\n---\n")


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("[a](metrics.md#fid)", "[a](../metrics.md#fid)"),
        ("![a](sync.png)", "![a](../sync.png)"),
        ("[a](../README.md)", "[a](../index.md)"),
        ("[a](../benchmarks/README.md#decoding)", "[a](../benchmarks.md#decoding)"),
        ("[a](../src/kinoscope/nets)", "[a](https://host/r/tree/main/src/kinoscope/nets)"),
        ("[a](../src/kinoscope/nets/x3d.py)", "[a](https://host/r/blob/main/src/kinoscope/nets/x3d.py)"),
        ("[a](https://host/x) [b](#here)", "[a](https://host/x) [b](#here)"),
        ("```\n[a](metrics.md)\n```", "```\n[a](metrics.md)\n```"),
    ],
)
def test_links_are_rewritten_for_the_page(text, rewritten):
    assert hooks.rewrite_links(text, "docs/other.md", "docs/how-to/page.md", "https://host/r") == rewritten
