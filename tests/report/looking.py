"""Look at a page: its elements, and how wide it is on a phone."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "br", "line", "wbr"}


class Outline(HTMLParser):
    """Collects tags with their attributes, and checks that elements nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def overflow(html: str, folder: Path) -> int:
    """Return by how many pixels a page is wider than the screen of a phone, as Chromium lays it out."""
    # A window of headless Chromium is never narrower than 500 px, but a frame in it can be.
    probe = "with (this.contentDocument.documentElement) document.title = scrollWidth - clientWidth"
    source = html.replace("&", "&amp;").replace('"', "&quot;")
    frame = f'<iframe style="width:390px;height:800px;border:0" onload="{probe}" srcdoc="{source}">'
    (folder / "frame.html").write_text(f"<title></title><body>{frame}</iframe></body>")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    profile = f"--user-data-dir={folder / 'profile'}"
    done = subprocess.run(
        [*command, profile, (folder / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = re.search(r"<title>(\d+)</title>", done.stdout)
    assert found
    return int(found[1])
