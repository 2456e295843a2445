"""The network policies of infra/kubernetes let through what is needed, and nothing else."""

from __future__ import annotations

import pytest

from tests.rendered import Peer, allowed, cluster, documents, loaded

HEAD = {"app.kubernetes.io/part-of": "rfmeta", "app.kubernetes.io/component": "ray", "ray.io/node-type": "head"}
WORKER = {**HEAD, "ray.io/node-type": "worker"}
CLIENT = {"app.kubernetes.io/part-of": "rfmeta", "app.kubernetes.io/component": "client"}
EXPORTER = {"app.kubernetes.io/part-of": "rfmeta", "app.kubernetes.io/component": "exporter"}
REDIS = {"app.kubernetes.io/part-of": "rfmeta", "app.kubernetes.io/component": "redis"}
OPERATOR = Peer({"app.kubernetes.io/component": "kuberay-operator"}, "kuberay")
DNS, PROMETHEUS = Peer({"k8s-app": "kube-dns"}, "kube-system"), Peer({"app": "prometheus"}, "monitoring")
STRANGER, OUTSIDE = Peer({"app": "web"}), Peer(namespace="")
CONNECTIONS = {
    "workers reach each other": (Peer(WORKER), Peer(WORKER), 30000, True),
    "a worker reaches the head's state": (Peer(WORKER), Peer(HEAD), 6379, True),
    "a client submits": (Peer(CLIENT), Peer(HEAD), 8265, True),
    "the operator asks how a job stands": (OPERATOR, Peer(HEAD), 8265, True),
    "Prometheus scrapes a worker": (PROMETHEUS, Peer(WORKER), 8080, True),
    "Prometheus scrapes the autoscaler": (PROMETHEUS, Peer(HEAD), 44217, True),
    "a worker reaches the store": (Peer(WORKER), OUTSIDE, 443, True),
    "the autoscaler reaches the API server": (Peer(HEAD), OUTSIDE, 6443, True),
    "a client of another namespace": (Peer(CLIENT, "other"), Peer(HEAD), 8265, False),
    "a stranger submits": (STRANGER, Peer(HEAD), 8265, False),
    "a stranger reads the metrics": (STRANGER, Peer(WORKER), 8080, False),
    "a stranger reaches the head's state": (STRANGER, Peer(HEAD), 6379, False),
    "Prometheus submits": (PROMETHEUS, Peer(HEAD), 8265, False),
    "a client reaches the head's state": (Peer(CLIENT), Peer(HEAD), 6379, False),
    "a client reaches a worker": (Peer(CLIENT), Peer(WORKER), 8265, False),
    "a client reaches the internet": (Peer(CLIENT), OUTSIDE, 443, False),
    "a worker reaches the node's credentials": (Peer(WORKER), OUTSIDE, 80, False),
    "a worker reaches a stranger": (Peer(WORKER), STRANGER, 8080, False),
    "the world submits": (OUTSIDE, Peer(HEAD), 8265, False),
}


@pytest.mark.parametrize(("source", "target", "port", "passes"), CONNECTIONS.values(), ids=CONNECTIONS)
def test_a_connection_passes_only_if_it_is_needed(source, target, port, passes):
    assert allowed(documents("overlays/cpu", "NetworkPolicy"), source, target, port) is passes


def test_names_are_resolved_and_redis_answers_the_nodes_alone():
    policies = documents("overlays/fault-tolerant", "NetworkPolicy")
    for labels in (HEAD, WORKER, CLIENT):
        assert allowed(policies, Peer(labels), DNS, 53, "UDP")
    assert allowed(policies, Peer(HEAD), Peer(REDIS), 6379)
    assert not allowed(policies, Peer(CLIENT), Peer(REDIS), 6379)
    assert not allowed(policies, STRANGER, Peer(REDIS), 6379)
    assert not allowed(documents("overlays/cpu", "NetworkPolicy"), Peer(HEAD), Peer(REDIS), 6379)


def test_the_exporter_reaches_the_store_and_answers_prometheus_alone():
    policies, exporter = documents("overlays/monitoring", "NetworkPolicy"), Peer(EXPORTER)
    assert allowed(policies, exporter, OUTSIDE, 443)
    assert allowed(policies, exporter, DNS, 53, "UDP")
    assert allowed(policies, PROMETHEUS, exporter, 9464)
    assert not allowed(policies, STRANGER, exporter, 9464)
    assert not allowed(policies, exporter, Peer(HEAD), 8265)


def test_the_labels_that_the_policies_select_are_on_the_pods():
    spec = cluster("overlays/cpu")
    for template in (spec["headGroupSpec"]["template"], spec["workerGroupSpecs"][0]["template"]):
        labels = template["metadata"]["labels"]
        assert labels.items() <= HEAD.items()
        assert labels["app.kubernetes.io/component"] == "ray"
    submitter = loaded("jobs/synth.yaml")["spec"]["submitterPodTemplate"]["metadata"]["labels"]
    assert submitter == CLIENT
