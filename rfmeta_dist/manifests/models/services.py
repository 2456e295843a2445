"""Describe services, and rules on who may reach which pod."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import (
    Integer,
    IntOrText,
    Metadata,
    Named,
    Part,
    Port,
    Selector,
    Texts,
    Unchecked,
)

Protocol = Literal["TCP", "UDP", "SCTP"]


class ServicePort(Part):
    """A port of a service."""

    port: Port
    name: str | None = None
    protocol: Protocol | None = None
    targetPort: IntOrText | None = None
    nodePort: Integer | None = None
    appProtocol: str | None = None


class ServiceSpec(Part):
    """A name and address for pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] | None = None
    selector: Texts | None = None
    ports: list[ServicePort] | None = None
    clusterIP: str | None = None
    clusterIPs: list[str] | None = None
    externalIPs: list[str] | None = None
    externalName: str | None = None
    externalTrafficPolicy: str | None = None
    internalTrafficPolicy: str | None = None
    ipFamilies: list[str] | None = None
    ipFamilyPolicy: str | None = None
    loadBalancerClass: str | None = None
    loadBalancerIP: str | None = None
    loadBalancerSourceRanges: list[str] | None = None
    allocateLoadBalancerNodePorts: bool | None = None
    healthCheckNodePort: Integer | None = None
    publishNotReadyAddresses: bool | None = None
    sessionAffinity: Literal["ClientIP", "None"] | None = None
    sessionAffinityConfig: Unchecked | None = None
    trafficDistribution: str | None = None


class Service(Named):
    """A Service."""

    spec: ServiceSpec


class HeadService(Part):
    """The service of a Ray head, of which KubeRay gives kind and name if they are missing."""

    apiVersion: str | None = None
    kind: str | None = None
    metadata: Metadata | None = None
    spec: ServiceSpec | None = None


class PolicyPort(Part):
    """A port, or a range of ports, that may be reached."""

    port: IntOrText | None = None
    endPort: Integer | None = None
    protocol: Protocol | None = None


class Block(Part):
    """A range of addresses."""

    cidr: str
    # `except` is a word of Python, so the field has another name here.
    without: list[str] | None = Field(None, alias="except")


class Peer(Part):
    """Who may connect, or be connected to."""

    podSelector: Selector | None = None
    namespaceSelector: Selector | None = None
    ipBlock: Block | None = None


class Ingress(Part):
    """Connections to the pods that are allowed."""

    peers: list[Peer] | None = Field(None, alias="from")
    ports: list[PolicyPort] | None = None


class Egress(Part):
    """Connections from the pods that are allowed."""

    to: list[Peer] | None = None
    ports: list[PolicyPort] | None = None


class PolicySpec(Part):
    """Which connections of which pods are allowed."""

    podSelector: Selector
    ingress: list[Ingress] | None = None
    egress: list[Egress] | None = None
    policyTypes: Annotated[list[Literal["Ingress", "Egress"]], Field(max_length=2)] | None = None


class NetworkPolicy(Named):
    """A NetworkPolicy."""

    spec: PolicySpec
