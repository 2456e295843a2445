"""A finished run can be judged in a process that cannot import Ray or DeepSpeed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.stored import BEFORE, SHARDS

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "deepspeed"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import torch
from rfmeta_dist.evaluation import judge
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.runs.folder import read_config
from rfmeta_dist.storage.store import open_store
torch.set_num_threads(1)
run = open_store(sys.argv[1])
result = judge.evaluate(read_config(run), run, load_model(run.sub("model")))
loaded = {name.split(".")[0] for name in sys.modules} | {name for name in sys.modules if name.count(".") == 1}
print(json.dumps({"result": result, "loaded": sorted(loaded)}))
"""


@pytest.mark.drill
def test_a_run_is_judged_outside_of_ray(tmp_path: Path) -> None:
    run = tmp_path / "finished"
    shutil.copytree(BEFORE / "runs/finished", run)
    tree = yaml.safe_load((run / "config.yaml").read_text())
    tree["data"]["prefix"] = str(SHARDS)
    (run / "config.yaml").write_text(yaml.safe_dump(tree))
    then = json.loads((run / "evaluation.json").read_text())
    (run / "evaluation.json").unlink()

    command = [sys.executable, "-c", PROGRAM, str(run)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ending = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ending.returncode == 0, ending.stderr
    said = json.loads(ending.stdout)
    assert said["loaded"].count("torch") == 1
    assert not {"ray", "deepspeed", "rfmeta_dist.cluster", "rfmeta_dist.cli"} & set(said["loaded"])
    now = said["result"]
    assert json.loads((run / "evaluation.json").read_text()) == now
    for unit in ("frame", "video"):
        for figure in ("HTER", "AUC", "oracle_EER"):
            found, earlier = (result["figures"][unit][figure]["value"] for result in (now, then))
            assert found == pytest.approx(earlier, abs=1e-4)
    last = json.loads((run / "ledger.jsonl").read_text().splitlines()[-1])
    assert (last["domain"], last["purpose"], last["sealed"]) == ("M", "evaluation", True)
