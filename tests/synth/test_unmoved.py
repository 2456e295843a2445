"""The generator's pictures stay what they were, and its fingerprint follows its code and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.synth.output.source import bare
from tests.synth import pictures

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("domain", pictures.DOMAINS)
def test_the_pictures_are_those_of_earlier_versions(domain):
    then, now = pictures.then(domain), pictures.now(domain)
    assert now.keys() == then.keys()
    moved = [key for key in now if now[key] != then[key]]
    # Another processor rounds a few crops differently (docs/explanation/generated-domains.md), each by little.
    assert len(moved) <= len(now) / 4, moved
    for key in moved:
        a, b = (
            cv2.imdecode(np.frombuffer(d[key], np.uint8), cv2.IMREAD_COLOR).astype(int) for d in (now, then)
        )
        assert np.abs(a - b).mean() < 1.0, key


def test_comments_and_docstrings_are_no_part_of_the_code():
    plain = "import os\n\n\ndef f(x):\n    return '# é' + x\n"
    told = f'"""Ä module.\n\nLong."""\n{plain}'.replace("os\n", "os  # é why\n").replace(
        "x):\n", 'x):\n    """Do it."""\n    # x\n'
    )
    assert bare(told) == bare(plain)
    assert bare(plain.replace("+ x", "+ x * 2")) != bare(plain)
    assert bare(plain.replace("# é", "# ê")) != bare(plain), "a text with a # in it is no comment"


CODE = """
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import contract, plan
print(contract(SCALES["tiny"], plan("C", SCALES["tiny"], 0, None))["code"])
"""


def _code(project: Path) -> str:
    """What the manifest of a domain would say of the code that generates it."""
    environment = os.environ | {"PYTHONPATH": str(project)}
    command = [sys.executable, "-c", CODE]
    ending = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=True)
    return ending.stdout.strip()


def test_a_change_in_any_sub_folder_changes_what_a_manifest_says_of_the_code(tmp_path):
    for name in ("rfmeta_dist", "shards"):  # the cards lie beside the package
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = _code(tmp_path)
    deep = tmp_path / "rfmeta_dist/synth/imaging/texture.py"
    deep.write_text(deep.read_text() + "\n# a remark\n")
    assert _code(tmp_path) == before
    deep.write_text(deep.read_text() + "\nEXTRA = 1\n")
    assert _code(tmp_path) not in ("", before)
