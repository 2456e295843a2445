"""Test whether labels of new data are flipped, by what the champion says about the new videos.

The champion disagrees with correct labels for two other reasons: it makes errors, and more of them on a new
camera; and a new attack, or a new variant of a known type, passes it, which is why the data was gathered. So
the share of wrong labels is estimated in two ways, and a batch is refused only if both find it.

Order: if a share f of the labels of both classes is flipped, the AUC falls from A to A' with
A' − ½ = (1 − 2f)·(A − ½), exactly, because of the four kinds of pairs of a live and an attack label, those with
one wrong label are ordered by chance and those with two are reversed. A camera that moves all scores by any
rising function does not change the AUC. Attack types that the champion has not seen are left out.

Live side: of live labels, a share f of which are attacks, the champion rejects r = (1 − f)·b + f·(1 − a), where
b and a are its shares of errors on the frozen set. No attack that is labelled correctly changes r.

Both estimates have a lower end from clusters of people, and each end holds with a one-sided error below 1 %.
docs/explanation/intake.md has what is found at which share of flipped labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.interval import of_effective
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Array = NDArray[np.float64]
    Names = NDArray[np.object_]

TAIL = 0.005  # one-sided error of each end
LEAST = 10  # people of a side below which nothing is estimated
TOLERATED = 0.05  # a share of wrong labels up to which a batch is like others of its domain
TOLERATED_ELSEWHERE = 0.25  # the same for a camera or domain on which the champion was never judged
TOLERATED_ALONE = 0.5  # the same if only live videos can be judged: a darker known camera rejects that many
WORTH = 0.2  # the champion can judge labels if it is right so much more often than by chance, in [0, 1]


@dataclass(frozen=True)
class Share:
    """An estimated share of wrong labels.

    Attributes:
        value: the estimate; chance may put it below 0 or above 1.
        low: its lower end, with a one-sided error of at most 1 %.
        rate: what it was computed from, in [0, 1]: an AUC, or a share of videos with errors.
        usual: the same figure on the frozen set.
        people: people of the new data that it was computed from.
    """

    value: float
    low: float
    rate: float
    usual: float
    people: int

    def facts(self) -> dict[str, float]:
        """Return the figures, rounded to 4 digits."""
        return {name: round(float(value), 4) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Evidence:
    """The estimates of one batch; None where people are too few or the champion cannot judge.

    Attributes:
        order: from the AUC of live videos against attacks of known types.
        live: from live videos that the champion rejects.
        attack: from attacks of known types that it accepts.
    """

    order: Share | None
    live: Share | None
    attack: Share | None

    def severity(self, elsewhere: bool) -> str:
        """Return `refuse`, `warn` or "".

        Args:
            elsewhere: True if the champion was never judged on this domain or camera.
        """
        limit = TOLERATED_ELSEWHERE if elsewhere else TOLERATED
        live, order = (one.low if one else None for one in (self.live, self.order))
        if live is not None and order is not None and min(live, order) > limit:
            return "refuse"
        # Without known attacks, the scores of a dark session look like flipped labels up to a large share.
        if live is not None and self.order is None and not elsewhere and live > TOLERATED_ALONE:
            return "refuse"
        lows = [one.low for one in (self.order, self.live, self.attack) if one]
        return "warn" if max(lows, default=0.0) > TOLERATED else ""

    def facts(self) -> dict[str, Any]:
        """Return all figures by estimate."""
        return {name: one.facts() if one else None for name, one in vars(self).items()}


def weigh(batch: Scores, frozen: Scores, threshold: float) -> Evidence:
    """Estimate the share of wrong labels of a batch in three ways.

    Args:
        batch: the champion's scores of the batch's videos.
        frozen: its scores of the frozen set's videos: those of the same domain if it has enough of them.
        threshold: a video is accepted as live if its score ≥ threshold.
    """
    import numpy as np

    types = set(batch.attack_type.tolist()) & set(frozen.attack_type.tolist()) | {LIVE}
    known = batch.select(np.isin(batch.attack_type, list(types)))
    usual = frozen.select(np.isin(frozen.attack_type, list(types)))
    if not (usual.label == 0).any():  # only new types: the champion's errors on all old ones say what it can do
        usual = frozen
    sides = [_errors(usual, label, threshold) for label in (0, 1)]
    can = 1 - sum(side.point for side in sides) if all(side.people >= LEAST for side in sides) else 0.0
    if can < WORTH:
        return Evidence(None, None, None)
    attack, live = (_side(_errors(known, label, threshold), sides[label], can) for label in (0, 1))
    return Evidence(_order(known, usual) if attack and live else None, live, attack)


@dataclass(frozen=True)
class _Errors:
    """The share of errors of one class: `point`, its ends, and the number of people; 0 people have no share."""

    point: float
    low: float
    high: float
    people: int


def _errors(scores: Scores, label: int, threshold: float) -> _Errors:
    """Return the share of errors of one class, weighted by video, with Korn and Graubard's ends over people."""
    import numpy as np

    rows = scores.select(scores.label == label)
    people = coded(rows.subject)[1]
    number = len(np.unique(people))
    if number < 2:
        return _Errors(0.0, 0.0, 1.0, number)
    wrong = ((rows.score >= threshold) != (label == 1)).astype(np.float64)
    n, point = len(wrong), float(wrong.mean())
    spread = float((np.bincount(people, weights=wrong - point) ** 2).sum()) * number / (number - 1)
    # Without errors, or with nothing but errors, the spread is 0 and says nothing: each person counts once.
    effective = min(n, point * (1 - point) * n**2 / spread) if spread > 0 else number
    rate, recordings, persons, independent = np.array([[point], [n], [number], [effective]], np.float64)
    low, high = of_effective(rate, recordings, persons, independent, 2 * TAIL)
    return _Errors(point, float(low[0]), float(high[0]), number)


