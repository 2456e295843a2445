"""Set a detector's thresholds on the sources, and judge the detector on the sealed target.

The caller loads the detector. This module depends on no recipe and on no framework.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.within import domain_of
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.core.types import UNITS, RawBatch, Split
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.parts import open_judged
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import GoneError, Manifest, subjects
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.api import Detector, ScoreError, View
from rfmeta_dist.detectors.package import Package
from rfmeta_dist.evaluation import examples, figures, thresholds
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.validation import read_validation
from rfmeta_dist.runs import pins, starts
from rfmeta_dist.runs.folder import record
from rfmeta_dist.storage.store import Store, open_store

SCORING_BATCH = 64
SHOWN_SIDE = 256  # largest side in pixels of the faces on a report page if the detector scores patches


def finish(
    config: Config, folder: Store, detector: Detector, sources: Sources, facts: Mapping[str, Any]
) -> None:
    """Set a detector's thresholds on its sources' validation splits, and write the package.

    Only source domains are read.

    Args:
        config: the run's configuration.
        folder: the run's folder.
        detector: a detector that was fitted on the sources.
        sources: the run's source domains.
        facts: facts about the fitting: `step`, and `recalibration` in words.

    Raises:
        DataError: a source has one class only in its validation split, or is damaged.
        RunError: the detector's scores are not numbers.
    """
    view = view_of(config, sources)
    validation = score_sources(config, folder, detector, sources, view)
    folder.write("validation.parquet", validation.to_parquet())
    chosen = [thresholds.from_sources(validation, unit) for unit in UNITS]
    for name in ("certificate.json", starts.NAME):
        if folder.exists(name):
            folder.write(f"model/{name}", folder.read(name))
    data = {name: manifest.fingerprint for name, manifest in sources.manifests.items()}
    about = {**facts, "data": data, "config": config.model_dump(mode="json")}
    points = {unit: thresholds.points_from_sources(validation, unit) for unit in UNITS}
    package.save(folder.sub("model"), detector, view, chosen, about, points)


def score_sources(
    config: Config, folder: Store, detector: Detector, sources: Sources, view: View, *, once: bool = False
) -> Scores:
    """Score the validation splits of the sources, on which thresholds are set, and write that to the ledger.

    Args:
        config: the run's configuration.
        folder: the run's folder, which has the ledger.
        detector: a detector that was fitted on the sources.
        sources: the run's source domains.
        view: the detector's view.
        once: write a line to the ledger only if an equal one is not there.

    Raises:
        DataError: a source is damaged.
        RunError: the detector's scores are not numbers.
    """
    scored = []
    for name, manifest in sources.manifests.items():
        batches = _scan(config, sources.store, manifest, "validation", view)
        scored.append(score_domain(detector, manifest, batches))
        count, state = len(scored[-1]), manifest.fingerprint
        part = manifest.part("validation")
        record(folder, "threshold", name, part, count, state, sealed=False, once=once)
    return concatenate(scored)


def score_target(
    config: Config, folder: Store, detector: Detector, view: View, *, once: bool = False
) -> tuple[Manifest, Scores]:
    """Score the target in the state that the run is pinned to. That is written to the ledger before.

    Args:
        config: the run's configuration, which names the target.
        folder: the run's folder, which has the pins and the ledger.
        detector: a detector that was fitted on the sources.
        view: the detector's view.
        once: write a line to the ledger only if an equal one is not there.

    Returns:
        The target's manifest, and its scores.

    Raises:
        DataError: the target is unknown or damaged, cannot be judged on, or its pinned state was deleted.
        RunError: the detector's scores are not numbers.
    """
    shards = open_store(config.data.prefix)
    manifest, name = open_target(config, folder, shards), domains.target_of(config)
    chosen, split = config.evaluation.target_split, domains.target_split(config)
    samples = sum(s.samples for s in manifest.shards if split in (None, s.split))
    state = manifest.fingerprint
    record(folder, "evaluation", name, chosen, samples, state, sealed=True, once=once)
    return manifest, score_domain(detector, manifest, _scan(config, shards, manifest, split, view))


def view_of(config: Config, sources: Sources) -> View:
    """Return the detector's view. Its crop rule is that of the sources, or None if the sources differ."""
    rules = [manifest.contract.get("crop") for manifest in sources.manifests.values()]
    agreed = rules[0] if rules and all(rule == rules[0] for rule in rules) else None
    return View(config.data.image_size, agreed, patches=config.data.patches)


