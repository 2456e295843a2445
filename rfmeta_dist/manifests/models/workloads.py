"""Describe the kinds of Kubernetes that run pods: Pod, Job, CronJob, Deployment, StatefulSet."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfmeta_dist.manifests.models.base import (
    Integer,
    IntOrText,
    Long,
    Metadata,
    Named,
    Natural,
    Part,
    Selector,
    TemplateMetadata,
    Unchecked,
)
from rfmeta_dist.manifests.models.pods import PodSpec, PodTemplate
from rfmeta_dist.manifests.models.volumes import ClaimSpec


class Pod(Named):
    """A Pod."""

    spec: PodSpec


class JobSpec(Part):
    """Pods that run to their end."""

    template: PodTemplate
    backoffLimit: Natural | None = None
    backoffLimitPerIndex: Natural | None = None
    maxFailedIndexes: Natural | None = None
    completions: Natural | None = None
    parallelism: Natural | None = None
    activeDeadlineSeconds: Annotated[Long, Field(ge=1)] | None = None
    ttlSecondsAfterFinished: Natural | None = None
    completionMode: Literal["NonIndexed", "Indexed"] | None = None
    suspend: bool | None = None
    selector: Selector | None = None
    manualSelector: bool | None = None
    managedBy: str | None = None
    podReplacementPolicy: str | None = None
    podFailurePolicy: Unchecked | None = None
    successPolicy: Unchecked | None = None
    scheduling: Unchecked | None = None


class Job(Named):
    """A Job."""

    spec: JobSpec


class JobTemplate(Part):
    """The template from which jobs are made."""

    spec: JobSpec
    metadata: TemplateMetadata | None = None


class CronSpec(Part):
    """A job, and the times at which it is started."""

    schedule: str
    jobTemplate: JobTemplate
    concurrencyPolicy: Literal["Allow", "Forbid", "Replace"] | None = None
    timeZone: Annotated[str, Field(min_length=1)] | None = None
    suspend: bool | None = None
    startingDeadlineSeconds: Annotated[Long, Field(ge=0)] | None = None
    successfulJobsHistoryLimit: Natural | None = None
    failedJobsHistoryLimit: Natural | None = None


class CronJob(Named):
    """A CronJob."""

    spec: CronSpec


class RollingUpdate(Part):
    """How many pods are exchanged at a time."""

    maxSurge: IntOrText | None = None
    maxUnavailable: IntOrText | None = None
    partition: Integer | None = None


class DeploymentStrategy(Part):
    """How the pods of a deployment are exchanged."""

    type: Literal["Recreate", "RollingUpdate"] | None = None
    rollingUpdate: RollingUpdate | None = None


class DeploymentSpec(Part):
    """Equal pods that always run."""

    selector: Selector
    template: PodTemplate
    replicas: Natural | None = None
    strategy: DeploymentStrategy | None = None
    minReadySeconds: Integer | None = None
    revisionHistoryLimit: Integer | None = None
    progressDeadlineSeconds: Integer | None = None
    paused: bool | None = None


class Deployment(Named):
    """A Deployment."""

    spec: DeploymentSpec


class SetStrategy(Part):
    """How the pods of a stateful set are exchanged."""

    type: Literal["OnDelete", "RollingUpdate"] | None = None
    rollingUpdate: RollingUpdate | None = None


class SetClaim(Part):
    """A claim for the storage of each pod."""

    metadata: Metadata
    spec: ClaimSpec
    apiVersion: str | None = None
    kind: str | None = None


class StatefulSetSpec(Part):
    """Pods that each keep a name and storage of their own."""

    selector: Selector
    template: PodTemplate
    serviceName: str | None = None
    replicas: Natural | None = None
    volumeClaimTemplates: list[SetClaim] | None = None
    podManagementPolicy: Literal["OrderedReady", "Parallel"] | None = None
    updateStrategy: SetStrategy | None = None
    minReadySeconds: Integer | None = None
    revisionHistoryLimit: Integer | None = None
    persistentVolumeClaimRetentionPolicy: Unchecked | None = None
    ordinals: Unchecked | None = None


class StatefulSet(Named):
    """A StatefulSet."""

    spec: StatefulSetSpec


class BudgetSpec(Part):
    """How many pods may be removed at a time."""

    selector: Selector | None = None
    minAvailable: IntOrText | None = None
    maxUnavailable: IntOrText | None = None
    unhealthyPodEvictionPolicy: Literal["IfHealthyBudget", "AlwaysAllow"] | None = None


class PodDisruptionBudget(Named):
    """A PodDisruptionBudget."""

    spec: BudgetSpec
