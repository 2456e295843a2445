"""Set a detector's thresholds on the sources, and judge the detector on the sealed target.

The caller loads the detector. This module depends on no recipe and on no framework.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import UNITS, RawBatch
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.api import Detector, View
from rfmeta_dist.detectors.package import Package
from rfmeta_dist.evaluation import checkpoints, examples, figures, thresholds
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import concatenate, scan_judged, score_sources, score_target_by, view_of
from rfmeta_dist.evaluation.validation import read_validation
from rfmeta_dist.runs import starts
from rfmeta_dist.storage.store import Store, open_store

NONE: Mapping[str, Package] = {}
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
        facts: facts about the fitting: `step`, and `recalibration` in words, if the detector was trained in
            steps; `classifier` if it is one of hand-made features.

    Raises:
        DataError: a source has one class only in its validation split, or is damaged.
        RunError: the detector's scores are not numbers.
    """
    validation = score_sources(config, folder, detector, sources, view_of(config, sources))
    save_model(config, folder, detector, sources, validation, facts)


def save_model(  # what a model consists of
    config: Config,
    folder: Store,
    detector: Detector,
    sources: Sources,
    validation: Scores,
    facts: Mapping[str, Any],
) -> None:
    """Set a detector's thresholds on validation scores, and write the scores and the package.

    Args:
        config: the run's configuration.
        folder: the folder to write to: the run's, or that of a candidate.
        detector: the detector.
        sources: the run's source domains.
        validation: the detector's scores of the sources' validation splits, from `score_sources`.
        facts: see `finish`.

    Raises:
        DataError: a source has one class only in its validation split.
    """
    folder.write("validation.parquet", validation.to_parquet())
    chosen = [thresholds.from_sources(validation, unit) for unit in UNITS]
    for name in ("certificate.json", starts.NAME):
        if folder.exists(name):
            folder.write(f"model/{name}", folder.read(name))
    data = {name: manifest.fingerprint for name, manifest in sources.manifests.items()}
    about = {**facts, "data": data, "config": config.model_dump(mode="json")}
    points = {unit: thresholds.points_from_sources(validation, unit) for unit in UNITS}
    package.save(folder.sub("model"), detector, view_of(config, sources), chosen, about, points)


def evaluate(
    config: Config, folder: Store, model: Package, others: Mapping[str, Package] = NONE
) -> dict[str, Any]:
    """Judge a finished run's model on its target, in the state that the run is pinned to.

    Before any label of the target is read, the read is written to the run's ledger.

    Args:
        config: the run's configuration.
        folder: the run's folder.
        model: the run's loaded package.
        others: the loaded packages of the run's other candidates, by name (`checkpoints.others`).

    Returns:
        The content of evaluation.json.

    Raises:
        RunError: the run has no target, the model's scores are not numbers, or validation.parquet does not
            belong to the model.
        DataError: the target is unknown or damaged, cannot be judged on, or its pinned state was deleted.
    """
    target_name, validation = domains.target_of(config), read_validation(folder, model)
    choice = model.about.get("checkpoints", {"rule": "last", "chosen": "model"})
    models = {choice["chosen"]: model, **others}
    read: dict[str, Scores] = {}
    for name, other in others.items():
        with checkpoints.reading(folder, name) as place:
            read[name] = read_validation(place, other)
    names = [row["name"] for row in choice.get("candidates", [])] or list(models)
    detectors = {name: models[name].detector for name in names}
    manifest, scored = score_target_by(config, folder, detectors, model.view)
    target = scored[choice["chosen"]]
    result: dict[str, Any] = {
        "target": target_name,
        "target_split": config.evaluation.target_split,
        "sources": list(config.data.sources),
        "method": config.method.name,
        "seed": config.training.seed,
        **_of_kind(model.about, choice["rule"]),
        "figures": figures.compute(validation, target, config.training.seed),
    }
    if model.view.patches:
        result["view"] = model.view.words
    if "candidates" in choice:
        read[choice["chosen"]] = validation
        result["checkpoints"] = checkpoints.judged(choice, read, scored)
        for name, one in models.items():
            both = concatenate([read[name], scored[name]])
            folder.write(f"{checkpoints.FOLDER}/{name}/scores.parquet", both.to_parquet(one.scorer))
    folder.write("scores.parquet", concatenate([validation, target]).to_parquet(model.scorer))
    picked = examples.pick(target, model.thresholds["frame"].value)
    shards, split = open_store(config.data.prefix), domains.target_split(config)
    faces = scan_judged(config, shards, manifest, split, whole(model.view, manifest))
    folder.write("examples.parquet", _pictures(faces, picked))
    folder.write("evaluation.json", json.dumps(result, indent=1, ensure_ascii=False).encode())
    return result


def _of_kind(about: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """Return what evaluation.json says about how a detector was made."""
    if "step" not in about:  # it was fitted at once, and has neither checkpoints nor batch norm
        return {"selection": "the classifier that was fitted", "classifier": about["classifier"]}
    words = checkpoints.WORDS[rule]
    return {"step": about["step"], "selection": words, "recalibration": about["recalibration"]}


def whole(view: View, manifest: Manifest) -> View:
    """Return a view of whole faces, for the pictures on the report page."""
    if view.patches is None:
        return view
    return replace(view, image_size=min(SHOWN_SIDE, manifest.image_size // 8 * 8), patches=None)


def _pictures(batches: Iterator[RawBatch], picked: dict[str, list[str]]) -> bytes:
    import simplejpeg

    wanted = set(chain.from_iterable(picked.values()))
    images: dict[str, bytes] = {}
    for raw in batches:
        for key, image in zip(raw.keys, raw.image, strict=True):
            if key in wanted:
                images[key] = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=90)
    return examples.to_parquet(picked, images)
