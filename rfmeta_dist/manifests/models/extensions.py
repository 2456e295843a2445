"""Describe the manifests of Kueue (quotas and queues) and of the Prometheus operator (scraping and alerts)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import (
    Integer,
    IntOrText,
    Named,
    Part,
    Quantity,
    Selector,
    Texts,
    Unchecked,
)
from rfmeta_dist.manifests.models.containers import KeyOf
from rfmeta_dist.manifests.models.pods import Toleration


class FlavorSpec(Part):
    """Nodes of one sort, by their labels and taints."""

    nodeLabels: Texts | None = None
    nodeTaints: list[Unchecked] | None = None
    tolerations: list[Toleration] | None = None
    topologyName: str | None = None


class ResourceFlavor(Named):
    """A ResourceFlavor of Kueue."""

    spec: FlavorSpec | None = None


class Quota(Part):
    """How much of one resource a queue has."""

    name: str
    nominalQuota: Quantity
    borrowingLimit: Quantity | None = None
    lendingLimit: Quantity | None = None


class FlavorQuota(Part):
    """The quotas on nodes of one sort."""

    name: str
    resources: Annotated[list[Quota], Field(min_length=1)]


class ResourceGroup(Part):
    """Resources that are given together."""

    coveredResources: Annotated[list[str], Field(min_length=1)]
    flavors: Annotated[list[FlavorQuota], Field(min_length=1)]


class QueueSpec(Part):
    """The quotas of a queue. Preemption, borrowing and admission checks are not checked in detail."""

    resourceGroups: list[ResourceGroup] | None = None
    namespaceSelector: Selector | None = None
    cohort: str | None = None
    queueingStrategy: Literal["StrictFIFO", "BestEffortFIFO"] | None = None
    stopPolicy: Literal["None", "Hold", "HoldAndDrain"] | None = None
    preemption: Unchecked | None = None
    flavorFungibility: Unchecked | None = None
    fairSharing: Unchecked | None = None
    admissionChecks: list[str] | None = None
    admissionChecksStrategy: Unchecked | None = None
    admissionScope: Unchecked | None = None


class ClusterQueue(Named):
    """A ClusterQueue of Kueue."""

    spec: QueueSpec | None = None


class LocalQueueSpec(Part):
    """The queue to which jobs of a namespace go."""

    clusterQueue: str
    stopPolicy: Literal["None", "Hold", "HoldAndDrain"] | None = None
    fairSharing: Unchecked | None = None


class LocalQueue(Named):
    """A LocalQueue of Kueue."""

    spec: LocalQueueSpec


class Bearer(Part):
    """A kind of credential, and the Secret in which it stands."""

    type: str | None = None
    credentials: KeyOf | None = None


class Relabel(Part):
    """A change of labels before or after scraping."""

    action: str | None = None
    sourceLabels: list[str] | None = None
    targetLabel: str | None = None
    regex: str | None = None
    replacement: str | None = None
    separator: str | None = None
    modulus: Integer | None = None


class Endpoint(Part):
    """A port that is scraped."""

    port: str | None = None
    portNumber: Integer | None = None
    targetPort: IntOrText | None = None
    path: str | None = None
    scheme: str | None = None
    interval: str | None = None
    scrapeTimeout: str | None = None
    honorLabels: bool | None = None
    honorTimestamps: bool | None = None
    filterRunning: bool | None = None
    followRedirects: bool | None = None
    enableHttp2: bool | None = None
    relabelings: list[Relabel] | None = None
    metricRelabelings: list[Relabel] | None = None
    params: dict[str, list[str]] | None = None
    authorization: Bearer | None = None
    basicAuth: Unchecked | None = None
    tlsConfig: Unchecked | None = None


class Namespaces(Part):
    """In which namespaces pods are looked for."""

    any: bool | None = None
    matchNames: list[str] | None = None


class MonitorSpec(Part):
    """Which pods are scraped."""

    selector: Selector
    podMetricsEndpoints: list[Endpoint] | None = None
    namespaceSelector: Namespaces | None = None
    jobLabel: str | None = None
    podTargetLabels: list[str] | None = None
    sampleLimit: Integer | None = None
    targetLimit: Integer | None = None
    labelLimit: Integer | None = None
    attachMetadata: Unchecked | None = None


class PodMonitor(Named):
    """A PodMonitor of the Prometheus operator."""

    spec: MonitorSpec


class Rule(Part):
    """An alert, or a series that is computed."""

    expr: IntOrText
    alert: str | None = None
    record: str | None = None
    # `for` is a word of Python, so the field has another name here.
    lasting: str | None = Field(None, alias="for")
    keep_firing_for: str | None = None
    labels: Texts | None = None
    annotations: Texts | None = None


class RuleGroup(Part):
    """Rules that are evaluated together."""

    name: str
    rules: list[Rule] | None = None
    interval: str | None = None
    limit: Integer | None = None
    query_offset: str | None = None
    labels: Texts | None = None
    partial_response_strategy: str | None = None


class RuleSpec(Part):
    """Groups of rules."""

    groups: list[RuleGroup] | None = None


class PrometheusRule(Named):
    """A PrometheusRule of the Prometheus operator."""

    spec: RuleSpec
