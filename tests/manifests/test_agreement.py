"""Our models and KubeRay's own schema give the same verdicts on manifests with planted mistakes.

The schema is not part of this project. Make it from KubeRay's CRDs: the openAPIV3Schema of each kind
under $defs, with `additionalProperties: false`. Name its file in KUBERAY_SCHEMA.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.manifests.check import findings
from rfmeta_dist.manifests.files import manifest_files
from rfmeta_dist.manifests.models.kinds import KINDS, RAY
from rfmeta_dist.manifests.shape import compare, field_names, type_at
from tests.manifests.planting import ALL, CLUSTER, JOB, MISTAKES, RAY_CRON, SUBMITTED

SCHEMA = os.environ.get("KUBERAY_SCHEMA")
pytestmark = pytest.mark.skipif(not SCHEMA, reason="KUBERAY_SCHEMA names no file with KubeRay's schema")
MANIFESTS = {"RayCluster": [CLUSTER], "RayJob": [JOB, SUBMITTED], "RayCronJob": [RAY_CRON]}
# Where our models ask for more than the schema, because KubeRay's Go code or Kubernetes does.
STRICTER = (
    "template.spec",  # without it, or without an item of containers, KubeRay finds no container
    "containers.0",
    "restartPolicy",  # Kubernetes refuses other words when the pod is made
    "submissionMode",  # other words are accepted, and the job is then never submitted
)


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(str(SCHEMA)).read_text(encoding="utf-8"))
    return {
        kind: jsonschema.Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{kind}"})
        for kind in MANIFESTS
    }


def by_models(manifest: Any) -> bool:
    """Return whether our models refuse a manifest, without the rules."""
    return any(compare(KINDS[RAY, manifest["kind"]], manifest))


def refuses(manifest: Any) -> bool:
    """Return whether we refuse a manifest, by models or rules."""
    text = json.dumps(manifest)  # which is YAML, too
    return by_models(manifest) or any(finding.kind == "error" for finding in findings(text, "test.yaml"))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each field and list item."""
    steps = value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    for step in steps:
        yield (*path, step)
        yield from places(value[step], (*path, step))


def changed(manifest: Any, path: tuple[Any, ...], how: str) -> Any:
    """Return a copy in which one field is misspelt, of another type or missing; None if that means nothing."""
    result = copy.deepcopy(manifest)
    parent = result
    for step in path[:-1]:
        parent = parent[step]
    name, value = path[-1], parent[path[-1]]
    if how == "missing":
        del parent[name]
    elif how == "misspelt" and isinstance(name, str):
        parent[name[:-1] + "x" + name[-1:]] = parent.pop(name)
    elif how == "text":
        parent[name] = "some text"
    elif how == "number":
        parent[name] = 7
    elif how == "fraction":
        parent[name] = 0.5
    elif how == "boolean":
        parent[name] = True
    elif how == "list":
        parent[name] = [value]
    elif how == "mapping":
        parent[name] = {"some": "text"}
    else:
        return None
    return result


def shipped() -> Iterator[tuple[Path, Any]]:
    """Yield each manifest of KubeRay's kinds in jobs/ and infra/kubernetes/, with its file."""
    root = Path(__file__).parents[2]
    for folder in (root / "jobs", root / "infra/kubernetes"):
        for file in manifest_files(folder)[0] if folder.is_dir() else ():
            for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8")):
                if manifest and manifest.get("kind") in MANIFESTS:
                    yield file, manifest


WAYS = ("missing", "misspelt", "text", "number", "fraction", "boolean", "list", "mapping")


def test_verdicts_on_systematic_mistakes_agree(validators, capsys):
    counts, missed, stricter, by_rules = {True: 0, False: 0}, [], [], 0
    for kind, texts in MANIFESTS.items():
        for manifest in map(yaml.safe_load, texts):
            assert not refuses(manifest)
            assert validators[kind].is_valid(manifest)
            for path in places(manifest):
                for how in WAYS if path not in (("apiVersion",), ("kind",)) else ():
                    wrong = changed(manifest, path, how)
                    if wrong is None:
                        continue
                    refused = not validators[kind].is_valid(wrong)
                    counts[refused] += 1
                    if refused and not refuses(wrong):
                        missed.append((kind, path, how))
                    elif not refused and by_models(wrong):
                        stricter.append((kind, path, how))
                    by_rules += not refused and not by_models(wrong) and refuses(wrong)
    unknown = [case for case in stricter if not ".".join(map(str, case[1])).endswith(STRICTER)]
    total = sum(counts.values())
    with capsys.disabled():
        sys.stdout.write(
            f"\nsystematic changes: {total}, of which the schema refuses {counts[True]}; equal verdicts "
            f"{total - len(missed) - len(stricter) - by_rules}, refused by our rules alone {by_rules}, by our "
            f"models alone {len(stricter)}, by the schema alone {len(missed)}"
        )
    assert missed == []
    assert unknown == []
    assert counts[True] > 1000


def test_shipped_manifests_suit_both(validators, capsys):
    found = list(shipped())
    for file, manifest in found:
        assert not by_models(manifest), file
        assert validators[manifest["kind"]].is_valid(manifest), file
    with capsys.disabled():
        sys.stdout.write(f"\nshipped: {len(found)} manifests of KubeRay's kinds suit both")
    assert found


def test_what_the_schema_refuses_among_the_planted_mistakes_is_refused(validators, capsys):
    both = only_rules = 0
    for name, mistake in MISTAKES.items():
        text = ALL[mistake["manifest"]].replace(mistake["old"], mistake["new"], 1)
        documents = [one for one in yaml.safe_load_all(text) if one and one["kind"] in MANIFESTS]
        if mistake["manifest"] not in ("cluster", "job", "submitted", "ray_cron") or not documents:
            continue
        refused = not validators[documents[0]["kind"]].is_valid(documents[0])
        if name in ("field twice", "field without value"):  # PyYAML takes both
            continue
        assert refuses(documents[0]) or not refused, name
        both, only_rules = both + refused, only_rules + (not refused)
    with capsys.disabled():
        sys.stdout.write(
            f"\nplanted by hand: {both} refused by the schema and by us, {only_rules} by our rules alone"
        )
    assert both >= 15


def test_every_field_of_the_schema_is_known(validators, capsys):
    seen = unchecked = 0
    for kind, validator in validators.items():
        definitions, model = validator.schema["$defs"], KINDS[RAY, kind]
        stack: list[tuple[tuple[Any, ...], Any]] = [((), definitions[kind])]
        while stack:
            path, schema = stack.pop()
            while "$ref" in schema:
                schema = definitions[schema["$ref"].rpartition("/")[2]]
            if "items" in schema:
                stack.append(((*path, 0), schema["items"]))
            names = field_names(type_at(model, path))
            for name, below in schema.get("properties", {}).items():
                if not names and path:
                    unchecked += 1
                    continue
                if path[-1:] == ("headService",) and name == "status":
                    continue  # only the cluster writes it
                assert name in names, f"{kind}: {path} has the field {name}"
                seen += 1
                stack.append(((*path, name), below))
            extra = set(names) - set(schema.get("properties", {})) if "properties" in schema else set()
            assert not extra or path[-1:] == ("metadata",), f"{kind}: {path} does not have {extra}"
    with capsys.disabled():
        sys.stdout.write(
            f"\nfields of the schema: {seen} known, {unchecked} below parts that are not checked in detail"
        )
    assert seen > 1000
