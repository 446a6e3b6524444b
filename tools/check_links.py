"""Check the links of a built site without a network.

    python tools/check_links.py SITE [--external]

Fails if a link, an image or a stylesheet of a page leads to a file that is not in the site, or to an anchor that its
page does not have. ``--external`` lists the addresses of other sites; they are never fetched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ADDRESSES = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}
"""Tag -> attribute that holds an address."""

UNCHECKED = ("404.html",)
"""Pages that are served at any address, so that their relative links have no meaning."""


def main() -> int:
    """Check a site, print the broken links and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("--external", action="store_true", help="also list the addresses of other sites")
    options = parser.parse_args()
    site = Site(options.site.resolve())
    broken = list(site.broken())
    print("\n".join(site.external if options.external else []))
    print("\n".join(broken) or f"{len(site.pages)} pages, {site.count} links inside the site, none broken")
    return bool(broken)


class Page(HTMLParser):
    """The addresses and the anchors of a page.

    Attributes:
        addresses: of links, images, scripts and stylesheets, in their order.
        anchors: values of ``id`` and ``name``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record what a tag links to, and its anchor."""
        values = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := values.get(name))}
        address = values.get(ADDRESSES.get(tag, ""))
        if address is not None:
            self.addresses.append(address)


@dataclass
class Site:
    """A folder of HTML pages."""

    root: Path
    count: int = field(default=0, init=False)

    @cached_property
    def pages(self) -> dict[Path, Page]:
        """The pages by path."""
        return {path: Page(path) for path in sorted(self.root.rglob("*.html")) if path.name not in UNCHECKED}

    @property
    def external(self) -> list[str]:
        """The addresses of other sites, sorted."""
        found = {address for page in self.pages.values() for address in page.addresses}
        return sorted(address for address in found if is_external(address))

    def broken(self) -> Iterator[str]:
        """Yield a line for each address that leads nowhere."""
        for path, page in self.pages.items():
            for address in page.addresses:
                if not is_external(address):
                    self.count += 1
                    reason = self.reason(path, address)
                    if reason:
                        yield f"{path.relative_to(self.root)}: {address}: {reason}"

    def reason(self, path: Path, address: str) -> str:
        """Return why an address on a page leads nowhere, or an empty string."""
        parts = urlsplit(address)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.is_relative_to(self.root) or not target.is_file():
            return "no such file"
        anchor = unquote(parts.fragment)
        if anchor and target in self.pages and anchor not in self.pages[target].anchors:
            return "no such anchor"
        return ""


def is_external(address: str) -> bool:
    """Return whether an address belongs to another site, or holds its content itself."""
    return bool(urlsplit(address).scheme) or address.startswith("//")


if __name__ == "__main__":
    sys.exit(main())
