"""Leak probes: measure how well cues that have nothing to do with liveness tell live faces from attacks.

For each cue of `probes/cues.py`, a linear classifier is trained on some people and judged on others. Within a
domain, it is trained on four fifths of the people and judged on the rest, in five folds. Across domains, it is
trained on all other domains and judged on everybody in this one. Splits are ignored, so that as many people as
possible are judged. An AUC is never flipped: one half or less says that the cue does not help, and below one
half the cue is reversed between training and test.

With patches, the classifier is trained on single patches, and the score of a face is the mean of the scores of
its patches, because a detector of patches is trained and judged in the same way. A classifier trained on the
mean over a face's patches would use information that no such detector sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.errors import DataError, VerificationError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation.bootstrap import resample
from rfmeta_dist.evaluation.rates import auc
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.probes.cues import CONTROL, FACE_CUES, FILE_SIZE, PATCH_CUES, Vector
from rfmeta_dist.storage.store import Store

CUES = ("background", "colour", FILE_SIZE, "geometry", "sharpness", "border", CONTROL)  # of whole faces
PATCH = 64  # side of a patch in pixels, the default of data.image_size for data.view=patches
FOLDS = 5
BATCH = 32
RESAMPLES = 500
SHOWN = 5  # how many cues an error lists at most


@dataclass(frozen=True)
class Area:
    """An AUC from 0 to 1; 0.5 is chance.

    Attributes:
        value: the AUC.
        low, high: ends of its 95 % interval over resampled people.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Probed:
    """How well one cue tells live faces from attacks in one domain.

    Attributes:
        cue: one of CUES, or of PATCH_CUES.
        domain: the domain that was judged.
        within: AUC after training on other people of the domain.
        across: AUC after training on all other domains; None if there are none.
    """

    cue: str
    domain: str
    within: Area
    across: Area | None


@dataclass(frozen=True)
class Measured:
    """The cues of a domain's N samples, measured M times: once per face, or once per patch.

    Attributes:
        cues: M×K values of each cue; the measurements of a sample are consecutive.
        sample: position of the sample of each measurement, M.
        shown: N rows: who and what the samples show.
    """

    cues: Mapping[str, Vector]
    sample: NDArray[np.int64]
    shown: Scores

    @property
    def label(self) -> NDArray[np.int64]:
        """Return the M labels."""
        return self.shown.label[self.sample]

    def scored(self, score: NDArray[np.float64]) -> Scores:
        """Return N scores, each the mean over the sample's measurements, from M scores."""
        total = np.bincount(self.sample, score)
        return replace(self.shown, score=total / np.bincount(self.sample))


def probe(
    store: Store,
    domains: Sequence[str],
    seed: int,
    on_measured: Callable[[int], None],
    patches: Patches | None = None,
) -> list[Probed]:
    """Probe the domains of a prefix with every cue.

    Args:
        store: the prefix.
        domains: names of the domains.
        seed: seed of folds and resampling.
        on_measured: called with the number of samples measured since the last call.
        patches: how patches of PATCH pixels are cut out of each crop; None to measure whole crops.

    Raises:
        DataError: a domain is unknown or damaged, lacks a class, shows too few people of a class, or has crops
            smaller than a patch.
    """
    measured = {name: _measure(store, Manifest.open(store, name), on_measured, patches) for name in domains}
    folds = {name: _folds(name, found.shown, seed) for name, found in measured.items()}
    cues = CUES if patches is None else tuple(PATCH_CUES)
    return [_judge(cue, name, measured, folds[name], seed) for cue in cues for name in domains]


def require(results: Iterable[Probed], most: float) -> None:
    """Check that no cue except the control has an AUC above a limit.

    Raises:
        VerificationError: an AUC is above `most`; the error names the worst cues.
    """
    found = [
        (area.value, f"{result.cue} {how} {result.domain}: {area.value:.2f}")
        for result in results
        for how, area in (("within", result.within), ("across to", result.across))
        if area and result.cue != CONTROL and area.value > most
    ]
    if found:
        worst = ", ".join(text for _, text in sorted(found, reverse=True)[:SHOWN])
        raise VerificationError(
            f"{len(found)} leak probe(s) tell live faces from attacks with an AUC above {most:g} ({worst})",
            "generate the domains anew with `rfmeta synth --rho 0`, which injects no spurious cue, and probe "
            "them: a cue that is still above the limit is an unintended leak",
        )


def _measure(
    store: Store, manifest: Manifest, on_measured: Callable[[int], None], patches: Patches | None
) -> Measured:
    """Return the cues of a domain, with its samples in the order of the manifest."""
    samples, side, cues = manifest.samples, manifest.image_size // 8 * 8, FACE_CUES
    if patches is not None:
        if side < PATCH:
            raise DataError(
                f"domain {manifest.domain} holds crops of {manifest.image_size} pixels, which are smaller than "
                f"a patch of {PATCH}",
                "probe whole crops with `--view face`",
            )
        side, cues = PATCH, PATCH_CUES
    values: dict[str, list[Vector]] = {cue: [] for cue in cues}
    keys: list[str] = []
    for batch in scan(store, manifest, None, image_size=side, batch=BATCH, patches=patches):
        for picture in batch.image:
            for cue, measure in cues.items():
                values[cue].append(measure(picture))
        on_measured(len(set(batch.keys)))
        keys += batch.keys
    stacked = {cue: np.stack(column) for cue, column in values.items() if column}
    if patches is None:
        stacked[FILE_SIZE] = samples["image_bytes"].to_numpy().astype(np.float32)[:, None]
    place = {key: number for number, key in enumerate(samples["key"].to_pylist())}
    shown = Scores.of(samples, samples["key"], np.zeros(samples.num_rows))
    return Measured(stacked, np.array([place[key] for key in keys], np.int64), shown)


Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


def _folds(domain: str, shown: Scores, seed: int) -> list[Fold]:
    """Return the samples to train on and to judge in each fold, by person. Everybody is judged in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    shown.require_both_classes(f"domain {domain}")
    for label, name in ((1, "live"), (0, "attacked")):
        people = len(np.unique(shown.subject[shown.label == label]))
        if people < FOLDS:
            raise DataError(
                f"domain {domain} shows {people} {name} people, too few for cross-validation in {FOLDS} folds",
                f"probe a domain that shows at least {FOLDS} people live and {FOLDS} people in attacks",
            )
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(shown.label, shown.label, shown.subject))


def _judge(cue: str, domain: str, measured: Mapping[str, Measured], folds: Sequence[Fold], seed: int) -> Probed:
    mine = measured[domain]
    features, labels = mine.cues[cue], mine.label
    score = np.zeros(len(labels))
    for train, test in folds:
        known, judged = np.isin(mine.sample, train), np.isin(mine.sample, test)
        score[judged] = _predict(features[known], labels[known], features[judged])
    within = _area(mine.scored(score), seed)
    others = [m for name, m in measured.items() if name != domain]
    if not others:
        return Probed(cue, domain, within, None)
    theirs = np.concatenate([m.cues[cue] for m in others]), np.concatenate([m.label for m in others])
    return Probed(cue, domain, within, _area(mine.scored(_predict(*theirs, features)), seed))


def _predict(features: Vector, labels: NDArray[np.int64], judged: Vector) -> NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    found: NDArray[np.float64] = model.fit(features, labels).predict_proba(judged)[:, 1]
    return found


def _area(scores: Scores, seed: int) -> Area:
    low, high = resample(scores, 0.5, seed, RESAMPLES).interval("AUC")
    return Area(auc(scores.label, scores.score), low, high)
