"""Draw retrainings whose truth is known from stored pairs of scores, and count the gate's verdicts.

People are drawn with replacement, each with all videos. For each person the scores of champion and challenger
are swapped with probability one half, so that the two are equally good in truth. Then the truth is changed: one
of the models is made to accept a further share of the attacks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.retrain.decisions import AT, Decisions
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.pairs import FROZEN, NEW, Pairs
from rfmeta_dist.retrain.significance import design_effects

Rows = NDArray[np.int64]
Array = NDArray[np.float64]
NEW_TYPE = "new type"


@dataclass(frozen=True)
class Truth:
    """What is true about the challenger.

    Attributes:
        name: in words.
        gain: share of new attacks that the champion gets wrong and the challenger right, besides equal errors.
        loss: share of the videos of one attack type that the challenger accepts in addition.
    """

    name: str
    gain: float
    loss: float


TRUTHS = (
    Truth("equal", 0.0, 0.0),
    Truth("one type 5 points worse, new data 20 points better", 0.2, 0.05),
    Truth("new data 20 points better, no loss", 0.2, 0.0),
)


class Population:
    """Paired scores to draw from.

    The new part of a drawn set comes from the counted new videos. If there are none, it comes from the live
    videos and the most frequent attack type of the frozen part, under the name of a new type.

    Args:
        pairs: the scores. They are moved so that both thresholds are 0, since only then can they be swapped.
    """

    def __init__(self, pairs: Pairs) -> None:
        self.columns = pairs.columns()
        self.score = np.stack(
            [pairs.champion - pairs.thresholds[0], pairs.challenger - pairs.thresholds[1]], axis=1
        )
        frozen, new = pairs.part == FROZEN, (pairs.part == NEW) & pairs.counted
        types = Counter(pairs.attack_type[frozen & (pairs.label == 0)].tolist())
        self.worst = types.most_common(1)[0][0]
        self.made_new = not new.any()
        if self.made_new:
            new = frozen & np.isin(pairs.attack_type, [LIVE, self.worst])
        self.frozen, self.new = (self._people(pairs, np.flatnonzero(rows)) for rows in (frozen, new))
        mean = np.mean(list(types.values())) / sum(map(len, self.frozen.values()))
        self.videos_each = float(mean)  # of an attack type by one person, on average over types
        attacks = int((new & (pairs.label == 0)).sum())
        self.new_each = attacks / sum(map(len, self.new.values()))

    @staticmethod
    def _people(pairs: Pairs, rows: Rows) -> dict[str, list[Rows]]:
        """Return the rows of each person by domain."""
        found: dict[str, dict[str, list[int]]] = {}
        for row in rows.tolist():
            found.setdefault(pairs.domain[row], {}).setdefault(pairs.subject[row], []).append(row)
        return {d: [np.array(mine) for mine in people.values()] for d, people in found.items()}

    def draw(self, rng: np.random.Generator, videos: int, new_videos: int, truth: Truth) -> Pairs:
        """Return one retraining.

        Args:
            rng: source of randomness.
            videos: number of frozen videos of an attack type, on average.
            new_videos: number of new attack videos, on average.
            truth: what is true about the challenger.
        """
        parts = [
            _drawn(rng, people, count / each)
            for people, count, each in (
                (self.frozen, videos, self.videos_each),
                (self.new, new_videos, self.new_each),
            )
        ]
        rows = np.concatenate([part[0] for part in parts])
        people = np.concatenate([parts[0][1], parts[1][1] + parts[0][1].max() + 1])
        is_new = np.arange(len(rows)) >= len(parts[0][0])
        swapped = rng.random(people.max() + 1) < 0.5
        score = np.where(swapped[people][:, None], self.score[rows][:, ::-1], self.score[rows])
        columns = {name: column[rows] for name, column in self.columns.items()}
        attack = columns["label"] == 0
        if self.made_new:
            columns["attack_type"] = np.where(is_new & attack, NEW_TYPE, columns["attack_type"])
        of_type = ~is_new & (columns["attack_type"] == self.worst)
        _accept_more(rng, score[:, 1], of_type, truth.loss)
        _accept_more(rng, score[:, 0], is_new & attack, truth.gain)
        columns |= {
            "key": _NAMES[: len(rows)],
            "subject": _NAMES[people],
            "part": np.where(is_new, NEW, FROZEN).astype(object),
            "counted": np.ones(len(rows), bool),
            "champion": score[:, 0],
            "challenger": score[:, 1],
        }
        return Pairs(**columns, thresholds=(0.0, 0.0), packages=("", ""))


_NAMES = np.array([f"{i:06d}" for i in range(200_000)], object)


def _drawn(rng: np.random.Generator, by_domain: dict[str, list[Rows]], people: float) -> tuple[Rows, Rows]:
    """Return the rows of so many drawn people, and which of them each row is of; domains keep their shares."""
    total = sum(map(len, by_domain.values()))
    chosen: list[Rows] = []
    for mine in by_domain.values():
        count = max(1, round(people * len(mine) / total))
        chosen += [mine[i] for i in rng.integers(len(mine), size=count)]
    return np.concatenate(chosen), np.repeat(np.arange(len(chosen)), [len(rows) for rows in chosen])


def _accept_more(rng: np.random.Generator, score: Array, attacks: NDArray[np.bool_], share: float) -> None:
    """Make a model accept this share of the attacks in addition, by turning the sign of scores, in place."""
    free = attacks & (score < 0)
    if free.any():
        score[free & (rng.random(len(score)) < share * attacks.sum() / free.sum())] *= -1


def verdicts(
    population: Population, rng: np.random.Generator, videos: int, new_videos: int, truth: Truth, times: int
) -> Counter[str]:
    """Judge so many drawn retrainings with the default settings, and return the number of each decision.

    A further count, `of a wrong cell`, is that of refusals that name a cell in which the two are equally good.
    """
    found: Counter[str] = Counter()
    for _ in range(times):
        verdict = judge(population.draw(rng, videos, new_videos, truth), Gate())
        found[verdict.decision] += 1
        worse = f"{population.worst} " if truth.loss else "none"
        found["of a wrong cell"] += any(not row["cell"].startswith(worse) for row in verdict.harmed)
    return found


def measured(pairs: Pairs) -> list[dict[str, Any]]:
    """Return the disagreement and the design effect of each type of the frozen and of the new part."""
    decisions = Decisions.of(pairs)
    found = []
    for part in (FROZEN, NEW):
        for at in AT:
            rows = {kind: (pairs.part == part) & (pairs.attack_type == kind) for kind in decisions.kinds}
            groups = {kind: decisions.compared(mine, at) for kind, mine in rows.items() if mine.any()}
            effects = design_effects(list(groups.values()))
            for (kind, compared), effect in zip(groups.items(), effects, strict=True):
                found.append(
                    {
                        "part": part,
                        "type": kind,
                        "at": at,
                        "videos": compared.n,
                        "subjects": len(compared.sums),
                        "champion": round(100 * compared.champion / compared.n, 2),
                        "challenger": round(100 * compared.challenger / compared.n, 2),
                        "disagreement": round(100 * compared.disagreement, 2),
                        "design_effect": round(effect, 2),
                    }
                )
    return found
