"""`rfmeta evaluate` without a cluster judges in its own process."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stored import BEFORE, SHARDS

WITHOUT_RAY = """
import sys
sys.modules["ray"] = None  # an import of Ray fails from now on
from rfmeta_dist.cli import main
sys.argv = ["rfmeta", "evaluate", sys.argv[1], "--json"]
main()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of an earlier version, whose data are where this checkout has them."""
    place = tmp_path / "finished"
    shutil.copytree(BEFORE / "runs/finished", place)
    config = place / "config.yaml"
    config.write_text(re.sub(r"prefix: .*", f"prefix: {SHARDS}", config.read_text()))
    return place


def test_a_run_is_judged_without_ray(run: Path) -> None:
    before = json.loads((run / "evaluation.json").read_text())
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, run], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found == json.loads((run / "evaluation.json").read_text())
    assert found["figures"]["video"]["HTER"]["value"] == pytest.approx(
        before["figures"]["video"]["HTER"]["value"], abs=1e-12
    )
    assert json.loads((run / "lease.json").read_text())["released"]
