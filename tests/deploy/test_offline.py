"""A package is scored with the network off, and nothing tries to reach another machine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rfmeta_dist.ingest.models import PACKAGE, SHA256
from tests.deploy.test_serve import PICTURES
from tests.lighter import ROOT

ALONE = ["unshare", "--map-root-user", "--net"]


def test_the_page_names_the_models_that_are_used():
    page = (ROOT / "docs/how-to/offline.md").read_text()
    assert dict(re.findall(r"^\| `(\S+)` \| `([0-9a-f]{64})` \|$", page, re.M)) == SHA256
    assert PACKAGE in page


def test_scoring_and_serving_reach_no_other_machine(package: Path, tmp_path: Path):
    if (
        not shutil.which("unshare")
        or subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this user may not make a network namespace")
    picture = tmp_path / "face.jpg"
    picture.write_bytes(PICTURES["live"])
    ended = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.deploy.offline", str(package), str(picture)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=280,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["control"] == 1  # an attempt is counted
    assert found["attempts"] == 0
    assert found["answer"]["verdict"] == found["command"]["verdict"] == "live"
    assert found["answer"]["score"] == found["command"]["score"]
    assert (found["metrics"], found["ended"]) == (200, 0)
