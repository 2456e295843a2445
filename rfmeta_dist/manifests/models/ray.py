"""Describe the manifests of KubeRay: RayCluster, RayJob and RayCronJob."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import (
    Integer,
    Named,
    Natural,
    Part,
    Quantity,
    Texts,
)
from rfmeta_dist.manifests.models.containers import Env, EnvFrom, EnvSource, Mount, Pull, Resources, Security
from rfmeta_dist.manifests.models.pods import PodTemplate
from rfmeta_dist.manifests.models.services import Egress, HeadService, Ingress

Positive = Annotated[Integer, Field(ge=1)]
Manager = Literal["ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue"]
Mode = Literal["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]
ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]


class Auth(Part):
    """Whether Ray asks for a token, and from which Secret the token comes."""

    mode: Literal["token", "disabled"] | None = None
    secretName: str | None = None
    enableK8sTokenAuth: bool | None = None


class Autoscaler(Part):
    """How Ray adds and removes nodes."""

    version: Literal["v1", "v2"] | None = None
    idleTimeoutSeconds: Natural | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None
    image: str | None = None
    imagePullPolicy: Pull | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[Env] | None = None
    envFrom: list[EnvFrom] | None = None
    resources: Resources | None = None
    securityContext: Security | None = None
    volumeMounts: list[Mount] | None = None


class Credential(Part):
    """A user's name or password for Redis."""

    value: str | None = None
    valueFrom: EnvSource | None = None


class Storage(Part):
    """The storage in which a head keeps its state."""

    claimName: str | None = None
    size: Quantity | None = None
    storageClassName: str | None = None
    accessModes: list[str] | None = None
    subPath: str | None = None
    deletionPolicy: Literal["DeleteWithCluster", "Retain"] | None = None


class FaultTolerance(Part):
    """Where the head keeps its state, so that it survives the head."""

    backend: Literal["redis", "rocksdb"] | None = None
    redisAddress: str | None = None
    redisUsername: Credential | None = None
    redisPassword: Credential | None = None
    externalStorageNamespace: str | None = None
    storage: Storage | None = None


class IngressTls(Part):
    """A certificate of an ingress."""

    hosts: list[str] | None = None
    secretName: str | None = None


class IngressOptions(Part):
    """Under which name the dashboard is reached from outside."""

    host: str | None = None
    path: str | None = None
    pathType: Literal["Exact", "Prefix", "ImplementationSpecific"] | None = None
    tls: list[IngressTls] | None = None


class Head(Part):
    """The pod of the Ray head."""

    template: PodTemplate
    rayStartParams: Texts | None = None
    resources: Texts | None = None
    labels: Texts | None = None
    serviceType: ServiceType | None = None
    headService: HeadService | None = None
    enableIngress: bool | None = None
    ingressOptions: IngressOptions | None = None


class Scale(Part):
    """Which workers are removed first."""

    workersToDelete: list[str] | None = None


class Workers(Part):
    """A group of equal workers."""

    groupName: str
    template: PodTemplate
    replicas: Natural | None = None
    minReplicas: Natural | None = None
    maxReplicas: Natural | None = None
    numOfHosts: Integer | None = None
    rayStartParams: Texts | None = None
    resources: Texts | None = None
    labels: Texts | None = None
    idleTimeoutSeconds: Natural | None = None
    priority: Integer | None = None
    suspend: bool | None = None
    scaleStrategy: Scale | None = None


class Upgrade(Part):
    """What happens to the pods if the description of the cluster changes."""

    type: Literal["Recreate", "None"] | None = None


class Collector(Part):
    """The container that collects logs for the history server."""

    image: str | None = None
    imagePullPolicy: Pull | None = None
    env: list[Env] | None = None
    resources: Resources | None = None


class History(Part):
    """Settings of the history server."""

    collectorOptions: Collector | None = None


class Rules(Part):
    """Further connections that are allowed."""

    ingressRules: list[Ingress] | None = None
    egressRules: list[Egress] | None = None


class GroupRules(Rules):
    """Further connections of one group of workers."""

    groupName: str


class RayNetworkPolicy(Part):
    """Which connections KubeRay lets through to and from the pods of a cluster."""

    mode: Literal["DenyAll", "DenyAllIngress", "DenyAllEgress"] | None = None
    head: Rules | None = None
    worker: Rules | None = None
    workerGroups: list[GroupRules] | None = None


class Tls(Part):
    """Whether Ray's own connections are encrypted."""

    enabled: bool | None = None


class ClusterSpec(Part):
    """A Ray cluster."""

    headGroupSpec: Head
    workerGroupSpecs: list[Workers] | None = None
    rayVersion: str | None = None
    authOptions: Auth | None = None
    enableInTreeAutoscaling: bool | None = None
    autoscalerOptions: Autoscaler | None = None
    gcsFaultToleranceOptions: FaultTolerance | None = None
    headServiceAnnotations: Texts | None = None
    historyServerOptions: History | None = None
    managedBy: Manager | None = None
    networkPolicy: RayNetworkPolicy | None = None
    suspend: bool | None = None
    tlsOptions: Tls | None = None
    upgradeStrategy: Upgrade | None = None


class RayCluster(Named):
    """A RayCluster."""

    spec: ClusterSpec


Policy = Literal["DeleteCluster", "DeleteWorkers", "DeleteSelf", "DeleteNone"]
JobStatus = Literal["SUCCEEDED", "FAILED"]


class Condition(Part):
    """When something is deleted."""

    jobStatus: JobStatus | None = None
    jobDeploymentStatus: Literal["Failed"] | None = None
    ttlSeconds: Natural | None = None


class DeletionRule(Part):
    """What is deleted, and when."""

    policy: Policy
    condition: Condition


class OldPolicy(Part):
    """What is deleted, in the form before deletionRules."""

    policy: Policy | None = None


class Deletion(Part):
    """What is deleted after the job."""

    deletionRules: Annotated[list[DeletionRule], Field(min_length=1)] | None = None
    onSuccess: OldPolicy | None = None
    onFailure: OldPolicy | None = None


class Submitter(Part):
    """How often the pod that submits the job is started again."""

    backoffLimit: Integer | None = None


class JobSpec(Part):
    """A job, and the cluster on which it runs."""

    entrypoint: str | None = None
    runtimeEnvYAML: str | None = None
    entrypointNumCpus: Annotated[float, Field(ge=0)] | None = None
    entrypointNumGpus: Annotated[float, Field(ge=0)] | None = None
    entrypointResources: str | None = None
    metadata: Texts | None = None
    jobId: str | None = None
    backoffLimit: Natural | None = None
    activeDeadlineSeconds: Positive | None = None
    preRunningDeadlineSeconds: Positive | None = None
    rayClusterSpec: ClusterSpec | None = None
    clusterSelector: Texts | None = None
    shutdownAfterJobFinishes: bool | None = None
    ttlSecondsAfterFinished: Natural | None = None
    deletionStrategy: Deletion | None = None
    suspend: bool | None = None
    submissionMode: Mode | None = None
    submitterPodTemplate: PodTemplate | None = None
    submitterConfig: Submitter | None = None
    managedBy: Manager | None = None


class RayJob(Named):
    """A RayJob."""

    spec: JobSpec


class CronSpec(Part):
    """A job, and the times at which it is started."""

    schedule: str
    jobTemplate: JobSpec
    timeZone: Annotated[str, Field(min_length=1)] | None = None
    suspend: bool | None = None


class RayCronJob(Named):
    """A RayCronJob."""

    spec: CronSpec
