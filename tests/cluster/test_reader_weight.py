"""What a reader loads: neither torch nor webdataset, when it was imported and when it has delivered batches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import SIZE, make_samples

IMPORTED = """
import json, sys, time
import rfmeta_dist.cluster.streams
pss = next(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Pss:"))
print(json.dumps({"MB": pss / 1024, "CPU s": time.process_time(), "modules": sorted(sys.modules)}))
"""
AT_WORK = """
import json, sys
from rfmeta_dist.cluster.reading import DomainReader, Reading
from rfmeta_dist.config.load import check
plain, fingerprint = json.loads(sys.argv[1])
reader = DomainReader(Reading.of(check(plain, "test"), {"O": fingerprint, "C": ""}), "O")
rows = len(reader.batch(0, 0, 4).keys) + len(reader.batch(1, 0, 4).keys)
print(json.dumps({"rows": rows, "modules": sorted(sys.modules)}))
"""
UNWANTED = {"torch", "webdataset", "deepspeed", "sklearn", "matplotlib"}


def found(script: str, *arguments: str) -> dict:
    return json.loads(subprocess.check_output([sys.executable, "-c", script, *arguments], text=True))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_importing_the_reader_is_light():
    cost = found(IMPORTED)
    assert not UNWANTED & set(cost["modules"])
    assert cost["MB"] <= 80
    assert cost["CPU s"] <= 1


def test_a_reader_at_work_is_without_torch(tmp_path: Path):
    manifest = pack(make_samples("O", {"train": (8, 8)}), open_store(str(tmp_path)), "O", contract={})
    data = {
        "prefix": str(tmp_path),
        "sources": ["O", "C"],
        "target": "M",
        "image_size": SIZE,
        "batch": 4,
        "augmentation": {"cutout": 0.2, "blur": 1, "noise": 0.02, "sharpness": 1, "coding": 50},
    }
    plain = {"run": {"name": "light"}, "data": data}
    cost = found(AT_WORK, json.dumps([plain, manifest.fingerprint]))
    assert cost["rows"] == 8
    assert not UNWANTED & set(cost["modules"])
