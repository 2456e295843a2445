"""YAML is read as Kubernetes reads it, and each field keeps its line."""

from __future__ import annotations

import pytest

from rfmeta_dist.manifests.text import Document, Unreadable, documents


def only(text: str) -> Document:
    (found,) = documents(text)
    assert isinstance(found, Document), found
    return found


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", True), ("off", False), ("True", True), ("tRue", "tRue"), ("y", "y"),
        ("1e3", 1000.0), ("1.5", 1.5), (".5", 0.5), ("1_000", 1000), ("-7", -7), ("+7", 7),
        ("0644", 420), ("0o17", 15), ("0x1F", 31), ("0b11", 3), ("08", 8.0), ("1.2.3", "1.2.3"),
        ("12:30", "12:30"), ("2026-11-30", "2026-11-30"), ("4Gi", "4Gi"), ("500m", "500m"),
        ("~", None), ("null", None), ("", None), ("'7'", "7"), ('"true"', "true"),
        ("!!str 7", "7"), ("<<", "<<"),
    ],
)  # fmt: skip
def test_a_scalar_has_the_type_that_kubernetes_gives_it(written, meant):
    value = only(f"a: {written}").value["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_each_field_and_item_has_its_line():
    document = only("# first\na:\n  - b: 1\n    c:\n\n      d: 2\n  - e\nf: {g: 3,\n  h: 4}\n")
    assert document.value == {"a": [{"b": 1, "c": {"d": 2}}, "e"], "f": {"g": 3, "h": 4}}
    lines = {("a",): 2, ("a", 0): 3, ("a", 0, "c"): 4, ("a", 0, "c", "d"): 6, ("a", 1): 7, ("f", "h"): 9}
    assert {path: document.line(path) for path in lines} == lines
    assert document.line(("a", 0, "missing")) == 3
    assert document.line(("missing",)) == 2


def test_a_field_in_a_text_has_its_own_line():
    document = only("a:\n  env: |\n\n    b: 1\n    c:\n      d: 2\n")
    assert document.line(("a", "env", "c", "d")) == 6
    assert document.line(("a", "env", "b")) == 4


def test_documents_after_an_unreadable_one_are_read():
    kinds = [type(found) for found in documents("a: 1\n---\n? [b]\n: 2\n---\n# empty\n---\nc: 3\n")]
    assert kinds == [Document, Unreadable, Document]


def test_merged_fields_have_the_lines_of_the_alias():
    document = only("base: &base {x: 1, y: 2}\nmine:\n  <<: *base\n  y: 3\n")
    assert document.value["mine"] == {"x": 1, "y": 3}
    assert document.line(("mine", "x")) == 1
    assert document.line(("mine", "y")) == 4


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: 2\na: 3", 3), ("a:\n  b: [1\nc: 2", 3), ("a: 1\nb: !x 2", 2)]
)
def test_what_cannot_be_read_has_a_line(text, line):
    (found,) = documents(text)
    assert isinstance(found, Unreadable)
    assert found.line == line
