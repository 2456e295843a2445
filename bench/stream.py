"""Measure samples per second from S3 to decoded batches, against the least that reading and decoding can cost.

    python -m bench.stream [--samples 6000] [--rounds 3] [--threads 2] [--out FILE]

The least cost: each tar is read whole, and its JPEG and depth files are decoded by the given number of threads;
nothing is checked, shuffled or stacked. It is measured with the tars in memory (raw) and from the S3 server
(raw_s3). The stream of this package reads from that server on the same cores, checks every hash, shuffles and
stacks; it is measured without and with a filled cache. mosaicml-streaming and litdata read the same samples in
their own formats from the same server, each with the better of two numbers of loader processes; they are left
out if they are not installed. All take turns in one run. The clock of each starts with its first batch, so that
start-up time is not counted.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from bench.result import give
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.embedded import embedded_s3
from rfmeta_dist.storage.store import Store, open_store

SIZE, BATCH = 256, 20
CHUNK = 16 << 20
EPOCHS = 3
TRIES = 4
LOADERS = (0, 2)  # numbers of loader processes that are tried for the other libraries

Contestant = Callable[[], Iterator[int]]  # yields the sizes of batches as they become ready


def samples(count: int) -> Iterator[Sample]:
    """Yield samples, half live and half attacks, with images of about 36 kB like face crops at quality 95."""
    for number in range(count):
        rng, label = generator("bench", number), number % 2
        coarse = rng.integers(0, 256, (24, 24, 3), np.uint8)
        image = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        image = np.clip(image + rng.integers(-9, 10, image.shape), 0, 255).astype(np.uint8)
        depth = cv2.resize(rng.integers(1, 256, (4, 4), np.uint8), (32, 32)) * np.uint8(label)
        yield Sample(
            key=f"A-v-{number:06d}",
            domain="A",
            split="train",
            label=label,
            attack_type="live" if label else "print",
            subject=f"A-{number}",
            video="v",
            frame=number,
            image=simplejpeg.encode_jpeg(image, quality=95, colorsubsampling="420"),
            image_ext="jpg",
            depth=cv2.imencode(".png", depth)[1].tobytes(),
        )


def decoded(image: bytes, depth: bytes) -> tuple[Any, Any]:
    """Decode an image and its depth, as all contestants have to."""
    pixels = simplejpeg.decode_jpeg(image, colorspace="RGB")
    return pixels, cv2.imdecode(np.frombuffer(depth, np.uint8), cv2.IMREAD_GRAYSCALE)


def raw(reads: list[Callable[[], bytes]], threads: int) -> Iterator[int]:
    """Read tars and decode their content, one tar per thread."""

    def read(source: Callable[[], bytes]) -> int:
        found, depth = 0, b""
        with tarfile.open(fileobj=io.BytesIO(source()), mode="r|") as tar:
            for member in tar:
                file = tar.extractfile(member)
                data = file.read() if file else b""
                if member.name.endswith(".depth.png"):
                    depth = data
                elif member.name.endswith(".jpg"):
                    decoded(data, depth)
                    found += 1
        return found

    yield 0  # starts the clock: nothing is read before it
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(read, reads)


def ours(store: Store, manifest: Manifest, cache: Cache | None) -> Iterator[int]:
    """Yield the batch sizes of several epochs, so that what is read before the clock starts hardly counts."""
    stream = DomainStream(store, manifest, split="train", batch=BATCH, image_size=SIZE, seed=0, cache=cache)
    count = EPOCHS * manifest.samples.num_rows // BATCH
    return (len(batch.keys) for batch in islice(stream.batches(), count))


def collate(rows: list[dict[str, Any]]) -> tuple[Any, Any, list[int]]:
    """Decode and stack rows in the loader's process, as the stream does."""
    images, depths = zip(*(decoded(row["image"], row["depth"]) for row in rows), strict=True)
    return np.stack(images), np.stack(depths), [row["label"] for row in rows]


def row(sample: Sample) -> dict[str, Any]:
    """Return a sample as the other formats store it."""
    return {"image": sample.image, "depth": sample.depth, "label": sample.label}


def mosaic(folder: Path, workers: int) -> Iterator[int]:
    """Yield the batch sizes of an epoch of mosaicml-streaming that begins with an empty local disk."""
    from streaming import StreamingDataset
    from streaming.base.util import clean_stale_shared_memory
    from torch.utils.data import DataLoader

    clean_stale_shared_memory()
    with tempfile.TemporaryDirectory(dir=folder) as local:
        data = StreamingDataset(
            remote="s3://bench/mosaicml_streaming",
            local=local,
            batch_size=BATCH,
            shuffle=True,
            shuffle_seed=0,
        )
        loader = DataLoader(data, batch_size=BATCH, num_workers=workers, collate_fn=collate)
        yield from (len(labels) for _, _, labels in loader)


