"""Leak probes: how well cues that have nothing to do with liveness tell live faces from attacks in some shards.

A linear classifier on each cue of `synth/cues.py`, trained on some people and judged on others, within a domain
and from all other domains to it. AUC is as trained and never flipped: one half or less says that the cue does
not help; below it, the cue is reversed between training and test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.manifest import Manifest, Row
from rfmeta_dist.data.stream import scan
from rfmeta_dist.evaluation.bootstrap import resample
from rfmeta_dist.evaluation.metrics import auc
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.store import Store
from rfmeta_dist.synth.cues import CONTROL, PIXEL_CUES, Vector

CUES = ("background", "colour", "file size", "geometry", "sharpness", "border", CONTROL)
SPLIT_PAIR: tuple[Split, Split] = ("train", "test")
BATCH = 32
RESAMPLES = 500
SHOWN = 5  # cues that an error lists


@dataclass(frozen=True)
class Area:
    """An AUC with its 95 % interval over resampled people."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Probed:
    """What one cue tells in one domain.

    Attributes:
        cue: one of CUES.
        domain: where it was judged, on the test split.
        within: trained on the domain's own training split.
        across: trained on the training splits of all other domains; None if there are none.
    """

    cue: str
    domain: str
    within: Area
    across: Area | None


@dataclass(frozen=True)
class Measured:
    """The cues of every sample of a split: N×K values each, and who and what the samples show."""

    cues: Mapping[str, Vector]
    shown: Scores


def probe(store: Store, domains: Sequence[str], seed: int, on_measured: Callable[[int], None]) -> list[Probed]:
    """Probe the domains of a prefix with every cue, on their training and test splits.

    Args:
        store: the prefix.
        domains: their names.
        seed: of the resampling.
        on_measured: called with the number of samples measured since the last call.

    Raises:
        DataError: a domain is unknown or damaged, or its training or test split lacks a class.
    """
    manifests = [Manifest.open(store, name) for name in domains]
    measured: dict[tuple[str, Split], Measured] = {}
    for manifest, split in product(manifests, SPLIT_PAIR):
        found = _measure(store, manifest, split, on_measured)
        found.shown.require_both_classes(f"the {split} split of domain {manifest.domain}")
        measured[manifest.domain, split] = found
    return [_judge(cue, domain, measured, seed) for cue in CUES for domain in domains]


def require(results: Iterable[Probed], most: float) -> None:
    """Check that no cue but the control tells more than it may.

    Raises:
        VerificationError: an AUC is above `most`; the worst are named.
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
            f"{len(found)} AUC of leak probes above {most:g} ({worst})",
            "generate with --rho 0 to see what is not injected on purpose; docs/synth.md has the probes",
        )


def _measure(store: Store, manifest: Manifest, split: Split, on_measured: Callable[[int], None]) -> Measured:
    """The cues of a split, in the manifest's order."""
    rows = {row["key"]: row for row in manifest.samples.to_pylist() if row["split"] == split}
    values: dict[str, list[Vector]] = {cue: [] for cue in CUES}
    shown: list[Row] = []
    for batch in scan(store, manifest, split, image_size=manifest.image_size // 8 * 8, batch=BATCH):
        for key, picture in zip(batch.keys, batch.image, strict=True):
            shown.append(rows[key])
            values["file size"].append(np.array([rows[key]["image_bytes"]], np.float32))
            for cue, measure in PIXEL_CUES.items():
                values[cue].append(measure(picture))
        on_measured(len(batch.keys))
    stacked = {cue: np.stack(column) for cue, column in values.items() if column}
    return Measured(stacked, _unscored(shown))


def _unscored(rows: Sequence[Row]) -> Scores:
    """What the rows show, with scores of zero."""
    names = {"subject": "subject_id", "video": "video_id"}
    columns = ("key", "domain", "split", "subject", "video", "attack_type", "label")
    given: dict[str, Any] = {column: [row[names.get(column, column)] for row in rows] for column in columns}
    return Scores(**given, score=np.zeros(len(rows)))


def _judge(cue: str, domain: str, measured: Mapping[tuple[str, Split], Measured], seed: int) -> Probed:
    test = measured[domain, "test"]
    others = [m for (name, split), m in measured.items() if split == "train" and name != domain]
    own = _area(cue, [measured[domain, "train"]], test, seed)
    return Probed(cue, domain, own, _area(cue, others, test, seed) if others else None)


def _area(cue: str, train: Sequence[Measured], test: Measured, seed: int) -> Area:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000))
    model.fit(np.concatenate([m.cues[cue] for m in train]), np.concatenate([m.shown.label for m in train]))
    scores = replace(test.shown, score=model.predict_proba(test.cues[cue])[:, 1])
    low, high = resample(scores, 0.5, seed, RESAMPLES).interval("AUC")
    return Area(auc(scores.label, scores.score), low, high)
