"""Score the sources' validation splits and the sealed target with detectors. Each read goes into the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.within import domain_of
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.core.types import RawBatch, Split
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.parts import open_judged
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import GoneError, Manifest, subjects
from rfmeta_dist.detectors.api import Detector, ScoreError, View
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.runs import pins
from rfmeta_dist.runs.folder import record
from rfmeta_dist.storage.store import Store, open_store

SCORING_BATCH = 64


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
        batches = scan_judged(config, sources.store, manifest, "validation", view)
        scored.append(score_domain(detector, manifest, batches))
        count, state = len(scored[-1]), manifest.fingerprint
        part = manifest.part("validation")
        record(folder, "threshold", name, part, count, state, sealed=False, once=once)
    return concatenate(scored)


def score_target(
    config: Config, folder: Store, detector: Detector, view: View, *, once: bool = False
) -> tuple[Manifest, Scores]:
    """Score the target with one detector, as `score_target_by` does."""
    manifest, scores = score_target_by(config, folder, {"": detector}, view, once=once)
    return manifest, scores[""]


def score_target_by(
    config: Config, folder: Store, detectors: Mapping[str, Detector], view: View, *, once: bool = False
) -> tuple[Manifest, dict[str, Scores]]:
    """Score the target in the state that the run is pinned to. That is written to the ledger before.

    However many detectors there are, the target is read once, and the ledger gets one line. If there are
    several, the line has their names as `models`.

    Args:
        config: the run's configuration, which names the target.
        folder: the run's folder, which has the pins and the ledger.
        detectors: detectors that were fitted on the sources, by name.
        view: the detectors' view.
        once: write a line to the ledger only if an equal one is not there.

    Returns:
        The target's manifest, and the scores by the detector's name.

    Raises:
        DataError: the target is unknown or damaged, cannot be judged on, or its pinned state was deleted.
        RunError: the detector's scores are not numbers.
    """
    shards = open_store(config.data.prefix)
    manifest, name = open_target(config, folder, shards), domains.target_of(config)
    chosen, split = config.evaluation.target_split, domains.target_split(config)
    samples = sum(s.samples for s in manifest.shards if split in (None, s.split))
    state, models = manifest.fingerprint, {"models": list(detectors)} if len(detectors) > 1 else {}
    record(folder, "evaluation", name, chosen, samples, state, sealed=True, once=once, **models)
    batches = scan_judged(config, shards, manifest, split, view)
    scores = score_domain_by(list(detectors.values()), manifest, batches)
    return manifest, dict(zip(detectors, scores, strict=True))


def view_of(config: Config, sources: Sources) -> View:
    """Return the detector's view. Its crop rule is that of the sources, or None if the sources differ."""
    rules = [manifest.contract.get("crop") for manifest in sources.manifests.values()]
    agreed = rules[0] if rules and all(rule == rules[0] for rule in rules) else None
    return View(config.data.image_size, agreed, patches=config.data.patches)


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
    """Score batches of one domain with one detector, as `score_domain_by` does."""
    return score_domain_by([detector], manifest, batches)[0]


def score_domain_by(
    detectors: Sequence[Detector], manifest: Manifest, batches: Iterable[RawBatch]
) -> list[Scores]:
    """Score batches of one domain, and add what the manifest says about each sample.

    If a face comes as several patches, its score is the mean of their scores.

    Args:
        detectors: the detectors that score the images. Each batch is read once for all of them.
        manifest: the domain's manifest.
        batches: the samples to score; all patches of a face are in one batch.

    Raises:
        RunError: a score is not a number in [0, 1] (the error names the sample), or a detector scores clips.
        DataError: the manifest lacks a sample.
    """
    for detector in detectors:
        if detector.wants != "frame":
            raise RunError(
                f"a detector of kind {detector.kind} scores clips, but this version judges only frames",
                "use the version of rfmeta_dist that made the model",
            )
    keys: list[pa.Array] = []
    values = [[np.array([])] for _ in detectors]
    for raw in batches:
        for detector, mine in zip(detectors, values, strict=True):
            try:
                faces, score = _per_face(raw.keys, detector.score(raw.image))
            except ScoreError as error:
                raise error.of(raw.keys[error.row]) from error
            mine.append(score)
        keys.append(pa.array(faces, pa.string()))
    names = pa.chunked_array(keys, pa.string())
    return [Scores.of(manifest.samples, names, np.concatenate(mine)) for mine in values]


def _per_face(keys: Sequence[str], score: NDArray[np.float64]) -> tuple[list[str], NDArray[np.float64]]:
    """Return each key once, and the mean score of the adjacent images that have this key."""
    first = [0, *(index for index, (one, other) in enumerate(pairwise(keys), 1) if one != other)]
    mean: NDArray[np.float64] = np.add.reduceat(score, first) / np.diff([*first, len(keys)])
    return [keys[index] for index in first], mean


def scan_judged(
    config: Config,
    shards: Store,
    manifest: Manifest,
    split: Split | None,
    view: View,
    *,
    only: Collection[str] | None = None,
) -> Iterator[RawBatch]:
    """Return the samples of a split, or of all splits, as a detector sees them. `only`: keys to yield."""
    return scan(
        shards,
        manifest,
        split,
        image_size=view.image_size,
        batch=SCORING_BATCH,
        cache=Cache.of_node(config.data.prefix, config.data.cache_gb),
        patches=view.patches,
        only=only,
    )
