"""Check Ray clusters, as ValidateRayClusterSpec in KubeRay 1.7 does, and who can reach them.

KubeRay's code is ray-operator/controllers/ray/utils/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import clusters, ray_jobs

_RESOURCES = ("num-cpus", "num-gpus", "memory", "resources")
_V2 = "RAY_enable_autoscaler_v2"
_VERSION = re.compile(r"v?(\d+)\.(\d+)(\.\d+)*([-+].*)?", re.ASCII)


def _env(spec: Place, name: str) -> Place:
    """Return an environment variable of the head's Ray container; a place without value if it is not set."""
    head = spec.at("headGroupSpec", "template", "spec", "containers", 0, "env")
    return next((env for env in head.items() if env.at("name").value == name), Place(None))


def _groups(spec: Place) -> Iterator[Place]:
    if spec.at("headGroupSpec").given:
        yield spec.at("headGroupSpec")
    yield from spec.at("workerGroupSpecs").items()


def _version(spec: Place) -> tuple[int, int] | None:
    """Return the Ray version of a cluster as (major, minor); None if it is missing or not a version."""
    found = _VERSION.fullmatch(spec.at("rayVersion").text)
    return (int(found[1]), int(found[2])) if found else None


def _v2(spec: Place) -> bool:
    return spec.at("autoscalerOptions", "version").text == "v2"


def replicas(manifest: Place) -> Iterator[Remark]:
    """Check the numbers of workers, and that no group has the name of another."""
    for spec in clusters(manifest):
        autoscaling, seen = spec.at("enableInTreeAutoscaling").true, set()
        for group in spec.at("workerGroupSpecs").items():
            low, high = group.at("minReplicas"), group.at("maxReplicas")
            if isinstance(group.value, dict) and not autoscaling and not group.at("replicas").given:
                yield group.risk(
                    "the group gets no workers, because replicas is 0 if it is missing",
                    "add replicas, or set enableInTreeAutoscaling: true",
                )
            least, most, wanted = low.number, high.number, group.at("replicas").number
            if least is not None and most is not None and least > most:
                yield low.error("minReplicas is above maxReplicas", "make minReplicas at most maxReplicas")
            elif wanted is not None and ((least or 0) > wanted or (most is not None and wanted > most)):
                yield group.at("replicas").advice(
                    "replicas is not between minReplicas and maxReplicas", "choose a number between the two"
                )
            if group.at("suspend").true and autoscaling:
                yield group.at("suspend").error(
                    "a group cannot be suspended with autoscaling", "remove suspend"
                )
            name = group.at("groupName")
            if name.text in seen:
                yield name.risk("two groups have the same name", "give each group a name of its own")
            seen.add(name.text)


def resources(manifest: Place) -> Iterator[Remark]:
    """Check that resources and labels of Ray nodes stand in one place only."""
    for spec in clusters(manifest):
        for group in _groups(spec):
            params = group.at("rayStartParams")
            double = [name for name in _RESOURCES if params.at(name).text]
            if double and group.at("resources").value:
                yield params.at(double[0]).error(
                    "resources stand in rayStartParams and in resources",
                    "keep one of the two, such as resources",
                )
            if params.at("labels").given:
                yield params.at("labels").error(
                    "labels are not a start parameter", "move them to labels of the group"
                )


def autoscaling(manifest: Place) -> Iterator[Remark]:
    """Check what only one version of the autoscaler does."""
    for spec in clusters(manifest):
        options, variable = spec.at("autoscalerOptions"), _env(spec, _V2)
        on, by_variable = spec.at("enableInTreeAutoscaling").true, variable.at("value").value in ("1", "true")
        if by_variable and not on:
            yield variable.error(f"{_V2} needs enableInTreeAutoscaling: true", "set it, or remove the variable")
        if on and options.at("version").given and variable.given:
            yield variable.error(
                "the version is given twice, here and in autoscalerOptions", "remove the variable"
            )
        if options.given and not on:
            yield options.advice(
                "autoscalerOptions have no effect without enableInTreeAutoscaling: true",
                "set enableInTreeAutoscaling: true, or remove autoscalerOptions",
            )
        if on and _v2(spec):
            yield from _never_restarted(spec)
        for group in spec.at("workerGroupSpecs").items():
            yield from _v2_only(spec, group, by_variable)


def _never_restarted(spec: Place) -> Iterator[Remark]:
    for group in _groups(spec):
        policy = group.at("template", "spec", "restartPolicy")
        if policy.given and policy.value != "Never":
            yield policy.error(
                "autoscaler v2 starts a new pod instead of restarting one", "set restartPolicy: Never"
            )


def _v2_only(spec: Place, group: Place, by_variable: bool) -> Iterator[Remark]:
    idle, priority = group.at("idleTimeoutSeconds"), group.at("priority")
    enabled = _v2(spec) or by_variable
    if idle.given and not enabled:
        yield idle.error(
            "idleTimeoutSeconds of a group needs autoscaler v2", "set autoscalerOptions.version: v2"
        )
    if priority.value:
        version = _version(spec)
        if version is None or version < (2, 56):
            yield priority.error(
                "priority needs Ray 2.56 or newer", "set rayVersion to the version of the image"
            )
        elif not enabled:
            yield priority.error("priority needs autoscaler v2", "set autoscalerOptions.version: v2")


