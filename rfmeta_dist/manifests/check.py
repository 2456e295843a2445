"""Check the manifests in a text, and report each mistake with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

from rfmeta_dist.manifests.finding import Finding, Path, dotted
from rfmeta_dist.manifests.models.kinds import KINDS, RAY, version_of
from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules import clusters, jobs, names, parts, safety, schedules, secrets
from rfmeta_dist.manifests.shape import compare
from rfmeta_dist.manifests.text import Document, documents

__all__ = ["Finding", "Purpose", "findings"]

Purpose = Literal["apply", "submit"]
Rule = Callable[[Place], Iterator[Remark]]

# What a job spec must fulfil on any cluster.
_ALWAYS: tuple[Rule, ...] = (
    names.names,
    jobs.texts,
    secrets.environment,
    secrets.runtime_environment,
    secrets.commands,
    secrets.secrets,
    secrets.anywhere,
    clusters.replicas,
    clusters.resources,
    clusters.autoscaling,
    clusters.fault_tolerance,
    parts.restarts,
    parts.names_of_parts,
    parts.variables,
    parts.selected,
    parts.ports,
    parts.budgets,
    parts.alerts,
    safety.requests,
    schedules.times,
)
# What concerns a manifest only where Kubernetes reads it: cluster, retries by KubeRay, permissions of pods.
_APPLIED: tuple[Rule, ...] = (
    jobs.a_cluster,
    jobs.retries,
    jobs.ends,
    jobs.several_commands,
    jobs.variables,
    clusters.authentication,
    clusters.network,
    safety.permissions,
    safety.images,
    safety.memory,
    schedules.submissions,
)


def findings(text: str, source: str, purpose: Purpose = "apply") -> list[Finding]:
    """Check every YAML document of a text.

    Args:
        text: one or several manifests, as kubectl takes them.
        source: name of the file, which each finding repeats.
        purpose: apply for manifests that Kubernetes reads. submit for a job spec that `rfmeta submit` gives to
            any Ray cluster: KubeRay's own settings are then checked for their form only.

    Returns:
        The findings in the order of their lines. None of them repeats a value. No text makes this function
        raise an error.
    """
    found: list[Finding] = []
    empty = True
    for document in documents(text):
        empty = False
        if isinstance(document, Document):
            found += _in_document(document, source, purpose)
        else:
            found.append(Finding(source, document.line, "", document.problem, document.remedy))
    if empty:
        found.append(
            Finding(source, None, "", "there is no manifest in this text", "give a file with manifests")
        )
    return sorted(set(found), key=lambda finding: (finding.line or 0, finding.field, finding.problem))


def _in_document(document: Document, source: str, purpose: Purpose) -> Iterator[Finding]:
    for remark in _remarks(document.value, (), purpose):
        yield Finding(
            source, document.line(remark.path), dotted(remark.path), remark.problem, remark.remedy, remark.kind
        )


def _remarks(value: Any, above: Path, purpose: Purpose) -> Iterator[Remark]:
    if not isinstance(value, dict):
        yield Remark(above, "this is not a manifest", "write apiVersion, kind, metadata and spec")
        return
    version, kind = value.get("apiVersion"), value.get("kind")
    if kind == "List" and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            for remark in _remarks(item, ("items", index), purpose):
                yield remark._replace(path=("items", index, *remark.path))
        return
    if not isinstance(version, str) or not isinstance(kind, str):
        missing = "apiVersion" if not isinstance(version, str) else "kind"
        yield Remark((), f"the manifest has no {missing}", f"add {missing}, such as {_example(missing, kind)}")
        return
    model = KINDS.get((version, kind))
    if model is None:
        yield _unknown(version, kind)
        return
    bare, nulls = _without_nulls(value, ())
    for path in nulls:
        problem, remedy = (
            "the field has no value",
            "give a value, or remove the field; an empty one is {} or []",
        )
        yield Remark(path, problem, remedy, "error" if version == RAY else "advice")
    yield from (remark for remark in compare(model, bare) if remark.path not in nulls)
    place = Place(bare)
    for rule in (*_ALWAYS, *(_APPLIED if purpose == "apply" else ())):
        yield from rule(place)


def _example(missing: str, kind: Any) -> str:
    if missing == "kind":
        return "kind: RayJob"
    return f"apiVersion: {version_of(kind) or RAY}" if isinstance(kind, str) else f"apiVersion: {RAY}"


def _unknown(version: str, kind: str) -> Remark:
    """Return the remark on a manifest of which no model exists."""
    if known := version_of(kind):
        return Remark(("apiVersion",), f"{kind} is checked in {known} only", f"write apiVersion: {known}")
    same = [name for group, name in KINDS if group == version]
    others = ", ".join(same or sorted(name for _, name in KINDS))
    return Remark(
        ("kind",), "this kind is not known here, so the manifest was not checked", f"known are: {others}"
    )


def _without_nulls(value: Any, path: Path) -> tuple[Any, list[Path]]:
    """Return a copy without fields that have no value, and the paths of these fields."""
    nulls: list[Path] = []
    if isinstance(value, dict):
        kept = {}
        for name, item in value.items():
            if item is None:
                nulls += [] if name == "creationTimestamp" else [(*path, name)]
                continue
            kept[name], below = _without_nulls(item, (*path, name))
            nulls += below
        return kept, nulls
    if isinstance(value, list):
        pairs = [_without_nulls(item, (*path, index)) for index, item in enumerate(value)]
        return [item for item, _ in pairs], [at for _, below in pairs for at in below]
    return value, nulls
