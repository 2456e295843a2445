"""Find the pods in a manifest of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rfmeta_dist.manifests.remark import Place

Role = Literal["head", "workers", "submitter", "job", "service", "pod"]


@dataclass(frozen=True)
class PodPlace:
    """A pod, or the template of pods, in a manifest.

    Attributes:
        spec: place of the pod's spec.
        role: what the pod is for.
    """

    spec: Place
    role: Role

    def containers(self) -> Iterator[Place]:
        """Yield the containers, those that run before the others included."""
        yield from self.spec.at("initContainers").items()
        yield from self.spec.at("containers").items()


def ray_jobs(manifest: Place) -> Iterator[Place]:
    """Yield the spec of the RayJob that a manifest describes, or from which a RayCronJob makes RayJobs."""
    if manifest.at("kind").value == "RayJob":
        yield manifest.at("spec")
    if manifest.at("kind").value == "RayCronJob":
        yield manifest.at("spec", "jobTemplate")


def clusters(manifest: Place) -> Iterator[Place]:
    """Yield the spec of the Ray cluster that a manifest describes, if it describes one."""
    if manifest.at("kind").value == "RayCluster" and manifest.at("spec").given:
        yield manifest.at("spec")
    for job in ray_jobs(manifest):
        if job.at("rayClusterSpec").given:
            yield job.at("rayClusterSpec")


def pods(manifest: Place) -> Iterator[PodPlace]:
    """Yield all pods that a manifest describes."""
    kind = manifest.at("kind").value
    for cluster in clusters(manifest):
        yield PodPlace(cluster.at("headGroupSpec", "template", "spec"), "head")
        for group in cluster.at("workerGroupSpecs").items():
            yield PodPlace(group.at("template", "spec"), "workers")
    for job in ray_jobs(manifest):
        if job.at("submitterPodTemplate").given:
            yield PodPlace(job.at("submitterPodTemplate", "spec"), "submitter")
    if kind == "Pod":
        yield PodPlace(manifest.at("spec"), "pod")
    if kind == "Job":
        yield PodPlace(manifest.at("spec", "template", "spec"), "job")
    if kind == "CronJob":
        yield PodPlace(manifest.at("spec", "jobTemplate", "spec", "template", "spec"), "job")
    if kind in ("Deployment", "StatefulSet"):
        yield PodPlace(manifest.at("spec", "template", "spec"), "service")
