"""A machine is lost under a study: its training goes on elsewhere, and no figure is another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import dump

STEPS = 120

PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from rfmeta_dist.cluster.session import session
from rfmeta_dist.config.load import load_config
from tests.cluster.lanes import Desk, changed, order

base, place = load_config(Path(sys.argv[1]), ()), Path(sys.argv[2])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": sys.argv[3]})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
desks = []
with session(address=cluster.address):
    for way in ("quiet", "hurt"):
        folder = str(place / way / "trainings")
        orders = []
        for seed in range(3):
            config = changed(base, run={"name": f"t{seed}", "folder": folder}, training={"seed": seed})
            orders.append([order(config, config.training.steps, "M")])
        desk = Desk(place / way, orders, local=False)
        desks.append(desk)
        study = threading.Thread(target=desk.run)
        study.start()
        if way == "hurt":
            while not any(row["step"] >= 40 for row in list(desk.rows)):
                time.sleep(0.05)
            cluster.remove_node(nodes[0], allow_graceful=False)
        study.join()
cluster.shutdown()
print(json.dumps({"said": desks[1].said, "steps": [row["step"] for row in desks[1].rows]}))
"""


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_lost_machine_changes_no_figure(configure: Any, tmp_path: Path):
    config = configure(
        "base", steps=STEPS, checkpoint_every=10, workers=1, strategy="single", wait_s=20, restarts=2
    )
    file = tmp_path / "base.yaml"
    file.write_text(dump(config))
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp") as place:
        (Path(place) / "ray").mkdir()  # Ray's test cluster writes its address there
        environment = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": place}
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(file), str(tmp_path), place],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert any("workers have failed; it goes on from its newest checkpoint" in line for line in found["said"])
    assert len(found["steps"]) > 3 * STEPS  # some steps were taken again
    quiet, hurt = (sorted((tmp_path / way / "figures").iterdir()) for way in ("quiet", "hurt"))
    assert len(quiet) == len(hurt) == 3
    assert [path.read_bytes() for path in quiet] == [path.read_bytes() for path in hurt]