def write_mosaic(folder: Path, count: int) -> None:
    """Store the samples as MDS."""
    from streaming import MDSWriter

    columns = {"image": "bytes", "depth": "bytes", "label": "int"}
    with MDSWriter(out=str(folder), columns=columns, size_limit=CHUNK) as writer:
        for sample in samples(count):
            writer.write(row(sample))


def litdata(folder: Path, workers: int) -> Iterator[int]:
    """Yield the batch sizes of an epoch of litdata that begins with an empty local disk."""
    from litdata import StreamingDataLoader, StreamingDataset

    with tempfile.TemporaryDirectory(dir=folder) as local:
        data = StreamingDataset(
            "s3://bench/litdata",
            cache_dir=local,
            shuffle=True,
            seed=0,
            storage_options={"endpoint_url": os.environ["AWS_ENDPOINT_URL"]},
        )
        loader = StreamingDataLoader(data, batch_size=BATCH, num_workers=workers, collate_fn=collate)
        yield from (len(labels) for _, _, labels in loader)


def write_litdata(folder: Path, count: int) -> None:
    """Store the samples as litdata's chunks."""
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(str(folder), chunk_bytes=CHUNK)
    for number, sample in enumerate(samples(count)):
        writer[number] = row(sample)
    writer.done()
    writer.merge()


OTHERS: dict[str, tuple[str, Any, Any]] = {
    "mosaicml_streaming": ("streaming", write_mosaic, mosaic),
    "litdata": ("litdata", write_litdata, litdata),
}


def prepare(folder: Path, options: argparse.Namespace) -> tuple[dict[str, Contestant], int, list[str]]:
    """Store the samples in all formats. Return what to time by name, bytes of the shards, who is left out."""
    store = open_store("s3://bench/ours")
    manifest = pack(samples(options.samples), store, "A", contract={})
    names = [f"A/{shard.name}" for shard in manifest.shards]
    disk = open_store(str(folder / "disk"))
    for name in names:
        disk.write(name, store.read(name))
    contestants: dict[str, Contestant] = {
        "raw": partial(raw, [partial(disk.read, name) for name in names], options.threads),
        "raw_s3": partial(raw, [partial(store.read, name) for name in names], options.threads),
        "stream": partial(ours, store, manifest, None),
        "stream_cached": partial(ours, store, manifest, Cache(folder / "cache")),
    }
    absent = []
    for name, (module, write, read) in OTHERS.items():
        if importlib.util.find_spec(module) is None:
            absent.append(name)
            continue
        write(folder / name, options.samples)
        for path in (folder / name).iterdir():
            open_store(f"s3://bench/{name}").write(path.name, path.read_bytes())
        for workers in LOADERS:
            contestants[f"{name}_{workers}"] = partial(read, folder, workers)
    return contestants, sum(shard.size for shard in manifest.shards), absent


def rate(run: Contestant, count: int) -> float:
    """Return the samples per second of an epoch, from its first batch on."""
    batches = iter(run())
    first = next(batches)
    started = time.perf_counter()
    rest = sum(batches)
    if first + rest < count - count % BATCH:
        raise SystemExit(f"only {first + rest} of {count} samples were delivered")
    return rest / (time.perf_counter() - started)


def patiently(name: str, run: Contestant, count: int, failures: Counter[str]) -> float:
    """Return `rate`, but note failures and try again.

    mosaicml-streaming 0.13 sometimes reads a shard that another of its processes has not finished writing.
    """
    for _ in range(TRIES - 1):
        try:
            return rate(run, count)
        except Exception as error:  # noqa: BLE001  whatever another library raises
            failures[name] += 1
            print(f"{name} failed and is tried again: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
    return rate(run, count)


def main() -> None:
    """Print and write the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, default=2, help="threads of the raw reading; use the number of cores"
    )
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, embedded_s3(Path(name) / "s3") as server:
        server.make_bucket("bench")
        contestants, size, absent = prepare(Path(name), o)
        # The first round fills the cache and is not counted.
        failures: Counter[str] = Counter()
        rounds = [
            {name: patiently(name, run, o.samples, failures) for name, run in contestants.items()}
            for _ in range(o.rounds + 1)
        ][1:]
    middle = {name: statistics.median(found[name] for found in rounds) for name in contestants}

    def ratio(one: str, other: str) -> float:
        return round(statistics.median(found[one] / found[other] for found in rounds), 3)

    result: dict[str, Any] = {
        "samples_per_s": {name: round(found) for name, found in middle.items()},
        "MB_per_s": {name: round(found * size / o.samples / 1e6, 1) for name, found in middle.items()},
        "stream_to_raw": ratio("stream", "raw"),
        "stream_to_raw_s3": ratio("stream", "raw_s3"),
        "stream_cached_to_raw": ratio("stream_cached", "raw"),
    }
    for other in OTHERS:
        ways = [name for name in middle if name.startswith(other)]
        if ways:
            result[f"stream_to_{other}"] = ratio("stream", max(ways, key=lambda name: middle[name]))
    result |= {"left_out": absent, "failed_epochs": dict(failures), "settings": vars(o) | {"out": None}}
    give(result, o.out)


if __name__ == "__main__":
    main()
