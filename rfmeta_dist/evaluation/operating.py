"""Choose a detector's threshold for a need, such as «reject at most 1 % of live faces».

An operating point is a rule that picks one threshold from scores with known labels. A sample is accepted as
live if its score ≥ threshold. BPCER is the share of live samples that are rejected. APCER is the share of the
attacks of one type that are accepted, and the attack type with the highest APCER counts (ISO/IEC 30107-3). HTER
is the mean of BPCER and the share of all attacks that are accepted, whatever their type.

    eer           BPCER and the share of all attacks that are accepted are as equal as the scores allow
    min-hter      HTER is lowest
    bpcer@apcerN  of the thresholds with APCER ≤ N % for every attack type, the one with the lowest BPCER
    apcer@bpcerN  of the thresholds with BPCER ≤ N %, the one with the lowest APCER of the worst attack type
    tpr@fpr1      of the thresholds that accept at most 1 % of all attacks together, the one that accepts most
                  live samples. Attack types are pooled here, because papers on face anti-spoofing do so when
                  they report TPR@FPR=1 %

A limit is kept exactly: counts are compared as whole numbers, so 1 of 20 is within 5 %. `choose` says how ties
are decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation import rates
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Counts = NDArray[np.int64]

DEFAULT = "eer"
# What each operating point promises on the scores that it is chosen on, as a sentence for people.
MEANINGS = {
    DEFAULT: "Live faces are rejected as often as attacks are accepted.",
    "min-hter": "The mean of the two error rates is lowest.",
    "bpcer@apcer10": "At most 10 % of each attack type is accepted, with the fewest live faces rejected.",
    "bpcer@apcer5": "At most 5 % of each attack type is accepted, with the fewest live faces rejected.",
    "bpcer@apcer1": "At most 1 % of each attack type is accepted, with the fewest live faces rejected.",
    "apcer@bpcer5": "At most 5 % of live faces are rejected, with the lowest APCER of the worst attack type.",
    "apcer@bpcer1": "At most 1 % of live faces are rejected, with the lowest APCER of the worst attack type.",
    "tpr@fpr1": "At most 1 % of all attacks together is accepted, with the most live faces accepted.",
}
NAMES: tuple[str, ...] = tuple(MEANINGS)
_EACH, _ALL = "each attack type", "all attacks together"
# What an operating point limits, and to how many percent.
_LIMITS = {
    "bpcer@apcer10": (_EACH, 10),
    "bpcer@apcer5": (_EACH, 5),
    "bpcer@apcer1": (_EACH, 1),
    "apcer@bpcer5": (LIVE, 5),
    "apcer@bpcer1": (LIVE, 1),
    "tpr@fpr1": (_ALL, 1),
}


def require(name: str) -> str:
    """Return the name of an operating point, after checking that it exists.

    Raises:
        ConfigError: there is no operating point of this name. The error lists all names.
    """
    if name not in MEANINGS:
        raise ConfigError(f"there is no operating point {name!r}", f"choose one of: {', '.join(NAMES)}")
    return name


def choose(scores: Scores, name: str) -> float:
    """Return the threshold of an operating point on some scores.

    All cuts of the sorted distinct scores are considered, including the two that accept or reject every sample.
    The threshold lies halfway between the two scores that it separates. To reject every sample, it is the next
    float above the highest score.

    If several cuts are best, the rule goes on: `eer` takes the one with the lower HTER; `min-hter` the one with
    the smaller difference between the two error rates; `bpcer@apcerN` the lower APCER; `apcer@bpcerN` the lower
    BPCER. If several are left, the highest threshold is taken, because it accepts the fewest attacks.

    Args:
        scores: the scores of one unit: frames, or videos (`Scores.per_video`). The threshold is valid for this
            unit only.
        name: one of `NAMES`.

    Returns:
        A finite threshold: a sample is accepted as live if its score ≥ threshold.

    Raises:
        ConfigError: there is no operating point of this name.
        DataError: a class is missing, or the limit is exceeded at every finite threshold. The latter needs
            attacks that score the largest float.
    """
    return choose_some(scores, (require(name),))[name]


def choose_some(scores: Scores, names: tuple[str, ...] = NAMES) -> dict[str, float]:
    """Return the thresholds of several operating points by name, sorting the scores only once.

    Args:
        scores: as in `choose`.
        names: some of `NAMES`.

    Raises:
        ConfigError: there is no operating point of a name.
        DataError: as in `choose`.
    """
    scores.require_both_classes("the set to choose a threshold on")
    cuts = _Cuts.of(scores)
    return {name: _threshold(scores, cuts, require(name)) for name in names}


def unresolved(scores: Scores, name: str) -> str:
    """Return why there are too few recordings for an operating point, or "" if there are enough.

    A limit of N % needs at least 100/N recordings of what it limits: of each attack type for `bpcer@apcerN`, of
    live faces for `apcer@bpcerN`, of all attacks together for `tpr@fpr1`. With fewer, a single error already
    exceeds the limit, so the threshold only keeps all of them on the right side, and the rate on other people
    may be far from N %. `eer` and `min-hter` have no limit and always return "".

    Recordings are counted, also if the scores are of frames, because frames of one recording resemble each
    other.

    Args:
        scores: frames or videos.
        name: one of `NAMES`.

    Raises:
        ConfigError: there is no operating point of this name.
    """
    return lacking(recordings(scores), name)


def lacking(found: Mapping[str, int], name: str) -> str:
    """Return what `unresolved` returns, from the number of recordings of each attack type and of `live`.

    Raises:
        ConfigError: there is no operating point of this name.
    """
    if require(name) not in _LIMITS:
        return ""
    limited, percent = _LIMITS[name]
    need = -(-100 // percent)
    attacks = {kind: count for kind, count in found.items() if kind != LIVE}
    if limited == _EACH:
        few = [f"{count} of {kind}" for kind, count in attacks.items() if count < need]
    else:
        count = found.get(LIVE, 0) if limited == LIVE else sum(attacks.values())
        few = [f"{count}"] if count < need else []
    of = "live faces" if limited == LIVE else limited
    if not few:
        return ""
    are = "is" if few[0].partition(" ")[0] == "1" else "are"  # the verb agrees with the number after it
    return f"a limit of {percent} % needs at least {need} recordings of {of}, but there {are} {', '.join(few)}"


def limit(name: str) -> tuple[str, float] | None:
    """Return what an operating point limits, and to how much; None if it has no limit.

    Args:
        name: one of `NAMES`.

    Returns:
        The rate, `BPCER`, `FAR` (of all attacks together) or `APCER_worst`, and the fraction that it must not
        exceed.

    Raises:
        ConfigError: there is no operating point of this name.
    """
    if require(name) not in _LIMITS:
        return None
    limited, percent = _LIMITS[name]
    return {LIVE: "BPCER", _ALL: "FAR"}.get(limited, "APCER_worst"), percent / 100


def recordings(scores: Scores) -> dict[str, int]:
    """Return the number of recordings of each attack type and of `live`, in alphabetical order.

    Args:
        scores: frames or videos. Frames of one recording are counted once.
    """
    import numpy as np

    (kinds, kind), (videos, video), (_, domain) = map(coded, (scores.attack_type, scores.video, scores.domain))
    each = np.unique((domain * len(videos) + video) * len(kinds) + kind)
    counts = np.bincount(each % len(kinds), minlength=len(kinds))
    return dict(zip(kinds, counts.tolist(), strict=True))


@dataclass(frozen=True)
class _Cuts:
    """The errors at each of K cuts. Cut j rejects the j lowest distinct scores and accepts the others.

    Attributes:
        values: the distinct scores, rising.
        rejected: K numbers of live samples that are rejected.
        live: number of live samples.
        accepted: for each attack type, K numbers of its attacks that are accepted.
    """

    values: NDArray[np.float64]
    rejected: Counts
    live: int
    accepted: dict[str, Counts]

    @classmethod
    def of(cls, scores: Scores) -> _Cuts:
        import numpy as np

        values, group = np.unique(scores.score, return_inverse=True)
        # No finite threshold is above the largest float, so the cut that rejects it does not exist.
        cuts = len(values) + (values[-1] < np.finfo(np.float64).max)

        def below(kind: str) -> Counts:
            counts = np.bincount(group[scores.attack_type == kind], minlength=len(values))
            return np.concatenate([[0], np.cumsum(counts)])

        kinds, _ = coded(scores.attack_type)
        rejected = {kind: below(kind) for kind in kinds}
        accepted = {kind: (n[-1] - n)[:cuts] for kind, n in rejected.items() if kind != LIVE}
        return cls(values, rejected[LIVE][:cuts], int(rejected[LIVE][-1]), accepted)

    @property
    def pooled(self) -> Counts:
        """Return K numbers of accepted attacks of all types together."""
        import numpy as np

        total: Counts = np.sum(list(self.accepted.values()), axis=0)
        return total

    @property
    def worst(self) -> NDArray[np.float64]:
        """Return K rates: the APCER of the worst attack type.

        These floats can be compared for equality: division is rounded correctly, so equal fractions give equal
        floats, and different fractions of fewer than 2²⁶ samples differ by more than the rounding.
        """
        import numpy as np

        # The first cut accepts everything, so its count is the number of attacks of the type.
        apcer = [count / count[0] for count in self.accepted.values()]
        worst: NDArray[np.float64] = np.maximum.reduce(apcer)
        return worst


def _threshold(scores: Scores, cuts: _Cuts, name: str) -> float:
    if name == DEFAULT:
        return rates.eer(scores.label, scores.score).threshold
    import numpy as np

    best = np.flatnonzero(_permitted(cuts, name))
    if not len(best):
        raise DataError(
            f"no finite threshold keeps the limit of the operating point {name}, because an attack has the "
            f"score {cuts.values[-1]}, the largest number that a float can hold",
            "divide all scores by 2",
        )
    for aim in _aims(cuts, name):
        best = best[aim[best] == aim[best].min()]
    return rates.cut_at(cuts.values, int(best[-1]))


def _permitted(cuts: _Cuts, name: str) -> NDArray[np.bool_]:
    """Return for each of K cuts whether it keeps the limit of the operating point."""
    import numpy as np

    limited, percent = _LIMITS.get(name, (_ALL, 100))
    if limited == LIVE:
        errors, total = cuts.rejected[None], np.array([cuts.live])
    else:
        errors = cuts.pooled[None] if limited == _ALL else np.array(list(cuts.accepted.values()))
        total = errors[:, 0]  # the first cut accepts every attack
    kept: NDArray[np.bool_] = np.all(100 * errors <= percent * total[:, None], axis=0)
    return kept


def _aims(cuts: _Cuts, name: str) -> list[NDArray[np.int64] | NDArray[np.float64]]:
    """Return what the operating point minimises, each as K numbers, the most important first."""
    import numpy as np

    if name == "min-hter":
        accepted, rejected = cuts.pooled * cuts.live, cuts.rejected * cuts.pooled[0]
        return [accepted + rejected, np.abs(accepted - rejected)]
    return [cuts.worst, cuts.rejected] if _LIMITS[name][0] == LIVE else [cuts.rejected, cuts.worst]
