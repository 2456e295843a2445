"""The object store of a local Ray holds the batches in flight, or says why training will be slower."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.cluster.object_store import LEAST, RAY_LEAST, chosen, in_flight
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config

GB = 10**9


def configuration(domains: int = 40, workers: int = 1, **training: object) -> Config:
    return check(
        {
            "run": {"name": "r"},
            "data": {"prefix": "x", "sources": [f"D{n}" for n in range(domains)], "target": "T"},
            "training": {"workers": workers, "steps": 12, **training},
        },
        "test",
    )


def test_forty_domains_of_twenty_images_of_256_pixels_in_five_steps():
    assert in_flight(configuration()) == 5 * 40 * 20 * (3 * 256**2 + 32**2)
    assert chosen(in_flight(configuration()), 64 * GB, 32 * GB).size >= 1.5 * in_flight(configuration())


@pytest.mark.parametrize("replicated", [False, True])
def test_workers_that_each_take_the_meta_test_batch_need_room_for_each_copy(replicated):
    meta_test = "replicate" if replicated else "shard"
    one, three = (in_flight(configuration(4, workers, meta_test=meta_test)) for workers in (1, 3))
    assert three == (one * 6 // 4 if replicated else one)


sizes = st.integers(0, 500 * GB)


@given(sizes, st.integers(GB, 500 * GB), sizes)
def test_a_store_fits_where_it_is_put_and_a_message_comes_exactly_when_batches_do_not(batches, memory, shared):
    store = chosen(batches, memory, shared)
    assert RAY_LEAST <= store.size <= max(RAY_LEAST, 0.3 * memory)
    if store.shared:
        assert store.size < shared
    held = store.shared and store.size >= batches
    assert bool(store.problem) == (batches > 0 and not held)


def test_a_machine_with_enough_memory_gets_the_least_size_for_small_batches():
    assert chosen(1000, 16 * GB, 8 * GB) == (LEAST, True, "")


SMALL = """
import sys
import numpy as np, ray
from rfmeta_dist.cluster import object_store
from rfmeta_dist.cluster.session import session
object_store.machine = lambda: (8 * 10**9, 64 << 20)  # what docker run gives a container if nothing is said
said = []
with session(1, batches=100 * 10**6, say=said.append):
    @ray.remote(num_cpus=0)
    def make(number):
        return np.full(20 * 10**6, number, np.uint8)
    arrays = ray.get([make.remote(number) for number in range(5)])
    assert [int(array.max()) for array in arrays] == [0, 1, 2, 3, 4]
    assert ray.cluster_resources()["object_store_memory"] >= 10**9
    import psutil
    (raylet,) = [p for p in psutil.Process().children() if "raylet" in p.name()]
    places = [m.path for m in raylet.memory_maps() if "plasma" in m.path]
    assert places and all(place.startswith("/tmp/rf-") for place in places), places
(line,) = said
print(line)
"""


@pytest.mark.drill
def test_a_container_with_64_mb_of_shared_memory_trains_through_a_file_and_says_so(tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0.07 GB free" in done.stdout
    assert "--shm-size=1g" in done.stdout
