"""Compute error rates of a live/attack classifier: ROC, EER, HTER and the rates of ISO/IEC 30107-3.

In all functions, `label` is N integers (1 live, 0 attack), `score` is N floats (higher is more live), a sample
is accepted as live if its score ≥ threshold, and rates are fractions in [0, 1]. Scores are never inverted: a
classifier that is worse than chance has an AUC below one half.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rfmeta_dist.core.types import LIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Rates = TypeVar("Rates", float, NDArray[np.float64])
    Label = NDArray[np.int64]
    Score = NDArray[np.float64]

APCER_LIMITS = (0.10, 0.05, 0.01)


class Roc(NamedTuple):
    """The operating points of a classifier, strictest first.

    Attributes:
        far: T false acceptance rates (attacks accepted), rising from 0 to 1.
        tpr: T live acceptance rates, 1 − FRR, rising from 0 to 1.
        threshold: T thresholds, falling; the first is infinite and accepts nothing.
    """

    far: NDArray[np.float64]
    tpr: NDArray[np.float64]
    threshold: NDArray[np.float64]


class EqualError(NamedTuple):
    """The equal error rate: `value` is (FAR + FRR)/2 at `threshold`."""

    value: float
    threshold: float


def roc(label: Label, score: Score, *, thin: bool = False) -> Roc:
    """Compute the receiver operating characteristic at every distinct score, with scikit-learn.

    Args:
        label: N, both classes present.
        score: N, finite.
        thin: True to leave out points that lie on a straight line between others, for plots.
    """
    from sklearn.metrics import roc_curve

    return Roc(*roc_curve(label, score, drop_intermediate=thin))


def auc(label: Label, score: Score) -> float:
    """Return the probability that a random live sample scores above a random attack; a tie counts one half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label, score))


def eer(label: Label, score: Score) -> EqualError:
    """Compute the equal error rate and its threshold.

    The rule: consider all cuts of the sorted distinct scores, including the two that accept or reject all
    samples, and take the cut with the smallest |FAR − FRR|. FAR − FRR falls strictly along the cuts, so at most
    two cuts tie. The one with the smaller FAR + FRR is taken, then the one with the higher threshold. The
    threshold lies halfway between the two scores that it separates. Rates are not interpolated, so HTER at this
    threshold is exactly the EER. To reject all samples, the threshold is the next float above the highest
    score. If that score is the largest float, this cut does not exist.

    Args:
        label: N, both classes present.
        score: N, finite.
    """
    import numpy as np

    values, group = np.unique(score, return_inverse=True)
    # Cut j rejects the j lowest distinct scores. Integer counts make the comparisons exact.
    live, attack = (
        np.concatenate([[0], np.cumsum(np.bincount(group[label == c], minlength=len(values)))]) for c in (1, 0)
    )
    false_reject = live * attack[-1]
    false_accept = (attack[-1] - attack) * live[-1]
    cuts = np.arange(len(values) + 1)
    if values[-1] == np.finfo(np.float64).max:
        false_reject, false_accept, cuts = false_reject[:-1], false_accept[:-1], cuts[:-1]
    best = np.lexsort((-cuts, false_accept + false_reject, np.abs(false_accept - false_reject)))[0]
    total = int(false_accept[best] + false_reject[best])
    return EqualError(total / (2 * int(live[-1]) * int(attack[-1])), cut_at(values, int(best)))


def cut_at(values: Score, cut: int) -> float:
    """Return a threshold that rejects exactly the `cut` lowest of the sorted distinct values."""
    import numpy as np

    if cut == 0:
        return float(values[0])
    if cut == len(values):
        return float(np.nextafter(values[-1], np.inf))
    low, high = float(values[cut - 1]), float(values[cut])
    middle = low + (high - low) / 2
    if middle == math.inf:  # the difference of two finite floats may overflow
        middle = low / 2 + high / 2
    return middle if middle > low else high  # there is no float between two adjacent floats


def far(label: Label, score: Score, threshold: float) -> float:
    """Return the false acceptance rate: the share of all attacks that are accepted as live."""
    return float((score[label == 0] >= threshold).mean())


def frr(label: Label, score: Score, threshold: float) -> float:
    """Return the false rejection rate: the share of live samples that are rejected."""
    return float((score[label == 1] < threshold).mean())


def hter(label: Label, score: Score, threshold: float) -> float:
    """Return the half total error rate, (FAR + FRR)/2, at a threshold that was fixed beforehand."""
    return half_total(far(label, score, threshold), frr(label, score, threshold))


def half_total(far: Rates, frr: Rates) -> Rates:
    """Return (FAR + FRR)/2 of two rates, or of two arrays of rates."""
    return (far + frr) / 2


def apcer(attack_type: NDArray[np.object_], score: Score, threshold: float) -> dict[str, float]:
    """Compute the attack presentation classification error rate of each attack type (ISO/IEC 30107-3).

    Args:
        attack_type: N names; samples of type `live` are ignored.
        score: N.
        threshold: a sample is accepted as live if its score ≥ threshold.

    Returns:
        For each attack type, in alphabetical order, the share of its attacks that are accepted.
    """
    return {kind: float((score[attack_type == kind] >= threshold).mean()) for kind in _kinds(attack_type)}


def _kinds(attack_type: NDArray[np.object_]) -> list[str]:
    """Return the attack types in alphabetical order, without `live`."""
    # Sorting only the distinct names takes a tenth of the time of np.unique, which sorts the whole column.
    return sorted(set(attack_type.tolist()) - {LIVE})


def worst(rates: Mapping[str, float]) -> tuple[str, float]:
    """Return the attack type with the highest APCER, and its rate: the APCER that ISO/IEC 30107-3 reports."""
    return max(rates.items(), key=lambda item: item[1])


def bpcer(label: Label, score: Score, threshold: float) -> float:
    """Return the bona fide presentation classification error rate (ISO/IEC 30107-3), which equals FRR."""
    return frr(label, score, threshold)


def acer(attack_type: NDArray[np.object_], score: Score, threshold: float) -> float:
    """Return the average classification error rate, (worst APCER + BPCER)/2, as in OULU-NPU's protocol."""
    label = (attack_type == LIVE).astype(int)
    return (worst(apcer(attack_type, score, threshold))[1] + bpcer(label, score, threshold)) / 2


def bpcer_at_apcer(
    attack_type: NDArray[np.object_], score: Score, limits: Iterable[float] = APCER_LIMITS
) -> dict[float, float]:
    """Return the lowest BPCER at which the APCER of every attack type is within a limit (ISO/IEC 30107-3).

    The threshold is chosen on the samples themselves, so on a target domain this is an oracle figure.

    Args:
        attack_type: N names, `live` and at least one attack.
        score: N.
        limits: fractions in [0, 1).
    """
    import numpy as np

    live = score[attack_type == LIVE]
    attacks = [np.sort(score[attack_type == k])[::-1] for k in _kinds(attack_type)]

    def at(limit: float) -> float:
        # Of n attacks of a type, floor(limit·n) may be accepted. So the next highest attack must be rejected,
        # and with it every live sample whose score is not higher. 1e-9 is added because 0.29·100 is 28.99… in
        # floats.
        highest_rejected = max(kind[int(limit * len(kind) + 1e-9)] for kind in attacks)
        return float((live <= highest_rejected).mean())

    return {limit: at(limit) for limit in limits}
