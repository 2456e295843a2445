"""Check the names of objects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rfmeta_dist.manifests.remark import Place, Remark

# KubeRay derives further names from these, which must fit into 63 characters (utils/constant.go).
_LONGEST = {"RayCluster": 53, "RayJob": 47, "RayCronJob": 36}
# A CronJob appends 11 characters to the name of each of its jobs, which has at most 63.
_OTHERS = {"CronJob": 52, "Service": 63, "Namespace": 63, "LocalQueue": 63}
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_PATH_NAMED = ("Role", "RoleBinding")


def names(manifest: Place) -> Iterator[Remark]:
    """Check metadata.name: KubeRay's ValidateRay…Metadata, and Kubernetes' rules for other kinds."""
    kind = str(manifest.at("kind").value)
    name = manifest.at("metadata", "name")
    if not name.text:
        if not manifest.at("metadata", "generateName").text and not name.given:
            yield manifest.at("metadata").error("the object has no name", "add name to metadata")
        return
    longest = _LONGEST.get(kind) or _OTHERS.get(kind, 253)
    if len(name.text) > longest:
        yield name.error(
            f"the name has {len(name.text)} characters, and that of a {kind} has at most {longest}",
            "choose a shorter name",
        )
    if kind in _LONGEST or kind == "Service":
        if not _LABEL_1035.fullmatch(name.text):
            yield name.error(
                f"the name of a {kind} begins with a letter, and has lower-case letters, digits and hyphens",
                "choose such a name",
            )
    elif kind == "Namespace":
        if not _LABEL_1123.fullmatch(name.text):
            yield name.error(
                "the name of a Namespace has only lower-case letters, digits and hyphens", "choose such a name"
            )
    elif kind not in _PATH_NAMED and not _DOMAIN.fullmatch(name.text):
        yield name.error(
            "a name has only lower-case letters, digits, hyphens and dots",
            "choose such a name, which begins and ends with a letter or digit",
        )
