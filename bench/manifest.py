"""Measure seconds and memory of judging a large domain: its manifest, and reading and writing its scores.

    python -m bench.manifest [--samples 1000000] [--out FILE]

Each step runs in a process of its own, in two ways: as the program does it (`columns`), and with a Python
object for each row or cell (`lists`). `peak_mb` is the largest memory that a step adds to what was in use
before it; `kept_mb` is the part of it that is still in use afterwards. No picture is read, and no network is
run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from pyarrow import parquet

from bench.result import give
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest
from rfmeta_dist.data.shards.tables import FORMAT, sample_schema, shard_schema
from rfmeta_dist.evaluation.examples import pick
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.store import open_store

DOMAIN = "OULU"
SHARD, FRAMES = 1_000, 20  # samples in a shard, and in a video


def make(folder: Path, samples: int) -> None:
    """Write manifest and tables of a domain in which every third shard is live. No shards are written."""
    rows = np.arange(samples)
    shard, video = rows // SHARD, rows // FRAMES
    label = (np.arange(shard[-1] + 1) % 3 == 0).astype(np.int8)
    tars = [f"test/{CLASSES[one]}/{n:06d}-0123456789ab.tar" for n, one in enumerate(label)]
    clips = range(video[-1] + 1)
    kinds = ["live" if label[n * FRAMES // SHARD] else ("print", "replay")[n % 2] for n in clips]
    people = [f"{DOMAIN}-{n // 50:05d}" for n in clips]
    names = [f"{who}_{kind}_{n:06d}" for n, (who, kind) in enumerate(zip(people, kinds, strict=True))]
    hashes = pa.py_buffer(np.random.default_rng(0).bytes(32 * samples))
    columns = {field.name: pa.array(rows % 1_000).cast(field.type) for field in list(sample_schema())[9:16]}
    columns |= {
        "key": pa.array(f"{names[n]}-{i % FRAMES:05d}" for i, n in enumerate(video.tolist())),
        "domain": shared([DOMAIN], rows * 0),
        "attack_type": shared(kinds, video),
        "split": shared(["test"], rows * 0),
        "shard": shared(tars, shard),
        "image_ext": shared(["jpg"], rows * 0),
        "label": pa.array(label[shard]),
        "subject_id": shared(people, video),
        "video_id": shared(names, video),
        **{f"sha256_{n}": pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), samples, [None, hashes])
           for n in ("image", "depth", "label")},
    }  # fmt: skip
    counted = np.bincount(shard)
    shards = {
        "shard": tars,
        "domain": [DOMAIN] * len(tars),
        "split": ["test"] * len(tars),
        "label": label,
        "n_samples": counted,
        "n_bytes": counted,
        "sha256": ["0" * 64] * len(tars),
    }
    content = {
        "format": FORMAT,
        "domain": DOMAIN,
        "image_size": 256,
        "contract": {},
        "counts": {"test": {name: int(counted[label == n].sum()) for n, name in enumerate(CLASSES)}},
        "samples": written(folder / DOMAIN, "samples", columns, sample_schema()),
        "shards": written(folder / DOMAIN, "shards", shards, shard_schema()),
    }
    (folder / DOMAIN / "manifest-000001.json").write_text(json.dumps(content) + "\n")


def shared(names: list[str], index: Any) -> pa.DictionaryArray:
    """Return a column with few distinct names, dictionary-encoded."""
    coded = pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(names))
    return coded.cast(pa.string()).dictionary_encode()


def written(folder: Path, kind: str, columns: dict[str, Any], schema: pa.Schema) -> dict[str, str]:
    """Write a table as packing does. Return the reference to it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{kind}.parquet"
    parquet.write_table(
        pa.table({name: columns[name] for name in schema.names}, schema), path, compression="zstd"
    )
    return {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


class Steps:
    """The steps. Each method prepares one step, and returns the function that is measured."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _manifest(self) -> Manifest:
        return Manifest.open(open_store(str(self.folder)), DOMAIN)

    def _scores(self) -> Scores:
        return self.describe()()

    def open(self) -> Callable[[], Any]:
        """Read a manifest and its tables, and compare them with each other."""
        return self._manifest

    def open_lists(self) -> Callable[[], Any]:
        """Do the same, and compare the shard of each sample as a list."""

        def run() -> Manifest:
            found = self._manifest()
            names = [shard.name for shard in found.shards for _ in range(shard.samples)]
            assert names == found.samples["shard"].to_pylist()
            return found

        return run

    def describe(self) -> Callable[[], Any]:
        """Join each score with what the manifest says about its sample."""
        samples = self._manifest().samples
        values = np.random.default_rng(0).random(samples.num_rows)
        return lambda: Scores.of(samples, samples["key"], values)

    def describe_lists(self) -> Callable[[], Any]:
        """Do the same from rows as dictionaries, into arrays of numpy strings."""
        manifest = self._manifest()
        values = np.random.default_rng(0).random(manifest.samples.num_rows)
        keys = manifest.samples["key"].to_pylist()

        def run() -> list[Any]:
            rows = {row["key"]: row for row in manifest.samples.to_pylist()}
            found = [rows[key] for key in keys]
            columns = ("key", "domain", "split", "subject_id", "video_id", "attack_type", "label")
            return [np.array([row[name] for row in found]) for name in columns] + [values]

        return run

    def write(self) -> Callable[[], Any]:
        """Encode scores.parquet."""
        return self._scores().to_parquet

    def write_lists(self) -> Callable[[], Any]:
        """Do the same from a list for each column."""
        given = self._scores().columns()
        texts = {n: np.array(c.tolist()) for n, c in given.items()}
        numbers = {"label": pa.int8(), "score": pa.float64()}
        schema = pa.schema([(name, numbers.get(name, pa.string())) for name in texts])
        del given

        def run() -> bytes:
            sink = pa.BufferOutputStream()
            parquet.write_table(pa.table({n: c.tolist() for n, c in texts.items()}, schema=schema), sink)
            return sink.getvalue().to_pybytes()

        return run

    def read(self) -> Callable[[], Any]:
        """Read scores.parquet."""
        data = self._scores().to_parquet()
        return lambda: Scores.from_parquet(data)

    def read_lists(self) -> Callable[[], Any]:
        """Do the same through a list for each column, into arrays of numpy strings."""
        data = self._scores().to_parquet()

        def run() -> list[Any]:
            table = parquet.read_table(pa.BufferReader(data))
            lists = {name: table[name].to_pylist() for name in table.column_names}
            return [np.asarray(column) for column in lists.values()]

        return run

    def videos(self) -> Callable[[], Any]:
        """Compute the mean score of each video."""
        return self._scores().per_video

    def videos_lists(self) -> Callable[[], Any]:
        """Do the same from arrays of numpy strings."""
        texts = {n: np.array(c.tolist()) for n, c in self._scores().columns().items()}

        def run() -> list[Any]:
            domain = np.unique(texts["domain"], return_inverse=True)[1]
            names, video = np.unique(texts["video"], return_inverse=True)
            _, first, group = np.unique(domain * len(names) + video, return_index=True, return_inverse=True)
            for name in ("subject", "split", "attack_type", "label"):
                assert not (texts[name] != texts[name][first][group]).any()
            return [column[first] for column in texts.values()]

        return run

    def examples(self) -> Callable[[], Any]:
        """Choose the frames that a page shows."""
        scores = self._scores()
        return lambda: pick(scores, 0.5)


STEPS = ("open", "open_lists", "describe", "describe_lists", "write", "write_lists", "read", "read_lists",
         "videos", "videos_lists", "examples")  # fmt: skip


def measure(folder: Path, step: str) -> dict[str, float]:
    """Return the seconds and MB of one step in this process."""
    run = getattr(Steps(folder), step)()
    pa.default_memory_pool().release_unused()
    Path("/proc/self/clear_refs").write_text("5")  # resets the counter of peak memory
    before, started = memory("VmRSS"), time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    peak, kept = memory("VmHWM"), memory("VmRSS")
    del result
    return {"seconds": round(seconds, 2), "peak_mb": round(peak - before), "kept_mb": round(kept - before)}


def memory(name: str) -> float:
    """Return the MB in use by this process (VmRSS), or the most since the counter was reset (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(name))


def main() -> None:
    """Make the domain, then run each step in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(measure(given.folder, given.step)))
        return
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), given.samples)
        command = [sys.executable, "-m", "bench.manifest", "--folder", folder, "--step"]
        found = {}
        for step in STEPS:
            done = subprocess.run([*command, step], check=True, capture_output=True, text=True)
            found[step] = json.loads(done.stdout)
    result: dict[str, Any] = {"samples": given.samples}
    for step in STEPS:
        name, _, way = step.partition("_")
        result.setdefault(name, {})[way or "columns"] = found[step]
    give(result, given.out)


if __name__ == "__main__":
    main()
