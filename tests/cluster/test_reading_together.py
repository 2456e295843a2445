"""Several domains in one actor, on a cluster with several nodes: the same batches, and near the workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import SIZE, make_samples

DOMAINS = ("A", "B", "C", "D", "E")

# In a process of its own, since the other tests of this folder share one Ray of one node. The driver's node has
# no slots, as the head of a real cluster.
SCRIPT = """
import hashlib, json, sys, time
import ray
from ray.cluster_utils import Cluster
from rfmeta_dist.cluster import streams
from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.storage.store import open_store

config = check(json.loads(sys.argv[1]), "test")
small = {"object_store_memory": 80 << 20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
for _ in range(2):
    cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
ray.init(address=cluster.address, log_to_driver=False)

@ray.remote(num_cpus=1)
def ready():
    time.sleep(1)

ray.get([ready.remote(), ready.remote()])  # both nodes are at work, so the driver's node knows of them

store = open_store(config.data.prefix)
manifests = {name: Manifest.open(store, name) for name in config.data.sources}
hashes = {name: m.fingerprint for name, m in manifests.items()}
actors = streams.start([config])
all_sound = streams.opened(actors, config, hashes)
source = streams.RayBatches(all_sound)

def digest(raw):
    whole = [raw.image.tobytes(), raw.depth.tobytes(), raw.label.tobytes(), repr(raw.keys).encode()]
    return hashlib.sha256(b"".join(whole)).hexdigest()

def by_itself(name):
    stream = DomainStream(store, manifests[name], split="train", batch=4, image_size=config.data.image_size,
                          seed=config.training.seed, augmentation=config.data.augmentation)
    batches = stream.batches()
    return [digest(next(batches)) for _ in range(6)]

def asked(name):
    return [digest(source.batch(Need(name, k, range(4)))) for k in range(6)]

def inside(_):
    import sys
    pss = next(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Pss:"))
    return {"node": ray.get_runtime_context().get_node_id(), "MB": pss / 1024, "modules": sorted(sys.modules)}

expected = {name: by_itself(name) for name in hashes}
for need in [Need(name, k, range(4)) for k in range(3) for name in hashes]:
    source.prefetch([need])
found = {name: asked(name) for name in hashes}
samples = {name: m.samples for name, m in streams.totals(all_sound).items()}
told = ray.get([a.__ray_call__.remote(inside) for a in set(all_sound.actors.values())])

wrong = streams.opened(actors, config, hashes | {"B": "of another time"})
message = ""
try:
    streams.RayBatches(wrong).batch(Need("B", 0, range(4)))
except DataError as error:
    message = str(error)
beside = digest(streams.RayBatches(wrong).batch(Need("D", 0, range(4))))
pair = config.model_copy(update={"data": config.data.model_copy(update={"sources": ("A", "B")})})
many = streams.start([pair], together=8)  # sixteen workers: four actors for two domains
nodes = {name: [ray.get(a.__ray_call__.remote(inside))["node"] for a in many[name]] for name in "AB"}
trainings = [
    streams.opened(many, pair.model_copy(update={"run": pair.run.model_copy(update={"name": f"r{n}"})}), hashes)
    for n in range(8)
]
copies = {
    str(one.actors["A"]): digest(streams.RayBatches(one).batch(Need("A", 0, range(4)))) for one in trainings
}
print(json.dumps({
    "nodes": nodes, "copies": copies,
    "expected": expected, "found": found, "samples": samples, "told": told, "message": message,
    "beside": beside, "together": wrong.actors["B"] == wrong.actors["D"],
    "slots": [n["NodeID"] for n in ray.nodes() if n["Resources"].get("CPU", 0) >= 1],
}))
ray.shutdown()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("together")
    for name in DOMAINS:
        pack(make_samples(name, {"train": (8, 8)}), open_store(str(folder)), name, contract={})
    tree = {
        "run": {"name": "together", "folder": str(folder)},
        "data": {
            "prefix": str(folder),
            "sources": list(DOMAINS),
            "target": "M",
            "image_size": SIZE,
            "batch": 4,
            "augmentation": {"cutout": 0.2},
        },
        "training": {"workers": 2},
    }
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0"}
    said = subprocess.check_output(
        [sys.executable, "-c", SCRIPT, json.dumps(tree)], text=True, env=environment, timeout=240
    )
    return json.loads(said.strip().splitlines()[-1])


def test_domains_that_share_an_actor_have_the_batches_they_have_by_themselves(outcome: dict):
    assert len(outcome["told"]) == 2  # for two workers, and five domains
    assert outcome["found"] == outcome["expected"]
    assert len({tuple(batches) for batches in outcome["found"].values()}) == len(DOMAINS)


def test_metrics_and_errors_are_those_of_one_domain(outcome: dict):
    assert outcome["samples"].keys() == set(DOMAINS)
    assert all(24 <= count < 60 for count in outcome["samples"].values())
    assert "of domain B under" in outcome["message"]
    assert outcome["together"]
    assert outcome["beside"] == outcome["expected"]["D"][0]


def test_actors_are_spread_over_the_nodes_with_slots_and_load_no_torch(outcome: dict):
    assert {told["node"] for told in outcome["told"]} == set(outcome["slots"])
    for told in outcome["told"]:
        assert not {"torch", "webdataset", "rfmeta_dist.methods"} & set(told["modules"])


def test_a_study_of_many_workers_reads_each_domain_on_every_node(outcome: dict):
    for nodes in outcome["nodes"].values():
        assert sorted(nodes) == sorted(outcome["slots"])  # one process a node, so each node reads a domain once
    assert len(outcome["copies"]) == 2  # trainings are spread over the copies
    assert set(outcome["copies"].values()) == {outcome["expected"]["A"][0]}