def evaluate(config: Config, folder: Store, model: Package) -> dict[str, Any]:
    """Judge a finished run's model on its target, in the state that the run is pinned to.

    Before any label of the target is read, the read is written to the run's ledger.

    Args:
        config: the run's configuration.
        folder: the run's folder.
        model: the run's loaded package.

    Returns:
        The content of evaluation.json.

    Raises:
        RunError: the run has no target, the model's scores are not numbers, or validation.parquet does not
            belong to the model.
        DataError: the target is unknown or damaged, cannot be judged on, or its pinned state was deleted.
    """
    name, validation = domains.target_of(config), read_validation(folder, model)
    manifest, target = score_target(config, folder, model.detector, model.view)
    result = {
        "target": name,
        "target_split": config.evaluation.target_split,
        "sources": list(config.data.sources),
        "method": config.method.name,
        "seed": config.training.seed,
        "step": model.about["step"],
        "selection": "last step",
        "recalibration": model.about["recalibration"],
        "figures": figures.compute(validation, target, config.training.seed),
    }
    if model.view.patches:
        result["view"] = model.view.words
    folder.write("scores.parquet", concatenate([validation, target]).to_parquet(model.scorer))
    picked = examples.pick(target, model.thresholds["frame"].value)
    shards, split = open_store(config.data.prefix), domains.target_split(config)
    faces = _scan(config, shards, manifest, split, whole(model.view, manifest))
    folder.write("examples.parquet", _pictures(faces, picked))
    folder.write("evaluation.json", json.dumps(result, indent=1, ensure_ascii=False).encode())
    return result


def open_target(config: Config, folder: Store, shards: Store) -> Manifest:
    """Return the target's manifest in the pinned state, after checking that the target can be judged on.

    If it cannot, the error comes before the ledger is written, because no label has been read.
    """
    name = domains.target_of(config)
    try:
        manifest = open_judged(shards, config.data, name, pins.read(folder).get(domain_of(name)))
    except GoneError as error:
        raise DataError(
            error.problem,
            f"give this run's `rfmeta train` command again: it trains nothing and takes the newest {name}",
        ) from error
    domains.require_target(config, manifest)
    domains.require_subjects(config, subjects(shards, manifest, domains.target_split(config)))
    return manifest


def concatenate(parts: list[Scores]) -> Scores:
    """Join several sets of scores to one."""
    columns = [part.columns() for part in parts]
    return Scores(**{name: np.concatenate([c[name] for c in columns]) for name in columns[0]})


def score_domain(detector: Detector, manifest: Manifest, batches: Iterable[RawBatch]) -> Scores:
    """Score batches of one domain, and add what the manifest says about each sample.

    If a face comes as several patches, its score is the mean of their scores.

    Args:
        detector: the detector that scores the images.
        manifest: the domain's manifest.
        batches: the samples to score; all patches of a face are in one batch.

    Raises:
        RunError: a score is not a number in [0, 1] (the error names the sample), or the detector scores clips.
        DataError: the manifest lacks a sample.
    """
    if detector.wants != "frame":
        raise RunError(
            f"a detector of kind {detector.kind} scores clips, but this version judges only scores of frames",
            "use the version of rfmeta_dist that made the model",
        )
    keys: list[pa.Array] = []
    values = [np.array([])]
    for raw in batches:
        try:
            faces, score = _per_face(raw.keys, detector.score(raw.image))
        except ScoreError as error:
            raise error.of(raw.keys[error.row]) from error
        values.append(score)
        keys.append(pa.array(faces, pa.string()))
    return Scores.of(manifest.samples, pa.chunked_array(keys, pa.string()), np.concatenate(values))


def _per_face(keys: Sequence[str], score: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """Return each key once, and the mean score of the adjacent images that have this key."""
    first = [0, *(index for index, (one, other) in enumerate(pairwise(keys), 1) if one != other)]
    mean: NDArray[np.float64] = np.add.reduceat(score, first) / np.diff([*first, len(keys)])
    return [keys[index] for index in first], mean


def whole(view: View, manifest: Manifest) -> View:
    """Return a view of whole faces, for the pictures on the report page."""
    if view.patches is None:
        return view
    return replace(view, image_size=min(SHOWN_SIDE, manifest.image_size // 8 * 8), patches=None)


def _scan(
    config: Config, shards: Store, manifest: Manifest, split: Split | None, view: View
) -> Iterator[RawBatch]:
    return scan(
        shards,
        manifest,
        split,
        image_size=view.image_size,
        batch=SCORING_BATCH,
        cache=Cache.of_node(config.data.prefix, config.data.cache_gb),
        patches=view.patches,
    )


def _pictures(batches: Iterator[RawBatch], picked: dict[str, list[str]]) -> bytes:
    import simplejpeg

    wanted = set(chain.from_iterable(picked.values()))
    images: dict[str, bytes] = {}
    for raw in batches:
        for key, image in zip(raw.keys, raw.image, strict=True):
            if key in wanted:
                images[key] = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=90)
    return examples.to_parquet(picked, images)