def authentication(manifest: Place) -> Iterator[Remark]:
    """Check that Ray asks for a token. Who reaches a cluster without one runs any code on it (CVE-2023-48022).

    The field's description says that mode defaults to token, but KubeRay tests for `mode: token`
    (IsAuthEnabled), so a secretName alone leaves authentication off.
    """
    for spec in clusters(manifest):
        options = spec.at("authOptions")
        mode = options.at("mode")
        if not options.given:
            yield spec.risk(
                "authOptions are missing, so whoever reaches the cluster runs any code on it",
                "add authOptions: {mode: token, secretName: NAME} to this spec",
            )
        elif not mode.given:
            yield options.risk(
                "mode is missing, which leaves authentication off, whatever else stands here", "add mode: token"
            )
        elif mode.value == "disabled":
            yield mode.risk(
                "authentication is off: whoever reaches the cluster runs any code on it", "set mode: token"
            )
        if mode.value == "token":
            yield from _token(spec, bool(list(ray_jobs(manifest))))
        elif options.at("enableK8sTokenAuth").true:
            yield options.at("enableK8sTokenAuth").error(
                "enableK8sTokenAuth needs mode: token", "add mode: token"
            )


def _token(spec: Place, in_job: bool) -> Iterator[Remark]:
    options, version = spec.at("authOptions"), _version(spec)
    kubernetes = options.at("enableK8sTokenAuth")
    place = spec.at("rayVersion") if spec.at("rayVersion").given else options.at("mode")
    if version is None or version < (2, 52):
        yield place.error(
            "mode: token needs rayVersion 2.52 or newer", "set rayVersion to the version of the image"
        )
    if not kubernetes.true:
        return
    if in_job:
        yield kubernetes.error("a RayJob cannot use enableK8sTokenAuth", "remove it, and give secretName")
    elif version is not None and version < (2, 55):
        yield place.error("enableK8sTokenAuth needs rayVersion 2.55 or newer", "set rayVersion")
    if options.at("secretName").text:
        yield kubernetes.error("enableK8sTokenAuth and secretName exclude one another", "remove one of the two")


def fault_tolerance(manifest: Place) -> Iterator[Remark]:
    """Check where the head keeps its state."""
    for spec in clusters(manifest):
        options = spec.at("gcsFaultToleranceOptions")
        address = _env(spec, "RAY_REDIS_ADDRESS")
        annotation = manifest.at("metadata", "annotations", "ray.io/ft-enabled")
        if options.given and annotation.text:
            yield annotation.error("gcsFaultToleranceOptions replace this annotation", "remove the annotation")
        if address.given and not options.given and annotation.text.lower() != "true":
            yield address.error(
                "RAY_REDIS_ADDRESS needs gcsFaultToleranceOptions", "give redisAddress there instead"
            )
        if options.given:
            yield from _redis(manifest, spec, options)
        for place in (_env(spec, "REDIS_USERNAME"), _start(spec, "redis-username")):
            if place.given:
                yield place.error(
                    "the user's name stands in a wrong place", "use gcsFaultToleranceOptions.redisUsername"
                )


def _start(spec: Place, name: str) -> Place:
    return spec.at("headGroupSpec", "rayStartParams", name)


def _redis(manifest: Place, spec: Place, options: Place) -> Iterator[Remark]:
    doubles = {
        "redisPassword": (_start(spec, "redis-password"), _env(spec, "REDIS_PASSWORD")),
        "redisAddress": (_env(spec, "RAY_REDIS_ADDRESS"),),
        "externalStorageNamespace": (
            manifest.at("metadata", "annotations", "ray.io/external-storage-namespace"),
        ),
    }
    for field, places in doubles.items():
        for place in places:
            if place.given:
                yield place.error("this cannot be set here as well", f"use gcsFaultToleranceOptions.{field}")
    if options.at("backend").value == "rocksdb":
        for name in ("redisAddress", "redisUsername", "redisPassword", "externalStorageNamespace"):
            if options.at(name).given:
                yield options.at(name).error(f"{name} has no meaning with backend: rocksdb", "remove it")
        storage = options.at("storage")
        if storage.at("claimName").text and any(
            storage.at(name).given for name in ("size", "storageClassName", "accessModes")
        ):
            yield storage.error(
                "claimName and a description of a new claim exclude one another", "keep claimName"
            )
    elif options.at("storage").given:
        yield options.at("storage").error("storage needs backend: rocksdb", "remove it, or set the backend")


def network(manifest: Place) -> Iterator[Remark]:
    """Check who reaches the dashboard, on which jobs are submitted."""
    for spec in clusters(manifest):
        head = spec.at("headGroupSpec")
        if head.at("enableIngress").true:
            yield head.at("enableIngress").risk(
                "the dashboard is reachable from outside the cluster, without encryption",
                "remove enableIngress, and use kubectl port-forward",
            )
        for service in (head.at("serviceType"), head.at("headService", "spec", "type")):
            if service.value in ("LoadBalancer", "NodePort"):
                yield service.risk("the dashboard is reachable from outside the cluster", "set ClusterIP")
        yield from _policy(spec)


def _policy(spec: Place) -> Iterator[Remark]:
    policy = spec.at("networkPolicy")
    names = {group.at("groupName").text for group in spec.at("workerGroupSpecs").items()}
    unused = {"DenyAllEgress": "ingressRules", "DenyAllIngress": "egressRules"}.get(policy.at("mode").text)
    groups = list(policy.at("workerGroups").items())
    for rules in (policy.at("head"), policy.at("worker"), *groups):
        if unused and rules.at(unused).value:
            yield rules.at(unused).error(
                f"{unused} have no effect in this mode", "remove them, or set mode: DenyAll"
            )
    for group in groups:
        if group.at("groupName").text not in names:
            yield group.at("groupName").error(
                "no group of workers has this name", "use a groupName of the cluster"
            )
