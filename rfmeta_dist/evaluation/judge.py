"""The two ends of honest evaluation: finish a model on its sources, then open the sealed target once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import UNITS, RawBatch, Split
from rfmeta_dist.data import domains
from rfmeta_dist.data.cache import Cache
from rfmeta_dist.data.manifest import GoneError, Manifest, subjects
from rfmeta_dist.data.stream import DomainStream, scan
from rfmeta_dist.evaluation import examples, figures, package, thresholds
from rfmeta_dist.evaluation.inference import recalibrate, score
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.models.build import build
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.runs import pins, starts
from rfmeta_dist.runs.folder import record
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.training.checkpoint import read as read_checkpoint

SCORING_BATCH = 64


def finish(config: Config, folder: Store, checkpoint: str, device: torch.device) -> None:
    """Recalibrate on the sources' training split, set thresholds on their validation split, write the package.

    Reads source domains only, in the state that the run is pinned to.

    Args:
        config: the run's.
        folder: the run's.
        checkpoint: folder of the checkpoint to finish, below the run's.
        device: where to compute.

    Raises:
        DataError: a source has one class only in a split, is damaged, or its pinned state was deleted.
        RunError: the checkpoint is damaged, or the model's scores are not numbers.
    """
    shards = open_store(config.data.prefix)
    pinned = pins.read(folder)
    manifests = {name: Manifest.open(shards, name, pinned.get(name)) for name in config.data.sources}
    nets = build(config.model)
    nets.load_state_dict(dict(read_checkpoint(folder.sub(checkpoint)).weights))
    nets.to(device)
    count = recalibrate(nets, _recalibration_batches(config, shards, manifests), device)
    scored = []
    for name, manifest in manifests.items():
        batches = _scan(config, shards, manifest, "validation", config.data.image_size)
        scored.append(score_domain(nets, manifest, batches, device))
        record(
            folder,
            "threshold",
            name,
            "validation",
            len(scored[-1]),
            manifest.fingerprint,
            sealed=False,
        )
    validation = concatenate(scored)
    folder.write("validation.parquet", validation.to_parquet())
    facts = {
        "step": config.training.steps,
        "data": {name: manifest.fingerprint for name, manifest in manifests.items()},
        "recalibration": f"batch-norm statistics pooled over {count} training batches of "
        f"{', '.join(config.data.sources)}",
    }
    chosen = [thresholds.from_sources(validation, unit) for unit in UNITS]
    for name in ("certificate.json", starts.NAME):
        if folder.exists(name):
            folder.write(f"model/{name}", folder.read(name))
    package.save(folder.sub("model"), nets, config.model_dump(mode="json"), chosen, facts)


def evaluate(config: Config, folder: Store, device: torch.device) -> dict[str, Any]:
    """Judge the finished model on the target; the read of its labels goes into the ledger first.

    The target is read in the state that the run is pinned to.

    Returns:
        The content of evaluation.json.

    Raises:
        RunError: the run has no model yet, or the model's scores are not numbers.
        DataError: the target is unknown, damaged or unfit, or its pinned state was deleted.
    """
    model = package.load(folder.sub("model"))
    validation = Scores.from_parquet(folder.read("validation.parquet"))
    shards = open_store(config.data.prefix)
    manifest = _open_target(config, folder, shards)
    chosen, split = config.evaluation.target_split, domains.target_split(config)
    samples = sum(s.samples for s in manifest.shards if split in (None, s.split))
    record(folder, "evaluation", manifest.domain, chosen, samples, manifest.fingerprint, sealed=True)
    batches = _scan(config, shards, manifest, split, model.image_size)
    target = score_domain(model.nets.to(device), manifest, batches, device)
    result = {
        "target": config.data.target,
        "target_split": chosen,
        "sources": list(config.data.sources),
        "method": config.method.name,
        "seed": config.training.seed,
        "step": model.about["step"],
        "selection": "last step",
        "recalibration": model.about["recalibration"],
        "figures": figures.compute(validation, target, config.training.seed),
    }
    folder.write("scores.parquet", concatenate([validation, target]).to_parquet())
    picked = examples.pick(target, model.thresholds["frame"].value)
    batches = _scan(config, shards, manifest, split, model.image_size)
    folder.write("examples.parquet", _pictures(batches, picked))
    folder.write("evaluation.json", json.dumps(result, indent=1, ensure_ascii=False).encode())
    return result


def _open_target(config: Config, folder: Store, shards: Store) -> Manifest:
    """The target as it is pinned, if it can be judged on; a target that cannot be is no look at it."""
    name = config.data.target
    try:
        manifest = Manifest.open(shards, name, pins.read(folder).get(name))
    except GoneError as error:
        raise DataError(
            error.problem,
            f"give the same `rfmeta train` again: it trains nothing and goes over to the newest {name}",
        ) from error
    domains.require_target(config, manifest)
    domains.require_subjects(config, subjects(shards, manifest, domains.target_split(config)))
    return manifest


def concatenate(parts: list[Scores]) -> Scores:
    """Several sets of scores as one."""
    columns = [part.columns() for part in parts]
    return Scores(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def score_domain(
    nets: Networks, manifest: Manifest, batches: Iterator[RawBatch], device: torch.device
) -> Scores:
    """Scores of batches of one domain, with what the manifest says of each sample.

    Args:
        nets: with running statistics to judge by; on the device.
        manifest: the domain's.
        batches: whichever samples of it are to be scored.
        device: where to compute.
    """
    keys: list[pa.Array] = []
    values = [np.array([])]
    for raw in batches:
        values.append(score(nets, raw, device).numpy())
        keys.append(pa.array(raw.keys, pa.string()))
    return Scores.of(manifest.samples, pa.chunked_array(keys, pa.string()), np.concatenate(values))


def _recalibration_batches(
    config: Config, shards: Store, manifests: Mapping[str, Manifest]
) -> Iterator[RawBatch]:
    data, count = config.data, config.evaluation.recalibration_batches
    for manifest in manifests.values():
        stream = DomainStream(
            shards,
            manifest,
            split="train",
            batch=data.batch,
            image_size=data.image_size,
            seed=config.training.seed,
            cache=Cache.of_node(data.prefix, data.cache_gb),
        )
        yield from islice(stream.batches(config.training.steps), count)


def _scan(
    config: Config, shards: Store, manifest: Manifest, split: Split | None, size: int
) -> Iterator[RawBatch]:
    cache = Cache.of_node(config.data.prefix, config.data.cache_gb)
    return scan(shards, manifest, split, image_size=size, batch=SCORING_BATCH, cache=cache)


def _pictures(batches: Iterator[RawBatch], picked: dict[str, list[str]]) -> bytes:
    import simplejpeg

    wanted = set(chain.from_iterable(picked.values()))
    images: dict[str, bytes] = {}
    for raw in batches:
        for key, image in zip(raw.keys, raw.image, strict=True):
            if key in wanted:
                images[key] = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=90)
    return examples.to_parquet(picked, images)
