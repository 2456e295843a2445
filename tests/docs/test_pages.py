"""The pages name only what exists: commands, options, fields, paths, imports, configurations, links."""

from __future__ import annotations

import importlib
import re
import tomllib
import unicodedata
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.config.load import load_config
from rfmeta_dist.runs.folder import MAY_DIFFER
from tests.named import FIELD, PATHS, invocations, require_field, require_invocation

ROOT = Path(__file__).parents[2]
# Lab notes tell of the day that they were written; the commands page is made of the commands.
NOTES = ("log.md", "study.md", "search.md", "why.md", "transfer.md", "speed.md", "cli.md")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "shards/README.md"])
}
LIVING = {name: text for name, text in PAGES.items() if not name.endswith(NOTES)}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENDINGS = ("md", "json", "html", "yaml", "safetensors", "onnx")  # of a file whose name begins as a section does


def prose(text: str) -> str:
    """Return a page without its Python, where a dot is no field of the configuration."""
    return BLOCK.sub(lambda block: "" if block[1] == "python" else block[0], text)


def test_there_is_something_to_check():
    assert len(LIVING) > 20
    assert sum(len([*invocations(text)]) for text in LIVING.values()) > 80


@pytest.mark.parametrize("name", LIVING)
def test_commands_options_and_fields_exist(name):
    for line in invocations(LIVING[name]):
        if line.split()[0] != "COMMAND":
            require_invocation(line)
    for section, rest in FIELD.findall(prose(LIVING[name])):
        if rest not in ENDINGS:
            require_field(section, rest)


@pytest.mark.parametrize("name", LIVING)
def test_paths_exist(name):
    missing = {
        path[0]
        for path in PATHS.finditer(LIVING[name])
        if not (ROOT / path[0].rstrip(".").rstrip("/")).exists()
    }
    assert missing == set()


@pytest.mark.parametrize("name", LIVING)
def test_python_imports_what_is_there(name):
    for kind, code in BLOCK.findall(LIVING[name]):
        if kind == "python":
            for module, names in re.findall(r"^from (rfmeta_dist[\w.]*) import (.+)$", code, re.MULTILINE):
                for imported in names.split(", "):
                    assert hasattr(importlib.import_module(module), imported), f"{module}.{imported}"


def test_whole_configurations_can_be_loaded(tmp_path):
    found = []
    for name, text in LIVING.items():
        for kind, code in BLOCK.findall(text):
            if kind == "yaml" and re.search(r"^run:", code, re.MULTILINE):
                (tmp_path / "page.yaml").write_text(code, encoding="utf-8")
                found.append((name, load_config(tmp_path / "page.yaml").run.name))
    assert [run for name, run in found if name == "docs/tutorials/own-data.md"] == ["mine"]
    assert len(found) >= 2


def test_the_page_on_resuming_lists_the_fields_that_may_change():
    listed = re.search(r"^## What may change$(.*?)^If any other", PAGES["docs/how-to/resume.md"], re.M | re.S)
    assert listed
    rows = [line.split("|")[1] for line in listed[1].splitlines() if line.startswith("|")]
    assert {f"{section}.{rest}" for row in rows for section, rest in FIELD.findall(row)} == MAY_DIFFER


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site names them."""
    titles = re.findall(r"^#+ (.+?)\s*$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    plain = (unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode() for title in titles)
    words = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in plain)
    return {re.sub(r"[-\s]+", "-", title) for title in words}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    for link in LINK.findall(PAGES[name]):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_in_the_navigation():
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    named = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(site["project"]["nav"])))
    there = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")}
    assert there - named == set(), "a page that nobody finds"
    assert named - there == set()
