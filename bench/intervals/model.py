"""Draw sets of clustered scores of which the true figures are known.

A score is the logistic function of a normal logit that is a sum of a subject's effect and a recording's own
part, so scores are logit-normal. The effects of a subject on live recordings and on attacks are correlated.
Logits are cut into `LEVELS` levels, in the sets as in the population, so that the population's figures follow
from normal probabilities without simulation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
KINDS = ("live", "mask", "print", "replay")
LEVELS = 200
LIMIT = 5.0  # the grid of logits goes from −LIMIT to LIMIT
MOST = 3  # recordings of a kind by one subject
SHIFT = {"mask": 0.25, "print": -0.4, "replay": 0.15}  # of a kind's mean logit; masks are the worst type
WITHOUT_ATTACKS = 0.15  # share of subjects of whom there are live recordings only
WITHOUT_MASK = 0.4  # share of subjects without a mask
TOGETHER = 0.4  # correlation of a subject's two effects
HARD = 0.1  # share of hard subjects, where there are some: their effect is `FAR_OFF` off towards an error
FAR_OFF = 2.2


@dataclass(frozen=True)
class Model:
    """How scores are made.

    Attributes:
        name: what the model is called.
        error: HTER for an attack type without a shift, a fraction.
        correlation: intra-subject correlation of logits.
        hard: True if a tenth of the subjects causes most of the errors.
        threshold: logit at which the model decides. At 0, the two errors are equal for a type without shift.
    """

    name: str
    error: float
    correlation: float
    hard: bool = False
    threshold: float = 0.1

    def counts(self, rng: np.random.Generator, sets: int, subjects: int) -> Array:
        """Return how many recordings of each subject and kind each threshold accepts.

        The shape is sets×subjects×kinds×(levels + 1). Threshold j accepts levels j and above, so the first one
        accepts all and the last one none.
        """
        shape = (sets, subjects, len(KINDS), MOST)
        logit = rng.standard_normal(shape) * math.sqrt(1 - self.correlation)
        logit += self._effects(rng, sets, subjects)[..., None] + self._means()[:, None]
        number = rng.integers(1, MOST + 1, size=shape[:3])
        number[:, :, 1:] *= (rng.random((sets, subjects)) >= WITHOUT_ATTACKS)[..., None]
        number[:, :, 1] *= rng.random((sets, subjects)) >= WITHOUT_MASK
        level = np.clip((logit + LIMIT) * (LEVELS / (2 * LIMIT)), 0, LEVELS - 1).astype(np.int64)
        cell = np.arange(math.prod(shape[:3])).reshape(*shape[:3], 1) * LEVELS + level
        there = np.arange(MOST) < number[..., None]
        number_at = np.bincount(cell[there], minlength=math.prod(shape[:3]) * LEVELS)
        accepted = np.zeros((*shape[:3], LEVELS + 1), np.float32)
        found = number_at.astype(np.float32).reshape(*shape[:3], LEVELS)
        accepted[..., :-1] = np.cumsum(found[..., ::-1], axis=-1)[..., ::-1]
        return accepted

    @property
    def operating(self) -> int:
        """Return which of the levels + 1 thresholds the model decides at."""
        return round((self.threshold + LIMIT) * LEVELS / (2 * LIMIT))

    def _effects(self, rng: np.random.Generator, sets: int, subjects: int) -> NDArray[np.float64]:
        own = rng.standard_normal((2, sets, subjects))
        own[1] = TOGETHER * own[0] + math.sqrt(1 - TOGETHER**2) * own[1]
        if self.hard:
            hard = (rng.random((sets, subjects)) < HARD) - HARD
            spread = math.sqrt(1 + FAR_OFF**2 * HARD * (1 - HARD))
            own = (own + FAR_OFF * np.array([-1, 1])[:, None, None] * hard) / spread
        live, attack = own * math.sqrt(self.correlation)
        return np.stack([live, attack, attack, attack], axis=-1)

    def _means(self) -> NDArray[np.float64]:
        middle = NormalDist().inv_cdf(1 - self.error)
        return np.array([middle, *(SHIFT[kind] - middle for kind in KINDS[1:])])

    def population(self) -> Array:
        """Return how many recordings of each kind each threshold accepts, expected for one subject.

        The shape is kinds×(levels + 1).
        """
        edges = np.linspace(-LIMIT, LIMIT, LEVELS + 1)
        mean, number = self._means(), (1 + MOST) / 2
        per_subject = (
            number * np.array([1.0, *[1 - WITHOUT_ATTACKS] * 3]) * np.array([1, 1 - WITHOUT_MASK, 1, 1])
        )
        accepted = np.ones((len(KINDS), LEVELS + 1))
        for kind, sign in enumerate((-1, 1, 1, 1)):
            accepted[kind, 1:-1] = [self._above(edge - mean[kind], sign) for edge in edges[1:-1]]
        accepted[:, -1] = 0
        expected: Array = (accepted * per_subject[:, None]).astype(np.float32)
        return expected

    def _above(self, logit: float, sign: int) -> float:
        """Return the probability that a recording's logit is above its kind's mean by `logit`."""
        if not self.hard:
            return _above_normal(logit)
        spread = math.sqrt(1 + FAR_OFF**2 * HARD * (1 - HARD))
        step = sign * FAR_OFF * math.sqrt(self.correlation) / spread
        deviation = math.sqrt(1 - self.correlation + self.correlation / spread**2)
        return HARD * _above_normal((logit - (1 - HARD) * step) / deviation) + (1 - HARD) * _above_normal(
            (logit + HARD * step) / deviation
        )


def _above_normal(x: float) -> float:
    return math.erfc(x / math.sqrt(2)) / 2


MODELS = (
    *(
        Model(f"{100 * error:g} %, {name}", error, correlation, hard)
        for error in (0.02, 0.10, 0.30)
        for name, correlation, hard in (
            ("correlation 0.2", 0.2, False),
            ("correlation 0.7", 0.7, False),
            ("a tenth of subjects hard", 0.5, True),
        )
    ),
    Model("10 %, threshold far from the equal error", 0.10, 0.5, threshold=-1.2),
)
