"""infra/kubernetes: every overlay renders, its pods are restricted, its policies open what is needed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from infra.prometheus_rule import ALERTS, RULE, rule
from rfmeta_dist.manifests.check import findings
from tests.named import require_invocation
from tests.rendered import KUBERNETES, RENDERED, ROOT, cluster, documents, loaded, pods, text

LONG, SHORT = ("train", "leave_one_out", "tune"), ("synth", "ingest", "retrain", "report")
ALLOWED_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "persistentVolumeClaim",
    "projected",
    "secret",
}


def worker(spec: dict[str, Any]) -> dict[str, Any]:
    return spec["workerGroupSpecs"][0]["template"]["spec"]


def test_each_component_is_part_of_a_rendered_overlay():
    used = {
        (KUBERNETES / folder / name).resolve()
        for folder in RENDERED
        for name in yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text()).get(
            "components", []
        )
    }
    assert used == {path.parent for path in (KUBERNETES / "components").glob("*/kustomization.yaml")}


def test_our_own_checks_find_nothing_in_any_overlay():
    distinct = {document: folder for folder in RENDERED for document in text(folder).split("\n---\n")}
    assert len(distinct) > 20
    assert [found for document, folder in distinct.items() for found in findings(document, folder)] == []


@pytest.mark.parametrize("name", LONG + SHORT)
def test_our_own_checks_find_nothing_in_a_job(name):
    assert findings((ROOT / f"jobs/{name}.yaml").read_text(encoding="utf-8"), name) == []


@pytest.mark.parametrize("folder", RENDERED)
def test_every_pod_of_an_overlay_passes_the_restricted_standard(folder):
    """Pod Security Standards, level `restricted`, and what a cluster's owner asks for besides."""
    for document in documents(folder):
        for where, pod in pods(document):
            name = f"{document['kind']} {document['metadata']['name']}{where}"
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod["securityContext"]["runAsUser"] > 0, name
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod), name
            for volume in pod.get("volumes", []):
                assert set(volume) - {"name"} <= ALLOWED_VOLUMES, name
                assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), name
            for container in pod["containers"]:
                require_restricted(container, name)


def require_restricted(container: dict[str, Any], name: str) -> None:
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False, name
    assert context["readOnlyRootFilesystem"] is True, name
    assert context["capabilities"] == {"drop": ["ALL"]}, name
    assert "privileged" not in context, name
    resources = container["resources"]
    assert resources["requests"]["memory"] == resources["limits"]["memory"], name
    assert "cpu" in resources["requests"], name
    image, _, digest = container["image"].partition("@sha256:")
    assert image.startswith(("registry.example.org/rfmeta", "docker.io/library/redis")), name
    assert len(digest) == 64, name
    for variable in container.get("env", []):
        secret = any(word in variable["name"] for word in ("TOKEN", "PASSWORD", "AUTH", "KEY"))
        assert not secret or "valueFrom" in variable or variable["value"] == "token", name


@pytest.mark.parametrize("folder", RENDERED)
def test_every_cluster_asks_for_a_token_and_runs_no_task_on_its_head(folder):
    for document in documents(folder):
        spec = document.get("spec", {})
        spec = spec if document["kind"] == "RayCluster" else spec.get("rayClusterSpec")
        if spec:
            assert spec["authOptions"] == {"mode": "token", "secretName": "rfmeta-token"}
            assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
            if spec["enableInTreeAutoscaling"]:
                assert spec["autoscalerOptions"]["version"] == "v2"
                require_context_of_the_autoscaler(spec["autoscalerOptions"])


def require_context_of_the_autoscaler(options: dict[str, Any]) -> None:
    assert options["securityContext"]["readOnlyRootFilesystem"] is True
    assert options["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert options["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]


@pytest.mark.parametrize("name", LONG)
def test_a_long_job_describes_the_standing_cluster(name):
    spec = loaded(f"jobs/{name}.yaml")["spec"]
    assert spec["rayClusterSpec"] == loaded("infra/kubernetes/base/cluster/raycluster.yaml")["spec"]
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["ttlSecondsAfterFinished"] > 0


@pytest.mark.parametrize("name", SHORT)
def test_a_short_job_selects_the_standing_cluster(name):
    spec = loaded(f"jobs/{name}.yaml")["spec"]
    standing = loaded("infra/kubernetes/base/cluster/raycluster.yaml")["metadata"]["name"]
    assert spec["clusterSelector"] == {"ray.io/cluster": standing}
    assert spec["backoffLimit"] == 0, "KubeRay refuses retries of a job that selects a cluster"


@pytest.mark.parametrize("name", LONG + SHORT)
def test_all_jobs_submit_from_the_same_pod_and_have_a_deadline(name):
    spec = loaded(f"jobs/{name}.yaml")["spec"]
    assert spec["submitterPodTemplate"] == loaded("jobs/synth.yaml")["spec"]["submitterPodTemplate"]
    assert spec["activeDeadlineSeconds"] > 0


