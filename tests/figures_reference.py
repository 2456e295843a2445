"""The figures of an evaluation, computed again by counting, with numpy only and nothing of rfmeta_dist.

Every rate is a fraction of whole numbers, and every cut between neighbouring scores is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

Columns = Mapping[str, Any]  # domain, video, subject, attack_type, label (1 live, 0 attack), score; N each


def of_videos(rows: Columns) -> dict[str, np.ndarray]:
    """One row for each video, with the mean of its frames' scores."""
    found: dict[tuple[str, str], list[int]] = {}
    for index, name in enumerate(zip(rows["domain"], rows["video"], strict=True)):
        found.setdefault(name, []).append(index)
    first = [indices[0] for indices in found.values()]
    videos = {name: np.asarray(column)[first] for name, column in rows.items()}
    return videos | {"score": np.array([np.mean(np.asarray(rows["score"])[i]) for i in found.values()])}


def share(mask: np.ndarray) -> Fraction:
    return Fraction(int(mask.sum()), len(mask))


def errors(rows: Columns, threshold: float) -> tuple[Fraction, Fraction]:
    """The shares of accepted attacks and of rejected live samples."""
    label, score = np.asarray(rows["label"]), np.asarray(rows["score"])
    return share(score[label == 0] >= threshold), share(score[label == 1] < threshold)


def cuts(rows: Columns) -> list[float]:
    """A threshold between each two neighbouring scores, one that accepts all, and one that accepts nothing."""
    values = np.unique(rows["score"])
    return [
        float(values[0]),
        *((values[1:] + values[:-1]) / 2).tolist(),
        float(np.nextafter(values[-1], np.inf)),
    ]


def equal_error(rows: Columns) -> tuple[float, float]:
    """HTER and threshold where the two shares differ least; then the lower HTER, then the higher threshold."""

    def rank(threshold: float) -> tuple[Fraction, Fraction, float]:
        far, frr = errors(rows, threshold)
        return abs(far - frr), far + frr, -threshold

    best = min(cuts(rows), key=rank)
    return float(sum(errors(rows, best)) / 2), best


def area(rows: Columns) -> float:
    """The share of pairs of a live sample and an attack that are in the right order; a tie counts half."""
    label, score = np.asarray(rows["label"]), np.asarray(rows["score"])
    live, attack = score[label == 1][:, None], score[label == 0][None]
    return float(((live > attack).sum() + (live == attack).sum() / 2) / (live.size * attack.size))


def by_type(rows: Columns, threshold: float) -> dict[str, float]:
    kinds, score = np.asarray(rows["attack_type"]), np.asarray(rows["score"])
    return {
        kind: float(share(score[kinds == kind] >= threshold)) for kind in sorted(set(kinds.tolist()) - {"live"})
    }


def lowest_bpcer(rows: Columns, percent: int) -> float:
    """The lowest share of rejected live samples if no attack type is accepted in more than so many percent."""
    kinds, score = np.asarray(rows["attack_type"]), np.asarray(rows["score"])
    each = [score[kinds == kind] for kind in set(kinds.tolist()) - {"live"}]
    return float(
        min(
            errors(rows, cut)[1]
            for cut in cuts(rows)
            if all(100 * int((one >= cut).sum()) <= percent * len(one) for one in each)
        )
    )


def figures(validation: Columns, target: Columns) -> dict[str, Any]:
    """Every figure of one unit in evaluation.json, without intervals."""
    validation_eer, threshold = equal_error(validation)
    far, frr = errors(target, threshold)
    oracle, oracle_threshold = equal_error(target)
    apcer = by_type(target, threshold)
    worst = max(apcer.values())
    label = np.asarray(target["label"])
    return {
        "threshold": threshold,
        "HTER": float((far + frr) / 2),
        "FAR": float(far),
        "BPCER": float(frr),
        "ACER": (worst + float(frr)) / 2,
        "AUC": area(target),
        "oracle_EER": oracle,
        "oracle threshold": oracle_threshold,
        "optimism_gap": float((far + frr) / 2) - oracle,
        "source_validation_EER": validation_eer,
        "APCER": apcer,
        "APCER_worst": worst,
        "BPCER_at_APCER": {f"{percent / 100:.2f}": lowest_bpcer(target, percent) for percent in (10, 5, 1)},
        "counts": {
            "live": int((label == 1).sum()),
            "attack": int((label == 0).sum()),
            "subjects": len(set(np.asarray(target["subject"]).tolist())),
            "videos": len(set(zip(target["domain"], target["video"], strict=True))),
        },
    }


def select(rows: Columns, mask: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.asarray(column)[mask] for name, column in rows.items()}
