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


FAULTS = {
    "page": ("[gone](tutorials/gone.md)", "page does not exist"),
    "anchor": ("[gone](tutorials/demo.md#gone)", "anchor does not exist"),
    "own anchor": ("[gone](#gone)", "anchor does not exist"),
    "picture": ("![gone](images/gone.png)", "images/gone.png"),
    "file": ("[gone](reference/gone.json)", "reference/gone.json"),
    "picture from elsewhere": ("![gone](https://example.org/gone.png)", "https://example.org/gone.png"),
}


@needs_zensical
@pytest.mark.parametrize("kind", FAULTS)
def test_a_planted_fault_fails_the_build(checkout, kind):
    written, said = FAULTS[kind]
    page = checkout / "docs/index.md"
    page.write_text(page.read_text(encoding="utf-8") + f"\n{written}\n", encoding="utf-8")
    assert said in "\n".join(build(checkout))


@needs_zensical
def test_a_page_that_is_out_of_date_fails_the_build(checkout):
    page = checkout / "docs/reference/cli.md"
    page.write_text(page.read_text(encoding="utf-8").replace("--json", "--jsn"), encoding="utf-8")
    assert "docs/reference/cli.md is not what the program says" in build(checkout)[0]


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
