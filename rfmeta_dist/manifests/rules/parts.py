"""Check that the parts of a pod fit one another, as Kubernetes does when it accepts the pod."""

from __future__ import annotations

from collections.abc import Iterator

from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import pods


def restarts(manifest: Place) -> Iterator[Remark]:
    """Check that a pod which runs to its end is not restarted for ever.

    Kubernetes' default is Always, which a Job refuses. For a RayJob's submitter that is seen only in the
    operator's log (kuberay#2210).
    """
    for pod in pods(manifest):
        policy = pod.spec.at("restartPolicy")
        if not isinstance(pod.spec.value, dict):
            continue
        if pod.role in ("job", "submitter") and policy.value not in ("Never", "OnFailure"):
            there = policy if policy.given else pod.spec
            yield there.error("a Job's pods must not restart always", "set restartPolicy: Never")
        if pod.role == "service" and policy.given and policy.value != "Always":
            yield policy.error("pods that always run must restart", "remove restartPolicy")


def names_of_parts(manifest: Place) -> Iterator[Remark]:
    """Check that containers and volumes have different names, and that each mount has its volume."""
    for pod in pods(manifest):
        volumes = list(pod.spec.at("volumes").items())
        known = {volume.at("name").text for volume in volumes}
        known |= {
            claim.at("metadata", "name").text for claim in manifest.at("spec", "volumeClaimTemplates").items()
        }
        for parts in (list(pod.containers()), volumes):
            yield from _twice(parts)
        for volume in volumes:
            sources = [name for name, place in volume.fields() if name != "name" and place.given]
            if isinstance(volume.value, dict) and len(sources) != 1:
                yield volume.error(
                    "a volume needs one source",
                    "give one, such as emptyDir: {}; with the braces, which are its value",
                )
        for container in pod.containers():
            yield from _twice(list(container.at("env").items()), "advice")
            for mount in container.at("volumeMounts").items():
                if mount.at("name").text and mount.at("name").text not in known:
                    yield mount.at("name").error(
                        "the pod has no volume of this name", "add it to volumes of the pod"
                    )


def _twice(parts: list[Place], kind: str = "error") -> Iterator[Remark]:
    seen = set()
    for part in parts:
        name = part.at("name")
        if name.text in seen and kind == "error":
            yield name.error("two have the same name", "give each a name of its own")
        elif name.text in seen:
            yield name.advice("the variable is set twice, and the last one counts", "remove one of the two")
        seen.add(name.text)


def variables(manifest: Place) -> Iterator[Remark]:
    """Check that an environment variable has one value, and comes from one place."""
    for pod in pods(manifest):
        for container in pod.containers():
            for env in container.at("env").items():
                source = env.at("valueFrom")
                if source.given and env.at("value").text:
                    yield env.error("the variable has a value and a source", "keep value or valueFrom")
                if isinstance(source.value, dict) and len([1 for _, at in source.fields() if at.given]) != 1:
                    yield source.error(
                        "the source of the variable is not given once", "give one, such as secretKeyRef"
                    )


def selected(manifest: Place) -> Iterator[Remark]:
    """Check that a Deployment or StatefulSet selects the pods that it makes."""
    if manifest.at("kind").value not in ("Deployment", "StatefulSet"):
        return
    labels = manifest.at("spec", "template", "metadata", "labels")
    chosen = manifest.at("spec", "selector", "matchLabels")
    for name, value in chosen.fields():
        if labels.at(name).value != value.value:
            yield value.error("the pods of the template do not have this label", "give both the same label")
    selector = manifest.at("spec", "selector")
    if selector.given and not chosen.value and not selector.at("matchExpressions").value:
        yield selector.error("the selector is empty", "add matchLabels")


def ports(manifest: Place) -> Iterator[Remark]:
    """Check that the ports of a Service can be told apart."""
    if manifest.at("kind").value != "Service":
        return
    found = list(manifest.at("spec", "ports").items())
    for port in found:
        if len(found) > 1 and not port.at("name").text:
            yield port.error("each of several ports needs a name", "add name")
    yield from _twice([port for port in found if port.at("name").text])
    portless = (
        manifest.at("spec", "type").value == "ExternalName" or manifest.at("spec", "clusterIP").value == "None"
    )
    if not found and not portless:
        yield manifest.at("spec").error("the service has no ports", "add ports")


def budgets(manifest: Place) -> Iterator[Remark]:
    """Check that a PodDisruptionBudget gives one number."""
    if manifest.at("kind").value == "PodDisruptionBudget":
        both = [manifest.at("spec", name).given for name in ("minAvailable", "maxUnavailable")]
        if all(both):
            yield manifest.at("spec").error("minAvailable and maxUnavailable exclude one another", "keep one")


def alerts(manifest: Place) -> Iterator[Remark]:
    """Check that each rule of a PrometheusRule is an alert or a record."""
    if manifest.at("kind").value != "PrometheusRule":
        return
    for group in manifest.at("spec", "groups").items():
        for rule in group.at("rules").items():
            if isinstance(rule.value, dict) and rule.at("alert").given == rule.at("record").given:
                yield rule.error("a rule needs alert or record, and not both", "give one of them")
