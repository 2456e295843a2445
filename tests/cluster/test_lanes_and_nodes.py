"""Machines are lost under a study: trainings go on elsewhere, and its decisions and choices are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from rfmeta_dist.cluster import trials
from rfmeta_dist.cluster.session import session
from rfmeta_dist.config.load import check
from rfmeta_dist.tuning.results import FAILURES
from rfmeta_dist.tuning.study import opened
from tests.tuning.studies import base, study

place, faces = Path(sys.argv[1]), sys.argv[2]
config = check(
    base(faces, workers=1, strategy="single", steps=40, checkpoint_every=5, wait_s=20, restarts=2), "test"
)
search = {"kind": "tpe", "candidates": 6, "startup": 3, "batch": 3, "rungs": [10], "keep": 0.4}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "temp_dir": sys.argv[3]})
nodes = [cluster.add_node(num_cpus=1) for _ in range(4)]
said, rows = [], []
with session(address=cluster.address):
    for way in ("quiet", "hurt"):
        given = study(folder=str(place / way), base=config, search=search, targets=["M", "O"])
        with opened(given) as found:
            def do():
                where = found.manifests, found.shared.url, found.folder.sub(FAILURES)
                trials.run(
                    found.orders, *where, rows.append, on_notice=said.append, local=False, token=found.token
                )
            searching = threading.Thread(target=do)
            searching.start()
            if way == "hurt":
                while len(list((place / way / "figures").glob("*.json"))) < 6:
                    assert searching.is_alive()
                    time.sleep(0.05)
                said.clear()
                cluster.remove_node(nodes[0], allow_graceful=False)
            searching.join()
            for target in found.plan.targets:
                found.choose(target)
cluster.shutdown()
print(json.dumps(said))
"""


@pytest.mark.drill
@pytest.mark.timeout(1500)
def test_a_lost_machine_changes_no_choice(faces: str, tmp_path: Path):
    with tempfile.TemporaryDirectory(prefix="rf-", dir="/tmp") as place:
        (Path(place) / "ray").mkdir()  # Ray's test cluster writes its address there
        environment = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": place}
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(tmp_path), faces, place],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-4000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert any("workers have failed" in line for line in said), said
    for name in ("choice-to_M.yaml", "choice-to_O.yaml", "trace-to_M.jsonl", "trace-to_O.jsonl"):
        quiet, hurt = ((tmp_path / way / "study" / name).read_text() for way in ("quiet", "hurt"))
        assert hurt.replace(str(tmp_path / "hurt"), str(tmp_path / "quiet")) == quiet, name
