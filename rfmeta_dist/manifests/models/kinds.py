"""List the kinds of manifests that are checked, by apiVersion and kind."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rfmeta_dist.manifests.models import extensions, objects, ray, services, workloads
from rfmeta_dist.manifests.models.base import Named

RAY = "ray.io/v1"
_KINDS: dict[str, tuple[type[Named], ...]] = {
    RAY: (ray.RayJob, ray.RayCluster, ray.RayCronJob),
    "v1": (
        workloads.Pod,
        services.Service,
        objects.ServiceAccount,
        objects.Secret,
        objects.ConfigMap,
        objects.PersistentVolumeClaim,
        objects.Namespace,
    ),
    "batch/v1": (workloads.Job, workloads.CronJob),
    "apps/v1": (workloads.Deployment, workloads.StatefulSet),
    "policy/v1": (workloads.PodDisruptionBudget,),
    "networking.k8s.io/v1": (services.NetworkPolicy,),
    "rbac.authorization.k8s.io/v1": (objects.Role, objects.RoleBinding),
    "kueue.x-k8s.io/v1beta1": (extensions.ResourceFlavor, extensions.ClusterQueue, extensions.LocalQueue),
    "monitoring.coreos.com/v1": (extensions.PodMonitor, extensions.PrometheusRule),
}
KINDS: Mapping[tuple[str, str], type[Named]] = MappingProxyType(
    {(version, model.__name__): model for version, models in _KINDS.items() for model in models}
)


def version_of(kind: str) -> str | None:
    """Return the apiVersion in which a kind is checked; None if the kind is not known."""
    return next((version for version, name in KINDS if name == kind), None)
