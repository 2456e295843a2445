"""Set the thresholds of an exported model on its own scores, where those of the trained model do not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import UNITS, Unit
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.detectors.api import Detector, OperatingPoint, Points, Threshold, View
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.evaluation import judge, rates, thresholds
from rfmeta_dist.evaluation.scores import Scores


@dataclass(frozen=True)
class Decisions:
    """Thresholds by unit, and those of the operating points by unit and name."""

    thresholds: dict[Unit, Threshold]
    points: Points

    @classmethod
    def of(cls, model: Contents) -> Decisions:
        """Return those of a trained model."""
        return cls({unit: model.thresholds[unit] for unit in UNITS}, dict(model.operating_points))

    @property
    def cuts(self) -> dict[str, float]:
        """Return all thresholds by names such as `video` and `video bpcer@apcer5`."""
        plain = {str(unit): threshold.value for unit, threshold in self.thresholds.items()}
        points = {f"{unit} {name}": p.value for unit, named in self.points.items() for name, p in named.items()}
        return {**plain, **points}


def validation_scores(
    detector: Detector, config: Config, sources: Sources, view: View, tell: Callable[[str], None]
) -> Scores:
    """Score the validation splits of the sources. The target is not read.

    Args:
        detector: takes whole crops of the view's size, or single patches.
        config: the configuration of the training.
        sources: the sources, in the states that the model was trained on.
        view: the trained model's view.
        tell: called with a line of progress.

    Raises:
        DataError: a source is damaged.
        StorageError: the store cannot be read.
        RunError: a score is not a number.
    """
    scored = []
    for name, manifest in sources.manifests.items():
        tell(
            f"scoring the validation split of {name}: {manifest.count('validation', 1)} live crops and "
            f"{manifest.count('validation', 0)} of attacks"
        )
        batches = scan(
            sources.store,
            manifest,
            "validation",
            image_size=view.image_size,
            batch=judge.SCORING_BATCH,
            cache=Cache.of_node(config.data.prefix, config.data.cache_gb),
            patches=view.patches,
        )
        scored.append(judge.score_domain(detector, manifest, batches))
    return judge.concatenate(scored)


def decide(validation: Scores, precision: str) -> Decisions:
    """Return the thresholds that follow from validation scores, with the precision in their sources.

    Args:
        validation: frame scores of the sources' validation splits.
        precision: what the scores were computed in, such as `int8`.

    Raises:
        DataError: one class is missing.
    """
    chosen: dict[Unit, Threshold] = {}
    points: Points = {}
    for unit in UNITS:
        found = thresholds.from_sources(validation, unit)
        chosen[unit] = replace(found, source=f"{found.source}, scored in {precision}")
        named = thresholds.points_from_sources(validation, unit)
        points[unit] = {name: _marked(point, precision) for name, point in named.items()}
    return Decisions(chosen, points)


def auc(validation: Scores) -> dict[Unit, float]:
    """Return the AUC of validation scores for each unit, over all sources together."""
    scores = {unit: validation.per(unit) for unit in UNITS}
    return {unit: rates.auc(found.label, found.score) for unit, found in scores.items()}


def _marked(point: OperatingPoint, precision: str) -> OperatingPoint:
    origin: dict[str, Any] = {**point.origin, "data": f"{point.origin['data']}, scored in {precision}"}
    return replace(point, origin=origin)
