"""The check of the links of a site: what it finds in pages made for it."""

from __future__ import annotations

import pytest

from tools import check_links as links

INDEX = '<h1 id="top">A</h1><a href="guide/">a folder</a><a href="guide/#start">an anchor</a><img src="a%20b.png">'
GUIDE = '<h2 id="start">B</h2><a href="../">up</a><a href="#start">a</a><a href="https://example.org/x">b</a>'
PAGES = {
    "index.html": INDEX,
    "guide/index.html": GUIDE,
    "404.html": '<a href="/anywhere/">served at any address</a>',
}


@pytest.fixture
def site(tmp_path):
    for name, text in PAGES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (tmp_path / "a b.png").touch()
    return tmp_path


def check(site) -> list[str]:
    return list(links.Site(site).broken())


def test_links_that_lead_somewhere(site, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["check_links", str(site), "--external"])
    assert links.main() == 0
    assert capsys.readouterr().out == "https://example.org/x\n2 pages, 5 links inside the site, none broken\n"


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        ('<a href="gone/">', "gone/: no such file"),
        ('<a href="guide/#gone">', "guide/#gone: no such anchor"),
        ('<a href="#gone">', "#gone: no such anchor"),
        ('<img src="gone.png">', "gone.png: no such file"),
        ('<script src="gone.js">', "gone.js: no such file"),
        ('<link href="gone.css">', "gone.css: no such file"),
        ('<a href="../outside.html">', "../outside.html: no such file"),
        ('<a href="/guide/">', "/guide/: no such file"),
    ],
)
def test_links_that_lead_nowhere(site, tag, reason, monkeypatch, capsys):
    with (site / "index.html").open("a") as page:
        page.write(tag)
    assert check(site) == [f"index.html: {reason}"]
    monkeypatch.setattr("sys.argv", ["check_links", str(site)])
    assert links.main() == 1
    assert f"index.html: {reason}\n" in capsys.readouterr().out
