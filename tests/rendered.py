"""What infra/kubernetes renders to, and a reading of its network policies as a cluster would enforce them."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
KUBERNETES = ROOT / "infra/kubernetes"
RENDERED = sorted(
    path.parent.relative_to(KUBERNETES).as_posix()
    for path in KUBERNETES.rglob("kustomization.yaml")
    if path.relative_to(KUBERNETES).parts[0] in ("overlays", "namespace")
)


@functools.cache
def text(folder: str) -> str:
    """The manifests of a folder of infra/kubernetes as one text."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            done = subprocess.run(
                [*command, KUBERNETES / folder], capture_output=True, text=True, check=False, timeout=60
            )
            assert done.returncode == 0, done.stderr
            assert done.stderr == ""
            return done.stdout
    return pytest.skip("neither kubectl nor kustomize is installed")


@functools.cache
def _loaded(folder: str) -> list[dict[str, Any]]:
    return list(yaml.load_all(text(folder), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def documents(folder: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The manifests of a folder of infra/kubernetes; do not change them, because all tests share them."""
    return [document for document in _loaded(folder) if kind in (None, document["kind"])]


def loaded(path: str) -> dict[str, Any]:
    """A file of the checkout that holds one YAML document."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def cluster(folder: str) -> dict[str, Any]:
    """What the RayCluster of a folder of infra/kubernetes asks for."""
    (found,) = documents(folder, "RayCluster")
    return found["spec"]


def pods(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod specification below a node, and where it stands."""
    if isinstance(node, dict):
        if "containers" in node:
            yield where, node
        for name, child in node.items():
            yield from pods(child, f"{where}.{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from pods(child, f"{where}[{number}]")


@dataclass(frozen=True)
class Peer:
    """One end of a connection: a pod with its namespace, or the world outside if it has no labels."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "rfmeta"


def allowed(
    policies: list[dict[str, Any]], source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection passes the policies of the namespace rfmeta, on both ends."""
    return _passes(policies, source, target, (protocol, port), "Egress") and _passes(
        policies, target, source, (protocol, port), "Ingress"
    )


def _passes(policies: list[dict[str, Any]], here: Peer, there: Peer, asked: tuple[str, int], way: str) -> bool:
    specs = [policy["spec"] for policy in policies]
    mine = [
        spec
        for spec in specs
        if here.namespace == "rfmeta" and here.labels and _fits(spec["podSelector"], here.labels)
    ]
    mine = [spec for spec in mine if way in spec["policyTypes"]]
    side = "to" if way == "Egress" else "from"
    rules = [rule for spec in mine for rule in spec.get(way.lower(), [])]
    return not mine or any(_ports(rule, asked) and _peers(rule.get(side), there) for rule in rules)


def _ports(rule: dict[str, Any], asked: tuple[str, int]) -> bool:
    listed = rule.get("ports")
    return not listed or asked in [(each["protocol"], each["port"]) for each in listed]


def _peers(listed: list[dict[str, Any]] | None, there: Peer) -> bool:
    if not listed:
        return True
    for each in listed:
        names = {"kubernetes.io/metadata.name": there.namespace}
        near = (
            _fits(each["namespaceSelector"], names)
            if "namespaceSelector" in each
            else there.namespace == "rfmeta"
        )
        if near and there.labels and _fits(each.get("podSelector", {}), there.labels):
            return True
    return False


def _fits(selector: dict[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "this reading knows no other selector"
    return selector.get("matchLabels", {}).items() <= labels.items()
