"""Error rates of a live/attack classifier: ROC, EER, HTER and the ISO/IEC 30107-3 figures.

Everywhere: `label` is N integers (1 live, 0 attack), `score` is N floats (higher is more live), a
sample is accepted as live when score ≥ threshold, and rates are fractions in [0, 1]. Scores are
never flipped: a classifier worse than chance shows an AUC below one half.
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
    """The equal error rate, (FAR + FRR)/2 at `threshold`."""

    value: float
    threshold: float


def roc(label: Label, score: Score, *, thin: bool = False) -> Roc:
    """The receiver operating characteristic over every distinct score (scikit-learn).

    Args:
        label: N, both classes present.
        score: N, finite.
        thin: leave out points on a straight line between others, for plots.
    """
    from sklearn.metrics import roc_curve

    return Roc(*roc_curve(label, score, drop_intermediate=thin))


def auc(label: Label, score: Score) -> float:
    """The chance that a random live sample scores above a random attack; a tie counts one half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(label, score))


def eer(label: Label, score: Score) -> EqualError:
    """The equal error rate and its threshold.

    Rule: of all ways to cut the sorted distinct scores (with accept-all and reject-all), take the
    one with the smallest |FAR − FRR|. FAR − FRR falls strictly along the cuts, so at most two tie:
    the one with the smaller FAR + FRR wins, then the stricter. The threshold lies halfway between
    the two scores it separates; nothing is interpolated, so HTER there is exactly the EER. To reject
    all, it is the next float above the highest score; above the largest float there is none, so that
    all are accepted there instead.

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
    return EqualError(total / (2 * int(live[-1]) * int(attack[-1])), _cut_at(values, int(best)))


def _cut_at(values: Score, cut: int) -> float:
    """A threshold that rejects exactly the `cut` lowest of the sorted distinct values."""
    import numpy as np

    if cut == 0:
        return float(values[0])
    if cut == len(values):
        return float(np.nextafter(values[-1], np.inf))
    low, high = float(values[cut - 1]), float(values[cut])
    middle = low + (high - low) / 2
    if middle == math.inf:  # the difference of two finite floats may be too large for one
        middle = low / 2 + high / 2
    return middle if middle > low else high  # neighbouring floats have nothing between them


def far(label: Label, score: Score, threshold: float) -> float:
    """False acceptance rate: the share of all attacks that are accepted as live."""
    return float((score[label == 0] >= threshold).mean())


def frr(label: Label, score: Score, threshold: float) -> float:
    """False rejection rate: the share of live samples that are rejected."""
    return float((score[label == 1] < threshold).mean())


def hter(label: Label, score: Score, threshold: float) -> float:
    """Half total error rate at a threshold that was fixed beforehand."""
    return half_total(far(label, score, threshold), frr(label, score, threshold))


def half_total(far: Rates, frr: Rates) -> Rates:
    """(FAR + FRR)/2: what HTER is of two rates, or of arrays of them."""
    return (far + frr) / 2


def apcer(attack_type: NDArray[np.object_], score: Score, threshold: float) -> dict[str, float]:
    """Attack presentation classification error rate of each attack type (ISO/IEC 30107-3).

    Args:
        attack_type: N names; `live` is left out.
        score: N.
        threshold: accept at or above.

    Returns:
        The share of each type's attacks that are accepted, by type in alphabetical order.
    """
    return {kind: float((score[attack_type == kind] >= threshold).mean()) for kind in _kinds(attack_type)}


def _kinds(attack_type: NDArray[np.object_]) -> list[str]:
    """The attack types in alphabetical order, without `live`."""
    # Sorting the few distinct names, and not the column, costs a tenth of np.unique.
    return sorted(set(attack_type.tolist()) - {LIVE})


def worst(rates: Mapping[str, float]) -> tuple[str, float]:
    """The attack type with the highest APCER, which is *the* APCER in ISO/IEC 30107-3."""
    return max(rates.items(), key=lambda item: item[1])


def bpcer(label: Label, score: Score, threshold: float) -> float:
    """Bona fide presentation classification error rate (ISO/IEC 30107-3): another name of FRR."""
    return frr(label, score, threshold)


def acer(attack_type: NDArray[np.object_], score: Score, threshold: float) -> float:
    """Average classification error rate: (worst APCER + BPCER)/2, as OULU-NPU's protocol has it."""
    label = (attack_type == LIVE).astype(int)
    return (worst(apcer(attack_type, score, threshold))[1] + bpcer(label, score, threshold)) / 2


def bpcer_at_apcer(
    attack_type: NDArray[np.object_], score: Score, limits: Iterable[float] = APCER_LIMITS
) -> dict[float, float]:
    """The lowest BPCER at which *every* attack type's APCER is within a limit (ISO/IEC 30107-3).

    The threshold is chosen on these very samples, so on a target domain this is an oracle figure.

    Args:
        attack_type: N names, `live` and at least one attack.
        score: N.
        limits: fractions in [0, 1).
    """
    import numpy as np

    live = score[attack_type == LIVE]
    attacks = [np.sort(score[attack_type == k])[::-1] for k in _kinds(attack_type)]

    def at(limit: float) -> float:
        # A type may have floor(limit·n) attacks accepted, so its next highest must be rejected,
        # and with it every live sample that scores no higher. (1e-9: 0.29·100 is 28.99….)
        highest_rejected = max(kind[int(limit * len(kind) + 1e-9)] for kind in attacks)
        return float((live <= highest_rejected).mean())

    return {limit: at(limit) for limit in limits}
