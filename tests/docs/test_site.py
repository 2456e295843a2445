"""The site builds; a planted fault of each kind fails it; generated pages say what the program does."""

from __future__ import annotations

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.docs import configuration, links
from infra.docs.__main__ import ROOT, build, generated

needs_zensical = pytest.mark.skipif(not find_spec("zensical"), reason="zensical is not installed: make docs")


@pytest.mark.parametrize("path", generated(), ids=str)
def test_a_generated_page_is_what_the_program_says(path):
    assert (ROOT / path).read_text(encoding="utf-8") == generated()[path], "renew it with: make reference"


def test_the_reference_explains_every_field():
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", configuration.page(), re.MULTILINE)
    assert len(rows) > 50
    assert [field for field, meaning in rows if not meaning.strip()] == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what the site is built from; a test may spoil it."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    return tmp_path


@needs_zensical
def test_the_site_builds_without_a_fault(checkout):
    assert build(checkout) == []
    assert (checkout / "build/docs/tutorials/demo.html").stat().st_size > 1000


def plant(checkout: Path, *faults: str) -> None:
    page = checkout / "docs/index.md"
    page.write_text("\n\n".join([page.read_text(encoding="utf-8"), *faults, ""]), encoding="utf-8")


# One build, which takes seconds, shows several faults: each must be told, with its own place.
@needs_zensical
def test_links_to_no_page_and_to_no_anchor_fail_the_build(checkout):
    plant(checkout, "[gone](tutorials/nowhere.md)", "[gone](tutorials/demo.md#elsewhere)", "[gone](#here)")
    said = re.sub(r"\x1b\[[\d;]*m", "", *build(checkout))  # Zensical colours the parts of a link
    for written in ("nowhere.md", "demo.md#elsewhere", "(#here)"):
        assert said.count(written) == 1
    told = re.findall(r"╰─+ (.+)", said)  # under each link
    assert told == ["page does not exist", "anchor does not exist", "anchor does not exist"]


@needs_zensical
def test_files_that_are_missing_or_elsewhere_and_a_page_that_is_out_of_date_fail_the_build(checkout):
    gone = ("images/gone.png", "reference/gone.json", "https://example.org/gone.png")
    plant(checkout, f"![gone]({gone[0]})", f"[gone]({gone[1]})", f"![gone]({gone[2]})")
    page = checkout / "docs/reference/cli.md"
    page.write_text(page.read_text(encoding="utf-8").replace("--json", "--jsn"), encoding="utf-8")
    first, *others = build(checkout)
    assert "docs/reference/cli.md is not what the program says" in first
    for name in gone:
        assert [name in fault for fault in others].count(True) == 1


LOADED = {
    "script": '<script src="https://cdn.example/x.js"></script>',
    "protocol of the page": '<script src="//cdn.example/x.js"></script>',
    "style": '<link rel="stylesheet" href="https://cdn.example/x.css">',
    "connection ahead": '<link rel="preconnect" href="https://cdn.example">',
    "frame": '<iframe src="https://cdn.example/"></iframe>',
    "one of several pictures": '<img src="a.html" srcset="a.html 1x, https://cdn.example/2.png 2x">',
    "font in a page": "<style>@font-face { src: url(https://cdn.example/x.woff2) }</style>",
    "font of an element": '<p style="background: url(//cdn.example/x.png)">text</p>',
}


@pytest.mark.parametrize("kind", LOADED)
def test_what_a_page_would_load_from_elsewhere_is_found(tmp_path, kind):
    (tmp_path / "a.html").write_text(LOADED[kind], encoding="utf-8")
    (fault,) = links.faults(tmp_path)
    assert "cdn.example" in fault


def test_a_style_sheet_that_would_load_a_font_is_found(tmp_path):
    (tmp_path / "a.css").write_text("@import 'https://fonts.example/css'; p { color: red }", encoding="utf-8")
    assert len(links.faults(tmp_path)) == 1


def test_a_link_to_another_site_and_pictures_within_a_page_are_no_faults(tmp_path):
    page = '<a href="https://arxiv.org/abs/1911.10771">paper</a> <img src="data:image/png;base64,AA==">'
    style = "p { background: url(data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg'/>) }"
    (tmp_path / "a.html").write_text(f"{page}<style>{style}</style>", encoding="utf-8")
    assert links.faults(tmp_path) == []
