"""Check a built site: every link in it has a target, and no page loads anything from another server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script", "link", "img", "iframe", "source", "audio", "video", "object", "embed", "use", "image"}
IN_STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s;]+)")


class Page(HTMLParser):
    """The links, anchors and loaded addresses of an HTML page.

    Attributes:
        links: addresses that it links to or loads, as written.
        loads: those of them that a browser fetches without a click.
        anchors: values of `id` and `name`.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element refers to."""
        values = {name: value for name, value in attrs if value}
        self._in_style = tag == "style"
        self.loads += IN_STYLE.findall(values.get("style", ""))
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        for name in ("href", "src", "data", "poster", "xlink:href"):
            if name in values:
                self.links.append(values[name])
                if tag in LOADS and values.get("rel") != "canonical":
                    self.loads.append(values[name])
        for candidate in values.get("srcset", "").split(","):
            if candidate.strip():
                self.loads.append(candidate.split()[0])

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a style."""
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        """Note what a style inside the page loads."""
        if self._in_style:
            self.loads += IN_STYLE.findall(data)


def faults(site: Path) -> list[str]:
    """Return one line for each broken link, broken anchor and foreign address of a built site.

    Args:
        site: the folder with the built HTML, CSS and images. Pages link to each other by relative addresses.
    """
    site = site.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [f"{path.relative_to(site)}: {fault}" for path in pages for fault in _of_page(path, pages, site)]
    for path in sorted(site.rglob("*.css")):
        addresses = IN_STYLE.findall(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: loads {address} from another server" for address in addresses]
    return found


def _of_page(path: Path, pages: dict[Path, Page], site: Path) -> Iterator[str]:
    for address in pages[path].loads:
        if urlsplit(address).netloc:
            yield f"loads {address} from another server"
    if path.name == "404.html":
        return  # its links are those of the site's root, wherever it is shown
    for address in dict.fromkeys(pages[path].links):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        if not target.is_relative_to(site) or not target.is_file():
            yield f"links to {address}, which is not there"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"links to {address}, but {target.name} has no such anchor"
