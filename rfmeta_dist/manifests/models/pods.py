"""Describe pods and the templates from which they are made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import (
    Integer,
    LocalReference,
    Long,
    Part,
    Quantity,
    Selector,
    TemplateMetadata,
    Texts,
    Unchecked,
)
from rfmeta_dist.manifests.models.containers import Container, Profile
from rfmeta_dist.manifests.models.volumes import Volume


class Toleration(Part):
    """A taint of nodes that the pod accepts."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    tolerationSeconds: Long | None = None


class Spread(Part):
    """How evenly pods are placed over nodes or zones."""

    maxSkew: Integer
    topologyKey: str
    whenUnsatisfiable: str
    labelSelector: Selector | None = None
    matchLabelKeys: list[str] | None = None
    minDomains: Integer | None = None
    nodeAffinityPolicy: str | None = None
    nodeTaintsPolicy: str | None = None


class Affinity(Part):
    """Which nodes and neighbours a pod wants. What stands below the three fields is not checked."""

    nodeAffinity: Unchecked | None = None
    podAffinity: Unchecked | None = None
    podAntiAffinity: Unchecked | None = None


class Sysctl(Part):
    """A setting of the kernel."""

    name: str
    value: str


class PodSecurity(Part):
    """Permissions of all containers of a pod."""

    runAsNonRoot: bool | None = None
    runAsUser: Long | None = None
    runAsGroup: Long | None = None
    fsGroup: Long | None = None
    fsGroupChangePolicy: str | None = None
    supplementalGroups: list[Long] | None = None
    supplementalGroupsPolicy: str | None = None
    seccompProfile: Profile | None = None
    appArmorProfile: Profile | None = None
    sysctls: list[Sysctl] | None = None
    seLinuxChangePolicy: str | None = None
    seLinuxOptions: Unchecked | None = None
    windowsOptions: Unchecked | None = None


class HostAlias(Part):
    """Further names of an address."""

    ip: str
    hostnames: list[str] | None = None


class DnsOption(Part):
    """An option of the resolver."""

    name: str | None = None
    value: str | None = None


class Dns(Part):
    """How a pod resolves names."""

    nameservers: list[str] | None = None
    searches: list[str] | None = None
    options: list[DnsOption] | None = None


class PodSpec(Part):
    """A pod."""

    containers: Annotated[list[Container], Field(min_length=1)]
    initContainers: list[Container] | None = None
    ephemeralContainers: list[Unchecked] | None = None
    volumes: list[Volume] | None = None
    restartPolicy: Literal["Always", "OnFailure", "Never"] | None = None
    serviceAccountName: str | None = None
    serviceAccount: str | None = None
    automountServiceAccountToken: bool | None = None
    securityContext: PodSecurity | None = None
    imagePullSecrets: list[LocalReference] | None = None
    nodeSelector: Texts | None = None
    nodeName: str | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    topologySpreadConstraints: list[Spread] | None = None
    priorityClassName: str | None = None
    priority: Integer | None = None
    preemptionPolicy: str | None = None
    runtimeClassName: str | None = None
    schedulerName: str | None = None
    schedulingGroup: Unchecked | None = None
    schedulingGates: list[Unchecked] | None = None
    readinessGates: list[Unchecked] | None = None
    resourceClaims: list[Unchecked] | None = None
    resources: Unchecked | None = None
    overhead: dict[str, Quantity] | None = None
    activeDeadlineSeconds: Long | None = None
    terminationGracePeriodSeconds: Long | None = None
    enableServiceLinks: bool | None = None
    shareProcessNamespace: bool | None = None
    hostname: str | None = None
    hostnameOverride: str | None = None
    subdomain: str | None = None
    setHostnameAsFQDN: bool | None = None
    hostAliases: list[HostAlias] | None = None
    hostNetwork: bool | None = None
    hostPID: bool | None = None
    hostIPC: bool | None = None
    hostUsers: bool | None = None
    dnsPolicy: str | None = None
    dnsConfig: Dns | None = None
    os: Unchecked | None = None


class PodTemplate(Part):
    """The template from which pods are made."""

    spec: PodSpec
    metadata: TemplateMetadata | None = None