@pytest.mark.parametrize(
    ("jobs", "standing"), [("overlays/gpu/jobs", "overlays/gpu"), ("overlays/spot/jobs", "overlays/spot")]
)
def test_the_jobs_of_an_overlay_have_its_cluster(jobs, standing):
    assert {job["metadata"]["name"] for job in documents(jobs)} == {"train", "leave-one-out", "tune"}
    for job in documents(jobs):
        assert job["spec"]["rayClusterSpec"] == cluster(standing)
        require_invocation(job["spec"]["entrypoint"].removeprefix("rfmeta "))


def test_workers_of_the_overlay_gpu_have_one_gpu_that_ray_knows():
    (container,) = worker(cluster("overlays/gpu"))["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    (shared,) = [v["emptyDir"] for v in worker(cluster("overlays/gpu"))["volumes"] if v["name"] == "shared-mem"]
    assert shared == {"medium": "Memory", "sizeLimit": "16Gi"}
    (plain,) = worker(cluster("overlays/cpu"))["containers"]
    assert "nvidia.com/gpu" not in plain["resources"]["limits"]


def test_the_head_of_the_overlay_spot_stays_and_its_workers_drain():
    spec = cluster("overlays/spot")
    head = spec["headGroupSpec"]["template"]["spec"]
    assert head["nodeSelector"] != worker(spec)["nodeSelector"]
    assert {"name": "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "value": "1"} in head["containers"][0]["env"]
    command = worker(spec)["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    deadline = int(command[-1].split("--deadline-remaining-seconds ")[1].split()[0])
    assert deadline < worker(spec)["terminationGracePeriodSeconds"]


def test_kueue_gets_suspended_jobs_of_a_fixed_size():
    for job in documents("overlays/kueue", "RayJob"):
        assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "rfmeta"
        assert job["spec"]["suspend"] is True
        spec = job["spec"]["rayClusterSpec"]
        assert not spec["enableInTreeAutoscaling"]
        (group,) = spec["workerGroupSpecs"]
        assert group["minReplicas"] == group["replicas"] == group["maxReplicas"] > 0


def test_the_nightly_job_submits_to_the_cluster_beside_it_and_follows():
    (cron,) = documents("overlays/cron", "CronJob")
    (standing,) = documents("overlays/cron", "RayCluster")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    template = cron["spec"]["jobTemplate"]["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == "client"
    (container,) = template["spec"]["containers"]
    program, *words = container["command"]
    assert program == "rfmeta"
    require_invocation(" ".join(words))
    assert "--detach" not in words
    assert (ROOT / words[1]).is_file()
    assert words[-1] == f"http://{standing['metadata']['name']}-head-svc:8265"  # KubeRay names the service so
    assert container["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "rfmeta-token", "key": "auth_token"}
    longest = loaded("jobs/retrain.yaml")["spec"]["activeDeadlineSeconds"]
    assert cron["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > longest


def test_the_ray_cron_job_starts_the_job_that_is_shipped():
    manifest = loaded("infra/kubernetes/overlays/raycron/raycronjob.yaml")
    assert len(manifest["metadata"]["name"]) <= 36
    template = manifest["spec"]["jobTemplate"]
    template.pop("deletionStrategy")
    assert template == loaded("jobs/retrain.yaml")["spec"]


def test_the_state_of_a_fault_tolerant_head_needs_a_password_that_is_in_no_command_line():
    spec = cluster("overlays/fault-tolerant")["gcsFaultToleranceOptions"]
    reference = {"secretKeyRef": {"name": "rfmeta-redis", "key": "password"}}
    (redis,) = documents("overlays/fault-tolerant", "StatefulSet")
    (container,) = redis["spec"]["template"]["spec"]["containers"]
    assert spec["redisPassword"]["valueFrom"] == container["env"][0]["valueFrom"] == reference
    assert spec["redisAddress"] == f"{redis['spec']['serviceName']}:6379"
    served = container["command"][-1].partition("exec redis-server")[2]
    assert served
    assert "REDISCLI_AUTH" not in served


def test_the_prometheus_operator_gets_the_alerts_and_the_names_that_they_use():
    assert RULE.read_text(encoding="utf-8") == rule(ALERTS.read_text(encoding="utf-8")), (
        "give: python -m infra.prometheus_rule"
    )
    scraped = {
        point["relabelings"][0]["replacement"]
        for monitor in documents("overlays/monitoring", "PodMonitor")
        for point in monitor["spec"]["podMetricsEndpoints"]
    }
    named = set(re.findall(r'job="([^"]+)"', ALERTS.read_text(encoding="utf-8")))
    assert scraped == named == {"ray", "rfmeta"}


def test_the_exporter_reads_the_folders_of_the_jobs():
    (deployment,) = documents("overlays/monitoring", "Deployment")
    program, *words = deployment["spec"]["template"]["spec"]["containers"][0]["command"]
    assert program == "rfmeta"
    require_invocation(" ".join(words))
    entries = " ".join(loaded(f"jobs/{name}.yaml")["spec"]["entrypoint"] for name in LONG + SHORT)
    folders = re.findall(r"folder=(s3://\S+)", entries)
    assert {word for word in words if word.startswith("s3://")} == set(folders)
