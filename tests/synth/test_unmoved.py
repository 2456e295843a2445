"""The generator's pictures stay what they were, and its fingerprint follows its code and nothing else."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.output import generate as generator
from rfmeta_dist.synth.output.generate import generate
from rfmeta_dist.synth.output.source import bare

BEFORE = Path(__file__).parent.parent / "fixtures/before_renames/shards"
SCALE = Scale("fixture", 32, {"*": {"train": 2, "validation": 1, "test": 2}}, videos=1, frames=2)


def _stored(domain: str) -> dict[str, bytes]:
    """The crops of a domain that an earlier version generated, by key."""
    crops = {}
    for shard in (BEFORE / domain).rglob("*.tar"):
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(("image.jpg", ".jpg")):
                    file = tar.extractfile(member)
                    assert file is not None
                    crops[member.name.split(".")[0]] = file.read()
    return crops


def _pixels(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


@pytest.mark.parametrize("domain", ["C", "I"])
def test_the_pictures_are_those_of_earlier_versions(domain):
    then = _stored(domain)
    now = {sample.key: sample.image for sample in generate(domain, SCALE, 0)}
    assert now.keys() == then.keys()
    moved = [key for key in now if now[key] != then[key]]
    # Another processor rounds a few crops differently (docs/synth.md), each by little.
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


def test_a_change_in_any_sub_folder_changes_the_fingerprint(tmp_path, monkeypatch):
    root = Path(generator.__file__).parents[1]
    copy = tmp_path / "synth"
    shutil.copytree(root, copy)
    monkeypatch.setattr(generator, "__file__", str(copy / "output/generate.py"))
    before = generator._code()
    deep = copy / "imaging/texture.py"
    deep.write_text(deep.read_text() + "\n# a remark\n")
    assert generator._code() == before
    deep.write_text(deep.read_text() + "\nEXTRA = 1\n")
    assert generator._code() != before
