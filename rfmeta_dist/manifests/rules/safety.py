"""Check the permissions, images and memory of pods.

The permissions are those of Kubernetes' Pod Security Standard "restricted". KubeRay copies the permissions of
the Ray container to the containers that it adds before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import clusters, pods

_DIGEST = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}", re.ASCII)


def permissions(manifest: Place) -> Iterator[Remark]:
    """Check that no container runs as root, gains rights, or keeps rights that it does not need."""
    for pod in pods(manifest):
        yield from _host(pod.spec)
        for container in pod.containers():
            yield from _container(container, pod.spec.at("securityContext"))
    for spec in clusters(manifest):
        options = spec.at("autoscalerOptions")
        if spec.at("enableInTreeAutoscaling").true:
            # The autoscaler is a container of the head's pod, and takes what the pod says of all containers.
            yield from _container(options, spec.at("headGroupSpec", "template", "spec", "securityContext"))


def _host(spec: Place) -> Iterator[Remark]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.at(name).true:
            yield spec.at(name).risk("the pod is not separated from its node", f"remove {name}")
    for volume in spec.at("volumes").items():
        if volume.at("hostPath").given:
            yield volume.at("hostPath").risk(
                "the pod reads and writes files of its node", "use emptyDir or a claim"
            )


def _container(container: Place, pod: Place) -> Iterator[Remark]:
    own = container.at("securityContext")

    def effective(name: str) -> Place:
        return own.at(name) if own.at(name).given else pod.at(name)

    where = own if own.given else container
    if own.at("privileged").true:
        yield own.at("privileged").risk("a privileged container is root on the node", "remove privileged")
    root, gains = effective("runAsNonRoot"), own.at("allowPrivilegeEscalation")
    if not root.true:
        yield (root if root.given else where).risk(
            "the container may run as root", "set securityContext.runAsNonRoot: true"
        )
    if gains.value is not False:
        yield (gains if gains.given else where).risk(
            "a process may gain rights", "set securityContext.allowPrivilegeEscalation: false"
        )
    if "ALL" not in [item.value for item in own.at("capabilities", "drop").items()]:
        yield where.risk("the container keeps rights of root", "set securityContext.capabilities.drop: [ALL]")
    for item in own.at("capabilities", "add").items():
        if item.value != "NET_BIND_SERVICE":
            yield item.risk("the container is given a right of root", "remove it")
    calls = effective("seccompProfile").at("type")
    if calls.value not in ("RuntimeDefault", "Localhost"):
        yield (calls if calls.given else where).risk(
            "the container may use every system call", "set securityContext.seccompProfile.type: RuntimeDefault"
        )
    if effective("runAsUser").number == 0:
        yield effective("runAsUser").risk("0 is the user root", "give another user, such as 1000")


def images(manifest: Place) -> Iterator[Remark]:
    """Check that images are named, and by digest, so that all nodes run the same program today and tomorrow."""
    for pod in pods(manifest):
        for container in pod.containers():
            image = container.at("image")
            if not image.given:
                yield container.error("the container has no image", "add image: NAME@sha256:DIGEST")
            elif image.text and not _DIGEST.fullmatch(image.text):
                yield image.advice(
                    "a tag can be moved to another image, so nodes may run different programs",
                    "name the image by its digest: NAME@sha256:…",
                )


def memory(manifest: Place) -> Iterator[Remark]:
    """Check that memory is requested, and that a Ray pod's request equals its limit.

    Ray takes the limit for the memory that it may use. A node whose requests are lower may not have it.
    """
    for pod in pods(manifest):
        for container in pod.spec.at("containers").items():
            resources = container.at("resources")
            request, limit = resources.at("requests", "memory"), resources.at("limits", "memory")
            where = resources if resources.given else container
            if not limit.given:
                yield where.advice("memory has no limit", "set resources.limits.memory and the same request")
            elif request.given and amount(request.value) != amount(limit.value):
                yield request.advice(
                    "the request of memory differs from its limit", "set both to the same amount"
                )


_UNITS = {
    "": 1,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "m": 1e-3,
    "u": 1e-6,
    "n": 1e-9,
} | {unit + "i": 1024.0 ** (power + 1) for power, unit in enumerate("KMGTPE")}


def amount(value: object) -> float | str:
    """Return the number that a quantity such as 4Gi or 500m means; the text itself if it is not a quantity."""
    text = str(value)
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.removesuffix(unit) if unit else text
        if text.endswith(unit):
            try:
                return float(number) * _UNITS[unit]
            except ValueError:
                continue
    return text


def requests(manifest: Place) -> Iterator[Remark]:
    """Check that no container requests more than its limit, which Kubernetes refuses."""
    for pod in pods(manifest):
        for container in pod.containers():
            yield from _within(container)


def _within(container: Place) -> Iterator[Remark]:
    limits = container.at("resources", "limits")
    for name, request in container.at("resources", "requests").fields():
        asked, most = amount(request.value), amount(limits.at(name).value)
        if isinstance(asked, float) and isinstance(most, float) and asked > most:
            yield request.error("the request is above the limit", "raise the limit, or lower the request")
