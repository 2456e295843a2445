"""What the cluster can never hold is refused at once; what it may hold later is waited for, with a line."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from rfmeta_dist.cluster import room
from rfmeta_dist.cluster.autoscaler import Growth, growth, parse
from rfmeta_dist.cluster.lanes import NOTHING
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError

LONGEST_S = 60


def ask(each: dict[str, float], count: int) -> room.Ask:
    return room.Ask("training", each, count, "ask for less")


@pytest.mark.parametrize(
    ("each", "count", "words"),
    [
        ({"CPU": 1}, 9, "9 process(es) with 1 CPU each, but the cluster has 8 CPUs on 1 machine(s)"),
        (
            {"CPU": 1, "GPU": 1},
            1,
            "1 process(es) with 1 CPU and 1 GPU each, but the cluster has 8 CPUs and 0 GPUs",
        ),
        ({"CPU": 5}, 2, "2 process(es) with 5 CPUs each"),  # ten in all, which no machine has twice five of
    ],
    ids=["slots", "gpu", "one machine"],
)
def test_what_can_never_run_is_refused_at_once(cluster, each, count, words):
    started = time.monotonic()
    with pytest.raises(ClusterError) as found:
        room.wait_for_room(ask(each, count))
    assert words in found.value.problem
    assert found.value.remedy == "ask for less"
    assert time.monotonic() - started < 10


def test_slots_that_others_hold_are_waited_for_with_a_line(free_slots, monkeypatch, caplog):
    monkeypatch.setattr(room, "PATIENCE_S", 0.5)
    holder = ray.remote(num_cpus=free_slots)(logging.Formatter).remote()
    ray.get(holder.usesTime.remote(), timeout=60)
    threading.Timer(3, ray.kill, [holder]).start()
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        room.wait_for_room(ask({"CPU": 1}, 2))
    assert time.monotonic() - started > 2
    assert (
        "waiting for 2 process(es) with 1 CPU each, which training needs: the cluster has 8 CPUs" in caplog.text
    )
    assert "0 CPUs free" in caplog.text


def test_a_model_of_gpus_is_judged_on_a_cpu_where_there_is_no_gpu(cluster, configure: Any, caplog):
    found = room.for_judging(configure("gpu", gpus=1))
    assert dict(found.each) == {"CPU": 1}
    assert "no machine of the cluster has a GPU: the model of gpu is judged on a CPU" in caplog.text
    assert room.for_training(configure("gpu", gpus=1)).each == {"CPU": 1, "GPU": 1}


def test_an_autoscaler_adds_up_to_its_limits_of_each_type_and_of_all():
    types = {
        "head": {"resources": {"CPU": 4}, "max_workers": 0},
        "small": {"resources": {"CPU": 2}, "max_workers": 3},
        "large": {"resources": {"CPU": 8, "GPU": 1}},
    }
    found = parse({"head_node_type": "head", "max_workers": 4, "available_node_types": types})
    assert found == Growth(True, ({"CPU": 2},) * 3 + ({"CPU": 8, "GPU": 1},) * 4, 4)


def test_a_trial_can_ask_about_the_autoscaler_though_its_placement_group_has_no_room(cluster: None):
    """Ray places a trial's tasks in the trial's own group if they do not ask for another place."""
    group = placement_group([NOTHING])
    trial = PlacementGroupSchedulingStrategy(group, placement_group_capture_child_tasks=True)
    try:
        asked = ray.remote(num_cpus=0)(growth).options(scheduling_strategy=trial, resources=NOTHING).remote()
        assert ray.get(asked, timeout=60) == Growth()  # not Growth(known=False): the head has answered
    finally:
        remove_placement_group(group)


HEAD = "f" * 51 + "00000"
TYPES = {
    "head": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
    "cpu": {
        "resources": {"CPU": 1, "object_store_memory": 80_000_000},
        "node_config": {},
        "min_workers": 0,
        "max_workers": 2,
    },
}
LISTS = [
    "cluster_synced_files",
    *(
        "head_setup_commands",
        "head_start_ray_commands",
        "initialization_commands",
        "rsync_exclude",
        "rsync_filter",
    ),
    *("setup_commands", "worker_setup_commands", "worker_start_ray_commands"),
]
EMPTY: dict[str, Any] = {"auth": {}, "docker": {}, "file_mounts": {}, **{name: [] for name in LISTS}}


@contextmanager
def autoscaling_cluster() -> Iterator[str]:
    """A head without CPUs whose autoscaler runs up to two machines of one CPU, as processes; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp") as folder:
        settings = {
            "cluster_name": "test",
            "max_workers": 5,
            "upscaling_speed": 1.0,
            "idle_timeout_minutes": 1,
            "provider": {
                "type": "fake_multinode",
                "gcs_address": f"127.0.0.1:{port}",
                "head_node_id": HEAD,
                "disable_node_updaters": True,
                "disable_launch_config_check": True,
                "worker_liveness_check": False,
            },
            "available_node_types": TYPES,
            "head_node_type": "head",
            "file_mounts_sync_continuously": False,
            **EMPTY,
        }
        config = Path(folder) / "autoscaler.json"
        config.write_text(json.dumps(settings))
        options = {"port": port, "temp-dir": folder, "autoscaling-config": config, "num-cpus": 0}
        options |= {"object-store-memory": 80_000_000, "include-dashboard": "false"}
        head = subprocess.Popen(
            [
                *(
                    str(Path(sys.executable).parent / "ray"),
                    "start",
                    "--head",
                    "--block",
                    "--disable-usage-stats",
                ),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            env=os.environ
            | {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1", "RAY_AUTH_MODE": "disabled"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + LONGEST_S
            while not list(Path(folder).glob("session_*/logs/monitor.log")):
                assert head.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(head.pid, signal.SIGTERM)
            head.wait()


DRIVER = """
import json, logging, sys
logging.basicConfig(format="%(message)s", stream=sys.stderr)
from rfmeta_dist.cluster import room
from rfmeta_dist.cluster.session import session
from rfmeta_dist.cluster.room import at_once
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError
room.PATIENCE_S = 0.5
run = Config.model_validate_json(sys.argv[2])
asks = {"three": ({"CPU": 1}, 3), "gpu": ({"GPU": 1}, 1), "pair": ({"CPU": 2}, 1)}
refused = {}
with session(address=sys.argv[1]):
    before = room.most({"CPU": 1})
    for name, (each, count) in asks.items():
        try:
            room.wait_for_room(room.Ask("training", each, count, "ask for less"))
        except ClusterError as error:
            refused[name] = error.problem
    together = at_once([run])
print(json.dumps({"before": before, "refused": refused, "together": together}))
"""


@pytest.mark.drill
def test_machines_that_an_autoscaler_may_add_are_counted_asked_for_and_waited_for(configure: Any):
    run: Config = configure("auto", workers=2)
    with autoscaling_cluster() as address:
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, address, run.model_dump_json()],
            env=os.environ | {"RAY_AUTH_MODE": "disabled"},
            check=False,
            capture_output=True,
            text=True,
            timeout=4 * LONGEST_S,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["before"] == 2
    assert found["together"] == 1
    assert found["refused"].keys() == {"three", "gpu", "pair"}
    for words in found["refused"].values():
        assert "its autoscaler may run up to 2 machine(s) beside the head" in words
    assert (
        "waiting for 2 process(es) with 1 CPU each, which training of auto needs: the cluster has 0 CPUs"
        in done.stderr
    )


def test_machines_of_ones_own_whose_resources_are_not_told_may_hold_anything():
    types = {"local.cluster.node": {"resources": {}, "max_workers": 3}}
    assert not parse({"head_node_type": "head", "max_workers": 3, "available_node_types": types}).known
