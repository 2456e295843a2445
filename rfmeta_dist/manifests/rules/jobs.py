"""Check RayJobs, as ValidateRayJobSpec in KubeRay 1.7 does, and the languages that their texts are written in.

KubeRay's code is ray-operator/controllers/ray/utils/validation.go.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

from rfmeta_dist.manifests.remark import Place, Remark
from rfmeta_dist.manifests.rules.pods import ray_jobs
from rfmeta_dist.manifests.text import Document, documents, first

SELECTOR = "ray.io/cluster"
_SEVERAL = re.compile(r"(&&|\|\||[;&|\n])")
_DESCRIBE = "describe the cluster in rayClusterSpec, or name one: clusterSelector: {ray.io/cluster: NAME}"


def a_cluster(manifest: Place) -> Iterator[Remark]:
    """Check that a job has a cluster: one that is described, or one that is named."""
    for job in ray_jobs(manifest):
        selector, described = job.at("clusterSelector"), job.at("rayClusterSpec")
        if selector.value and described.given:
            yield selector.risk(
                "the job describes a cluster and names one; KubeRay ignores the one that is described",
                "remove rayClusterSpec or clusterSelector",
            )
        if selector.value:
            if isinstance(selector.value, dict) and not selector.at(SELECTOR).value:
                yield selector.error(
                    f"the cluster has no name under {SELECTOR}", f"write {SELECTOR}: NAME below it"
                )
        elif not described.given:
            yield job.error("the job has neither rayClusterSpec nor clusterSelector", _DESCRIBE)


def retries(manifest: Place) -> Iterator[Remark]:
    """Check that retries, suspension and submission suit the kind of cluster."""
    for job in ray_jobs(manifest):
        mode, selected = job.at("submissionMode").value, bool(job.at("clusterSelector").value)
        backoff, suspend = job.at("backoffLimit"), job.at("suspend")
        if (backoff.number or 0) > 0 and (selected or mode == "InteractiveMode"):
            other = "clusterSelector" if selected else "submissionMode: InteractiveMode"
            yield backoff.error(
                f"backoffLimit above 0 cannot be used with {other}: each retry would need a new cluster",
                "set backoffLimit: 0, or describe the cluster in rayClusterSpec",
            )
        if suspend.true and selected:
            yield suspend.error("a job on a named cluster cannot be suspended", "remove suspend")
        if mode == "SidecarMode":
            yield from _sidecar(job, selected)


def _sidecar(job: Place, selected: bool) -> Iterator[Remark]:
    for name in ("submitterPodTemplate", "submitterConfig"):
        if job.at(name).given:
            yield job.at(name).error(
                f"{name} cannot be used with submissionMode: SidecarMode", f"remove {name}, or use K8sJobMode"
            )
    if selected:
        yield job.at("clusterSelector").error(
            "clusterSelector cannot be used with submissionMode: SidecarMode", "use submissionMode: K8sJobMode"
        )
    policy = job.at("rayClusterSpec", "headGroupSpec", "template", "spec", "restartPolicy")
    if policy.given and policy.value != "Never":
        yield policy.error("with SidecarMode the head is not restarted", "set restartPolicy: Never")


def ends(manifest: Place) -> Iterator[Remark]:
    """Check what happens after the job: shutdownAfterJobFinishes, ttlSecondsAfterFinished, deletionStrategy."""
    for job in ray_jobs(manifest):
        shutdown = job.at("shutdownAfterJobFinishes")
        for name in ("ttlSecondsAfterFinished", "suspend"):
            if job.at(name).value and not shutdown.true:
                yield job.at(name).error(
                    f"{name} needs shutdownAfterJobFinishes: true",
                    "add shutdownAfterJobFinishes: true to the spec",
                )
        if job.at("deletionStrategy").given:
            yield from _deletion(job)


def _deletion(job: Place) -> Iterator[Remark]:
    strategy = job.at("deletionStrategy")
    rules, old = strategy.at("deletionRules"), [strategy.at("onSuccess"), strategy.at("onFailure")]
    if rules.given and any(one.given for one in old):
        yield strategy.error(
            "deletionRules and onSuccess or onFailure exclude one another", "keep deletionRules"
        )
    elif not rules.given and not all(one.given for one in old):
        yield strategy.error("the strategy has no rules", "add deletionRules with policy and condition")
    if rules.given and job.at("shutdownAfterJobFinishes").true:
        yield rules.error(
            "deletionRules and shutdownAfterJobFinishes: true exclude one another", "keep one of the two"
        )
    seen: dict[tuple[str, str], dict[str, float]] = {}
    for rule in rules.items():
        yield from _deletion_rule(job, rule, seen)
    for one in old:
        if one.given and not one.at("policy").given:
            yield one.error("the rule has no policy", "add policy: DeleteCluster, or another")
        yield from _deletable(job, one.at("policy"))
        if one.at("policy").value == "DeleteNone" and job.at("shutdownAfterJobFinishes").true:
            yield one.error(
                "DeleteNone and shutdownAfterJobFinishes: true exclude one another", "remove one of the two"
            )


def _deletion_rule(job: Place, rule: Place, seen: dict[tuple[str, str], dict[str, float]]) -> Iterator[Remark]:
    condition, policy = rule.at("condition"), rule.at("policy")
    given = [name for name in ("jobStatus", "jobDeploymentStatus") if condition.at(name).given]
    if isinstance(condition.value, dict) and len(given) != 1:
        yield condition.error(
            "the condition needs jobStatus or jobDeploymentStatus, and not both", "give one of them"
        )
        return
    yield from _deletable(job, policy)
    if not given:
        return
    # validateTTLConsistency: workers must be deleted before the cluster, and the cluster before the RayJob.
    order = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")
    ttl = condition.at("ttlSeconds").number or 0
    others = seen.setdefault((given[0], str(condition.at(given[0]).value)), {})
    if policy.text in others:
        yield rule.error("another rule has the same policy and condition", "remove one of the two")
    elif policy.text in order:
        place = order.index(policy.text)
        early = any(ttl < others[name] for name in order[:place] if name in others)
        late = any(ttl > others[name] for name in order[place + 1 :] if name in others)
        if early or late:
            yield condition.error(
                "the order of deletion is wrong",
                "give workers the smallest ttlSeconds, and the job itself the largest",
            )
    others.setdefault(policy.text, ttl)


def _deletable(job: Place, policy: Place) -> Iterator[Remark]:
    if policy.value in ("DeleteCluster", "DeleteWorkers") and job.at("clusterSelector").value:
        yield policy.error(
            "a cluster that was named is not deleted with the job", "use DeleteSelf or DeleteNone"
        )
    if policy.value == "DeleteWorkers" and job.at("rayClusterSpec", "enableInTreeAutoscaling").true:
        yield policy.error("DeleteWorkers cannot be used with autoscaling", "use DeleteCluster")


def texts(manifest: Place) -> Iterator[Remark]:
    """Check fields that hold another language: JSON, YAML, a command line."""
    for job in ray_jobs(manifest):
        yield from _resources(job.at("entrypointResources"))
        yield from _runtime_env(job.at("runtimeEnvYAML"))
        entry = job.at("entrypoint")
        if entry.text:
            yield from _command(entry)
        elif not entry.given and not _submitted_otherwise(job):
            yield entry.risk("the job has no command", "write the command, such as entrypoint: rfmeta train …")


def _submitted_otherwise(job: Place) -> bool:
    own = job.at("submitterPodTemplate", "spec", "containers", 0)
    return (
        job.at("submissionMode").value == "InteractiveMode" or own.at("command").given or own.at("args").given
    )


def _command(entry: Place) -> Iterator[Remark]:
    if not entry.text.strip():
        yield entry.risk("the command is empty", "write the command, such as entrypoint: rfmeta train …")
    try:
        shlex.split(entry.text)
    except ValueError:
        yield entry.error("a quotation mark in the command is not closed", "close it")


def several_commands(manifest: Place) -> Iterator[Remark]:
    """Find entrypoints of which KubeRay's submitter would run a part itself, outside the cluster.

    KubeRay puts the entrypoint unquoted into a shell command (common/job.go, BuildJobSubmitCommand).
    """
    for job in ray_jobs(manifest):
        if job.at("submissionMode").value in ("HTTPMode", "InteractiveMode"):
            continue
        entry = job.at("entrypoint")
        unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", entry.text.strip())
        if _SEVERAL.search(unquoted):
            yield entry.risk(
                "KubeRay's submitter runs what follows the first ; & | or line end itself, not on the cluster",
                "write one command, such as bash -c '…', or set submissionMode: HTTPMode",
            )


def variables(manifest: Place) -> Iterator[Remark]:
    """Check that the environment variables of runtimeEnvYAML are texts, which Ray requires."""
    for job in ray_jobs(manifest):
        place = job.at("runtimeEnvYAML")
        inner = first(place.text)
        for name, value in Place(inner.value if inner else None).at("env_vars").fields():
            if not isinstance(value.value, str):
                path = (*place.path, "env_vars", name)
                yield Remark(path, "Ray takes only texts here", 'write it in quotation marks: "…"', "risk")


def _resources(place: Place) -> Iterator[Remark]:
    if not place.text:
        return
    try:
        amounts = json.loads(place.text)
    except (ValueError, RecursionError):
        amounts = None
    ok = isinstance(amounts, dict) and all(type(value) in (int, float) for value in amounts.values())
    if not ok:
        yield place.error(
            "the text is not JSON of names with numbers",
            """write it as in entrypointResources: '{"accelerator": 1}'""",
        )


_FIELDS = (
    "working_dir", "py_modules", "py_executable", "excludes", "pip", "uv", "conda", "container", "image_uri",
    "env_vars", "config", "worker_process_setup_hook", "nsight", "rocprof_sys", "java_jars",
)  # fmt: skip


def _runtime_env(place: Place) -> Iterator[Remark]:
    if not place.text.strip():
        return
    found = list(documents(place.text))
    content = found[0].value if found and isinstance(found[0], Document) else None
    if found and (len(found) > 1 or not isinstance(content, dict)):
        bad = next((one for one in found if not isinstance(one, Document)), None)
        where = f", at its line {bad.line}: {bad.problem}" if bad and bad.line else ""
        yield place.error(
            f"the text is not YAML with fields{where}",
            "begin it with | on the line of runtimeEnvYAML, and indent each line of it equally",
        )
        return
    for name in content or ():
        if name not in _FIELDS and not name.startswith("_"):
            yield Remark(
                (*place.path, name),
                "Ray's runtime environments do not have this field",
                f"use one of {', '.join(_FIELDS[:10])}",
                "risk",
            )
