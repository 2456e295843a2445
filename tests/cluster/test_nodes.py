"""A node is lost under a run, and there is no spare: it waits, says for what, and goes on when a node comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rfmeta_dist.config.load import dump

STEPS = 150

PROGRAM = """
import json, sys, threading, time
from pathlib import Path
import ray
from ray.cluster_utils import Cluster
from rfmeta_dist.cluster.session import session
from rfmeta_dist.cluster.train import train_run
from rfmeta_dist.config.load import load_config

quiet, hurt = (load_config(Path(name), ()) for name in sys.argv[1:3])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": sys.argv[3]})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
with session(address=cluster.address):
    train_run(quiet, lambda row: None, local=True)
    rows, notices = [], []
    training = threading.Thread(
        target=train_run, args=(hurt, rows.append), kwargs={"on_notice": notices.append, "local": True}
    )
    training.start()
    wait = lambda done: [time.sleep(0.05) for _ in iter(done, True)]
    wait(lambda: bool(rows) and rows[-1]["step"] >= 12)
    cluster.remove_node(nodes[0], allow_graceful=False)
    wait(lambda: bool(notices))
    cluster.add_node(num_cpus=1)
    training.join()
cluster.shutdown()
print(json.dumps({"notices": notices, "steps": [row["step"] for row in rows]}))
"""


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_lost_node_is_waited_for_and_changes_no_bit(configure, tmp_path: Path):
    files = []
    for name in ("quiet", "node-lost"):
        config = configure(name, steps=STEPS, checkpoint_every=10)
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(dump(config))
    runs = Path(config.run.folder)
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp") as place:
        (Path(place) / "ray").mkdir()  # Ray's test cluster writes its address there
        environment = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": place}
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *files, place],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["notices"][0].startswith(
        "M: waiting for 1 of 2 workers: the cluster has 1 free slot(s) of 1 CPU"
    )
    assert said["steps"][-1] == STEPS - 1
    assert len(said["steps"]) > STEPS  # some steps were taken again, from the latest checkpoint
    last = f"step-{STEPS:07d}/model.safetensors"
    assert (runs / "node-lost" / last).read_bytes() == (runs / "quiet" / last).read_bytes()
    assert (runs / "node-lost/model/package.json").exists()
