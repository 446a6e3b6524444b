"""The documentation site: it is built without a warning, and its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import kinoscope
from kinoscope.cli.commands import COMMANDS
from tools import check_links as links
from tools import docs_hooks as hooks
from tools import docs_options as options
from tools import draw_layers as drawing
from tools.docs_griffe import split_shared

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


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
        ("[a](notebooks/analyze.ipynb)", "[a](../notebooks/analyze.md)"),
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


def test_the_drawing_of_the_packages_is_that_of_the_layers(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["draw_layers", "--check"])
    assert drawing.main() == 0, capsys.readouterr().out
    text = drawing.TARGET.read_text()
    packages = {path.stem for path in (ROOT / "src" / "kinoscope").iterdir() if not path.name.startswith(("_", "py."))}
    assert {name for layer in drawing.read_layers() for name in layer} == packages
    assert [name for name in packages if f">{name}</text>" not in text] == []


def test_a_drawing_that_is_not_up_to_date_is_found(monkeypatch, capsys):
    monkeypatch.setattr(drawing, "TARGET", ROOT / "docs" / "images" / "gone.svg")
    monkeypatch.setattr("sys.argv", ["draw_layers", "--check"])
    assert drawing.main() == 1
    assert "run python tools/draw_layers.py" in capsys.readouterr().out


def test_the_options_of_a_page_are_those_of_the_help():
    table = options.table("watch")
    assert "| `--rules` | required | YAML file of rules" in table
    assert "| `--device` | `auto` | auto (a GPU if there is one), cpu or cuda. |" in table
    assert "- **epochs**: " in options.training("classify")
    with pytest.raises(ValueError, match="there is no training 'cooking'"):
        options.training("cooking")
    text = options.insert_options("a\n\n<!-- options: watch -->\n\n<!-- options: train predict -->\n")
    assert "`--rules`" in text
    assert "- **horizon**: " in text


def test_parameters_that_share_a_description_get_one_each():
    docstring = """Read.

    Args:
        start, end: in seconds,
            or as a clock.
        rate: of frames.

    Raises:
        OptionError, SourceError: one cannot be used."""
    assert (
        split_shared(docstring)
        == """Read.

    Args:
        start: in seconds,
            or as a clock.
        end: in seconds,
            or as a clock.
        rate: of frames.

    Raises:
        OptionError, SourceError: one cannot be used."""
    )


def test_every_public_name_is_in_the_reference():
    pages = (DOCS / "reference" / "python").glob("*.md")
    named = [name for page in pages for name in re.findall(r"^::: kinoscope\.(\w+)$", page.read_text(), flags=re.M)]
    assert len(set(named)) == len(named)
    assert set(named) == set(dir(kinoscope)) - {"__version__"}


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_page_of_a_verb_has_its_options(verb):
    assert f"\n<!-- options: {verb} -->\n" in (DOCS / "how-to" / f"{verb}.md").read_text()
