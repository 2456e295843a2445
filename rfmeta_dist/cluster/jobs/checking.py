"""Check a job spec that is a whole manifest for KubeRay, so that the same file works in both places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rfmeta_dist.cluster.jobs.manifest import override_of, put, read_manifest
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.manifests.check import Finding, findings
from rfmeta_dist.manifests.text import Document, documents


def findings_in(path: Path, overrides: Sequence[str] = ()) -> list[Finding]:
    """Return what is wrong with a RayJob manifest by the rules of Kubernetes and KubeRay.

    A job spec that neither describes nor selects a cluster is for `rfmeta submit` alone. KubeRay would refuse
    it in any case, so it is not checked by KubeRay's rules, and the result is empty.

    Args:
        path: the file.
        overrides: texts of the form `field=value`. Findings have no line if there are any.

    Raises:
        ConfigError: the file is missing, not YAML, or holds no RayJob or several; or an override does not fit.
    """
    manifest = read_manifest(path, overrides)
    fields = manifest.tree.get("spec")
    if not isinstance(fields, dict) or not {"rayClusterSpec", "clusterSelector"} & fields.keys():
        return []
    text = path.read_text(encoding="utf-8-sig")
    if not overrides:
        return findings(text, str(path), "submit")
    # Numbers and texts are told apart as Kubernetes does, so PyYAML's own loader cannot be used.
    trees = [document.value for document in documents(text) if isinstance(document, Document)]
    job = next((tree for tree in trees if isinstance(tree, dict) and tree.get("kind") == "RayJob"), None)
    if job is None:  # the check names the place that cannot be read
        return findings(text, str(path), "submit")
    for override in map(override_of, overrides):
        if not override.inside_environment:
            put(job, override._replace(value=override.native))
    found = findings(json.dumps(job, ensure_ascii=False), f"{path} with --set", "submit")  # JSON is YAML too
    return [Finding(f.source, None, f.field, f.problem, f.remedy, f.kind) for f in found]


def require_sound(found: Sequence[Finding]) -> None:
    """Raise a ConfigError if findings make a manifest unusable. Advice does not."""
    wrong = [finding for finding in found if finding.kind != "advice"]
    if len(wrong) == 1:
        only = wrong[0]
        place = only.source if only.line is None else f"{only.source}:{only.line}"
        raise ConfigError(f"{place}: {only.field}: {only.problem}", only.remedy)
    if wrong:
        raise ConfigError(f"{wrong[0].source} has {len(wrong)} mistakes", "correct what each line above names")
