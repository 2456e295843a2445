"""Look at what a judged model computes of single faces of its target, and at its features of all domains.

The caller loads the detectors. This module depends on no recipe and on no framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors.api import Explained
from rfmeta_dist.evaluation import chosen
from rfmeta_dist.evaluation.chosen import Chosen
from rfmeta_dist.evaluation.face_maps import Parts, mean_map, parts
from rfmeta_dist.evaluation.judge import whole
from rfmeta_dist.evaluation.looks import Look, Where, looks, pictures
from rfmeta_dist.evaluation.projection import Flat, between, by_decision, principal
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import concatenate, open_target
from rfmeta_dist.evaluation.validation import read_validation
from rfmeta_dist.runs.folder import record
from rfmeta_dist.storage.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rfmeta_dist.data.shards.manifest import Manifest
    from rfmeta_dist.detectors.package import Package
    from rfmeta_dist.evaluation.face_maps import Map

PURPOSE = "explanation"  # what the ledger says that the target is read for


@dataclass(frozen=True)
class Side:
    """A judged run whose model is looked into.

    Attributes:
        name: what the run is called on the page.
        folder: the run's; its lease is held.
        config: the run's.
        model: the run's loaded package.
        scores: the target's frame scores by this model, from scores.parquet.
    """

    name: str
    folder: Store
    config: Config
    model: Package
    scores: Scores

    @property
    def detector(self) -> Explained:
        """Return the detector, after checking that it can be looked into.

        Raises:
            RunError: it is of a kind that does not show how its scores come about.
        """
        if not isinstance(self.model.detector, Explained):
            raise RunError(
                f"the model of run {self.folder.url} is of kind {self.model.detector.kind}, which has no "
                "activation maps and no depth to show",
                "give a run whose method is trained in steps",
            )
        return self.model.detector

    @property
    def predicts_depth(self) -> bool:
        """Return True if the depth that the networks predict was trained."""
        method = self.config.method
        return "depth_weight" not in method.facts.unused and method.depth_weight > 0


@dataclass(frozen=True)
class Opinion:
    """What one run says about a frame.

    Attributes:
        score: of the frame.
        accepted: True if the score is at least the run's threshold for a frame.
        video_score: of the frame's recording, the mean of the scores of its frames.
        video_accepted: True if it is at least the run's threshold for a video.
        look: how the score of the frame comes about.
    """

    score: float
    accepted: bool
    video_score: float
    video_accepted: bool
    look: Look


@dataclass(frozen=True)
class Picture:
    """A frame to show.

    Attributes:
        chosen: key, type and group.
        subject, video: who is shown, and in which recording.
        face: S×S×3 uint8 RGB, the crop.
        opinions: of the run, and of the run beside it if there is one.
    """

    chosen: Chosen
    subject: str
    video: str
    face: NDArray[np.uint8]
    opinions: tuple[Opinion, ...]


@dataclass(frozen=True)
class Kind:
    """All recordings of one type in the target.

    Attributes:
        name: `live` or the attack type.
        recordings: number of recordings.
        wrong: for each run, how many of them it decides wrongly at its threshold for a video.
        averaged: number of recordings over which `face` and `evidence` are averaged, one frame of each.
        face: S×S×3 uint8, the mean of the faces.
        evidence: for each run, the mean of the maps, GRID×GRID.
    """

    name: str
    recordings: int
    wrong: tuple[int, ...]
    averaged: int
    face: NDArray[np.uint8]
    evidence: tuple[Map, ...]


@dataclass(frozen=True)
class Points:
    """Pooled features of one frame of each recording, in two dimensions.

    Attributes:
        scores: N rows: domain, type and key of each point.
        decision: the logit less that of the threshold, and how features vary apart from it.
        principal: the first two principal components.
        channels: number of channels of the features.
        between_domains: share of the features' variance between the means of domains.
        between_classes: share between the means of live and attack.
    """

    scores: Scores
    decision: Flat
    principal: Flat
    channels: int
    between_domains: float
    between_classes: float


@dataclass(frozen=True)
class Explanation:
    """All that the page of an explanation shows.

    Attributes:
        target: name of the target.
        sources: names of the sources of the first run.
        sides: the run, and the run beside it if there is one.
        kinds: one for each type, `live` first.
        parts: for each run, what the maps of the faces that are averaged consist of.
        pictures: by type in the order of `kinds`, the worst first.
        points: of the first run.
    """

    target: str
    sources: tuple[str, ...]
    sides: tuple[Side, ...]
    kinds: tuple[Kind, ...]
    parts: tuple[Parts, ...]
    pictures: tuple[Picture, ...]
    points: Points


def explain(sides: Sequence[Side]) -> Explanation:
    """Look at faces of the target with the models of one or two runs that were judged on it.

    Before any face of the target is read, the read is written to the ledgers of all runs, once.

    Args:
        sides: the run to explain, and, if wanted, another one to show beside it, judged on the same state of
            the same target.

    Raises:
        RunError: a detector cannot be looked into; or the target's scores are of another state of its data, or
            validation.parquet does not belong to the model.
        DataError: the target or a source is unknown or damaged, or its pinned state was deleted.
    """
    run = sides[0]
    for side in sides:
        _ = side.detector
    validation = read_validation(run.folder, run.model)
    wanted, averaged = chosen.to_show(run.scores), chosen.to_summarise(run.scores)
    shards, name = open_store(run.config.data.prefix), domains.target_of(run.config)
    manifest, split = open_target(run.config, run.folder, shards), domains.target_split(run.config)
    _require_scored(run, manifest, name)
    keys = {*averaged.key.tolist(), *(shown.key for shown in wanted)}
    part = run.config.evaluation.target_split
    for side in sides:
        record(side.folder, PURPOSE, name, part, len(keys), manifest.fingerprint, sealed=True, once=True)
    found = [
        looks(side.detector, side.model, side.config.data, (shards, manifest, split), keys) for side in sides
    ]
    shown, means = pictures(
        run.config.data, whole(run.model.view, manifest), (shards, manifest, split), wanted, averaged
    )
    return Explanation(
        target=name,
        sources=tuple(run.config.data.sources),
        sides=tuple(sides),
        kinds=tuple(_kind(name, sides, found, averaged, means[name]) for name in chosen.kinds(run.scores)),
        parts=tuple(parts([seen[key].evidence for key in averaged.key.tolist()]) for seen in found),
        pictures=tuple(_picture(one, shown[one.key], sides, found) for one in wanted),
        points=_points(run, chosen.to_summarise(validation), averaged, found[0]),
    )


def _require_scored(run: Side, manifest: Manifest, name: str) -> None:
    known = set(manifest.samples["key"].to_pylist())
    missing = [key for key in run.scores.key.tolist() if key not in known]
    if missing:
        raise RunError(
            f"run {run.folder.url} has scores of {len(missing)} samples that are not in the data of {name} "
            f"that it reads now; the first is {missing[0]}",
            f"judge it again first: rfmeta evaluate {run.folder.url}",
        )


def _picture(
    one: Chosen, face: NDArray[np.uint8], sides: Sequence[Side], found: Sequence[Mapping[str, Look]]
) -> Picture:
    row = int(np.flatnonzero(sides[0].scores.key == one.key)[0])
    subject, video = str(sides[0].scores.subject[row]), str(sides[0].scores.video[row])
    opinions = []
    for side, seen in zip(sides, found, strict=True):
        score = float(side.scores.score[side.scores.key == one.key][0])
        of_video = float(side.scores.score[side.scores.video == video].mean())
        at = {unit: threshold.value for unit, threshold in side.model.thresholds.items()}
        accepted, video_accepted = score >= at["frame"], of_video >= at["video"]
        opinions.append(Opinion(score, accepted, of_video, video_accepted, seen[one.key]))
    return Picture(one, subject, video, face, tuple(opinions))


def _kind(
    name: str,
    sides: Sequence[Side],
    found: Sequence[Mapping[str, Look]],
    averaged: Scores,
    face: NDArray[np.uint8],
) -> Kind:
    wrong = []
    for side in sides:
        videos = side.scores.select(side.scores.attack_type == name).per_video()
        accepted = videos.score >= side.model.thresholds["video"].value
        wrong.append(int((accepted != (videos.label == 1)).sum()))
    keys = averaged.key[averaged.attack_type == name].tolist()
    evidence = tuple(mean_map([seen[key].evidence for key in keys]) for seen in found)
    return Kind(name, len(videos), tuple(wrong), len(keys), face, evidence)


def _points(run: Side, validation: Scores, target: Scores, seen: Mapping[str, Look]) -> Points:
    sources, every = Sources.of(run.config, run.folder), dict(seen)
    for name, manifest in sources.manifests.items():
        keys = validation.key[validation.domain == name].tolist()
        part = manifest.part("validation")
        record(run.folder, PURPOSE, name, part, len(keys), manifest.fingerprint, sealed=False, once=True)
        where: Where = (sources.store, manifest, "validation")
        every |= looks(run.detector, run.model, run.config.data, where, set(keys))
    rows = concatenate([validation, target])
    features = np.stack([every[key].features for key in rows.key.tolist()])
    logit = np.array([every[key].over for key in rows.key.tolist()])
    return Points(
        rows,
        by_decision(features, logit),
        principal(features),
        features.shape[1],
        between(features, rows.domain.tolist()),
        between(features, [str(label) for label in rows.label.tolist()]),
    )