def _side(found: _Errors, usual: _Errors, can: float) -> Share | None:
    if found.people < LEAST:
        return None
    value, low = ((rate - base) / can for rate, base in ((found.point, usual.point), (found.low, usual.high)))
    return Share(value, min(low, value), found.point, usual.point, found.people)


def _order(known: Scores, usual: Scores) -> Share:
    """Return the estimate from the AUC. Types of attack are weighted as in the batch in both figures."""
    import numpy as np
    from scipy.special import ndtri

    types, counts = np.unique(known.attack_type[known.label == 0].astype(str), return_counts=True)
    mix = dict(zip(types.tolist(), (counts / counts.sum()).tolist(), strict=True))
    (found, error), (base, base_error) = (_area(scores, mix) for scores in (known, usual))
    above, base_above = found - 0.5, base - 0.5
    value = (1 - above / base_above) / 2
    spread = np.hypot(error / base_above, above * base_error / base_above**2) / 2
    people = len(set(known.subject.tolist()))
    return Share(value, value + float(ndtri(TAIL)) * float(spread), found, base, people)


def _area(scores: Scores, mix: dict[str, float]) -> tuple[float, float]:
    """Return the AUC of live videos against attacks, types weighted by `mix`, and its standard error.

    The error is that of DeLong's placements, summed over each person, because people are independent
    (Obuchowski 1997, Biometrics 53:567).
    """
    import numpy as np

    live = scores.label == 1
    names, kind = coded(scores.attack_type[~live])
    weight = (np.array([mix[name] for name in names]) / np.bincount(kind))[kind]
    above = _placed(scores.score[live], scores.score[~live], weight)
    below = 1 - _placed(scores.score[~live], scores.score[live], np.full(live.sum(), 1 / live.sum()))
    area = float(above.mean())
    parts = np.empty(len(scores))
    parts[live] = (above - area) / len(above)
    parts[~live] = (below - area) * weight
    people = coded(scores.subject)[1]
    sums = np.bincount(people, weights=parts)
    return area, float(np.sqrt((sums**2).sum() * len(sums) / max(len(sums) - 1, 1)))


def _placed(score: Array, others: Array, weight: Array) -> Array:
    """Return the weight of the other scores below each score; equal ones count half. Weights sum to 1."""
    import numpy as np

    order = np.argsort(others)
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    below = sums[np.searchsorted(others[order], score, "left")]
    placed: Array = (below + sums[np.searchsorted(others[order], score, "right")]) / 2
    return placed
