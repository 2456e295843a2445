"""Describe the kinds of Kubernetes without pods: names, settings, storage and rights."""

from __future__ import annotations

from typing import Literal

from rfmeta_dist.manifests.models.base import LocalReference, Named, Part, Texts
from rfmeta_dist.manifests.models.volumes import ClaimSpec


class NamespaceSpec(Part):
    """Settings of a namespace."""

    finalizers: list[str] | None = None


class Namespace(Named):
    """A Namespace."""

    spec: NamespaceSpec | None = None


class ConfigMap(Named):
    """A ConfigMap."""

    data: Texts | None = None
    binaryData: Texts | None = None
    immutable: bool | None = None


class Secret(Named):
    """A Secret."""

    type: str | None = None
    data: Texts | None = None
    stringData: Texts | None = None
    immutable: bool | None = None


class ServiceAccount(Named):
    """A ServiceAccount."""

    automountServiceAccountToken: bool | None = None
    imagePullSecrets: list[LocalReference] | None = None
    secrets: list[LocalReference] | None = None


class RoleRule(Part):
    """What may be done with which objects."""

    verbs: list[str]
    apiGroups: list[str] | None = None
    resources: list[str] | None = None
    resourceNames: list[str] | None = None


class Role(Named):
    """A Role."""

    rules: list[RoleRule] | None = None


class RoleReference(Part):
    """The role that is given."""

    kind: Literal["Role", "ClusterRole"]
    name: str
    apiGroup: Literal["rbac.authorization.k8s.io"] | None = None


class Subject(Part):
    """Who is given the role."""

    kind: Literal["ServiceAccount", "User", "Group"]
    name: str
    namespace: str | None = None
    apiGroup: str | None = None


class RoleBinding(Named):
    """A RoleBinding."""

    roleRef: RoleReference
    subjects: list[Subject] | None = None


class PersistentVolumeClaim(Named):
    """A PersistentVolumeClaim."""

    spec: ClaimSpec
