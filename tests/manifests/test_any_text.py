"""Whatever a file contains, the check ends with findings and not with a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rfmeta_dist.manifests.check import findings
from tests.manifests.planting import ALL

PLAIN = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    return [found for step in steps for found in [(*path, step), *_paths(value[step], (*path, step))]]


@PLAIN
@given(st.text())
def test_any_text_ends_in_findings(text):
    assert all(finding.problem and finding.remedy for finding in findings(text, "any"))


@PLAIN
@given(st.data())
def test_a_manifest_that_was_cut_or_spoilt_ends_in_findings(data):
    text = data.draw(st.sampled_from(list(ALL.values())))
    cut = data.draw(st.integers(0, len(text)))
    spoilt = data.draw(st.text(alphabet="{}[]:-,&*!|>'\"%@`#?\n\t 0aé\u2028", max_size=6))
    resumed = data.draw(st.integers(cut, len(text)))
    for finding in findings(text[:cut] + spoilt + text[resumed:], "cut"):
        assert finding.line is None or 1 <= finding.line <= text.count("\n") + spoilt.count("\n") + 2


@PLAIN
@given(st.data())
def test_a_manifest_with_any_value_in_any_place_ends_in_findings(data):
    text = data.draw(st.sampled_from([text for name, text in ALL.items() if name not in ("core", "queues")]))
    manifest = yaml.safe_load(text)
    *above, last = data.draw(st.sampled_from(_paths(manifest)))
    parent = manifest
    for step in above:
        parent = parent[step]
    parent[last] = data.draw(VALUES)
    for purpose in ("apply", "submit"):
        assert all(str(finding) for finding in findings(json.dumps(manifest), "spoilt", purpose))


ODD = {
    "nothing": "",
    "only a comment": "# nothing\n---\n",
    "deep": "[" * 1200,
    "deep mapping": "a: {" * 1200,
    "itself": "&a [*a]",
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merges": "&a {<<: *a}",
    "merge of text": "a: {<<: text}",
    "binary": "kind: !!binary aGk=",
    "tag": "kind: !ruby/object hi",
    "python": "!!python/object/apply:os.system [exit]",
    "list as name": "? [a]\n: b",
    "no name": "~: a",
    "infinite": "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: a}\nspec: {entrypointNumCpus: .inf}",
    "too large": f"a: {'9' * 5000}",
    "float too large": "a: 1e999",
    "date": "apiVersion: 2026-01-99\nkind: 2026-11-30",
    "control": "a: \x00",
    "surrogate": "a: \ud800",
    "tab": "a:\n\tb: c",
    "unknown alias": "password: *hunter2",
    "unknown version": "%YAML 3.0\n---\na: b",
    "list of lists": "kind: List\napiVersion: v1\nitems: [[], {}, {kind: List, items: [1]}]",
    "kind of another type": "apiVersion: [v1]\nkind: {a: b}",
    "null items": "apiVersion: ray.io/v1\nkind: RayJob\nmetadata:\nspec:",
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_text_has_findings_that_show_no_value(name):
    found = findings(ODD[name], "odd")
    assert found
    assert "hunter2" not in " ".join(map(str, found))
