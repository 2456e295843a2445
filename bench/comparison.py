"""Simulate the test of `rfmeta compare`: how often it finds a difference that is not there, or one that is.

    python -m bench.comparison [--pairs 2000] [--out FILE]

Two models score the same recordings of each subject, two live and four attacks. A score is the sum of a mean
for its class, a deviation of the subject that both models share, one of the subject and model, one of the
recording that both share, and one of recording and model, all normal. So recordings of a subject are
correlated, and so are the two models. Nothing is trained.

Size is the share of simulated pairs of equal models that are called different at the level of 5 %:

    alike       both have the same error rates
    traded      equal HTER, but one rejects more live faces and the other accepts more attacks
    few errors  HTER of 4 %, so only few subjects differ

Power is the share of pairs that are called different if the true difference is 2, 5 or 10 points. `seeds` are
comparisons over four targets and three seeds, in which each training has its own deviation of the means.
`few_seeds` are comparisons of equal models on one target with two, three and five seeds.

Three other tests are applied to the same pairs: the percentile interval of a bootstrap of subjects, the
studentised bootstrap, and a test that exchanges the two models' contributions for whole subjects.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.result import give
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.evaluation import paired
from rfmeta_dist.evaluation.paired import Run

Array = NDArray[np.float64]

SUBJECTS = (20, 35, 55, 100)
LIVE, ATTACKS = 2, 4  # recordings of each subject
SHARED, OWN, RECORDING = 0.6, 0.4, 1.0  # deviations of subject, of subject and model, of recording
ALIKE = 0.5  # share of a recording's variance that both models share
SPREAD = (SHARED**2 + OWN**2 + RECORDING**2) ** 0.5
FIGURES = ("HTER", "AUC")
POINTS = (0.02, 0.05, 0.10)
BASE = {"HTER": 0.20, "AUC": 0.85}  # of the worse model
TARGETS, SEEDS, OF_TRAINING = "OCIM", 3, 0.15
RESAMPLES = 1999


@dataclass(frozen=True)
class Models:
    """Two models: the distance of the class means from 0, and the threshold, of each."""

    means: tuple[float, float]
    thresholds: tuple[float, float] = (0.0, 0.0)


def mean_for(figure: str, value: float) -> float:
    """Return the distance of the class means from 0 that gives a figure its value."""
    if figure == "HTER":
        return float(-SPREAD * stats.norm.ppf(value))
    return float(SPREAD * stats.norm.ppf(value) / 2**0.5)


def scores(rng: np.random.Generator, pairs: int, subjects: int, means: Array) -> tuple[Array, Array]:
    """Draw scores of both models.

    Args:
        rng: source of random numbers.
        pairs: N, number of simulated data sets.
        subjects: S, number of subjects of each.
        means: N×K×2: distance of the class means from 0, for each of K trainings of both models.

    Returns:
        Scores of live recordings, N×K×2×S×2, and of attacks, N×K×2×S×4.
    """
    trainings = means.shape[1]
    both = rng.normal(0, SHARED, (pairs, 1, 1, subjects, 1))
    own = rng.normal(0, OWN, (pairs, trainings, 2, subjects, 1))
    drawn = []
    for sign, count in ((1, LIVE), (-1, ATTACKS)):
        alike = rng.normal(0, RECORDING * ALIKE**0.5, (pairs, 1, 1, subjects, count))
        noise = rng.normal(0, RECORDING * (1 - ALIKE) ** 0.5, (pairs, trainings, 2, subjects, count))
        drawn.append(sign * means[..., None, None] + both + own + alike + noise)
    return drawn[0], drawn[1]


def judge(live: Array, attack: Array, thresholds: Sequence[float]) -> dict[str, tuple[Array, Array]]:
    """Return each figure, N×K×2, and its influence values, N×K×2×S; equal to those of `paired.judged`."""
    at = np.asarray(thresholds)[:, None, None]
    rejected, accepted = (live < at).mean(axis=-1), (attack >= at).mean(axis=-1)
    *outer, subjects, _ = live.shape
    flat_live, flat_attack = live.reshape(*outer, -1), attack.reshape(*outer, -1)
    ranks = stats.rankdata(np.concatenate([flat_live, flat_attack], axis=-1), axis=-1)
    split = flat_live.shape[-1]
    above = (ranks[..., :split] - stats.rankdata(flat_live, axis=-1)) / flat_attack.shape[-1]
    below = 1 - (ranks[..., split:] - stats.rankdata(flat_attack, axis=-1)) / split
    contributions = {
        "HTER": (rejected + accepted) / 2,
        "AUC": above.reshape(live.shape).mean(axis=-1) + below.reshape(attack.shape).mean(axis=-1),
    }
    value = {"HTER": contributions["HTER"].mean(axis=-1), "AUC": above.mean(axis=-1)}
    return {
        name: (value[name], (some - some.mean(axis=-1, keepdims=True)) / subjects)
        for name, some in contributions.items()
    }


def simulated(
    rng: np.random.Generator, pairs: int, subjects: int, models: Models
) -> dict[str, tuple[Array, Array]]:
    """Return the differences of one training of each model, N, and their influence values, N×S, by figure."""
    means = np.broadcast_to(np.asarray(models.means), (pairs, 1, 2))
    found = judge(*scores(rng, pairs, subjects, means), models.thresholds)
    return {
        name: (value[:, 0, 1] - value[:, 0, 0], influence[:, 0, 1] - influence[:, 0, 0])
        for name, (value, influence) in found.items()
    }


def share(differences: Array, influence: Array, figure: str) -> float:
    """Return the share of differences that `paired.compare` calls significant."""
    none = np.zeros(influence.shape[1])
    zero = Run("T", 0, {figure: 0.0}, {figure: none})
    found = [
        paired.compare([(Run("T", 0, {figure: float(d)}, {figure: some}), zero)], figure).p < paired.LEVEL
        for d, some in zip(differences, influence, strict=True)
    ]
    return percent(found)


def resampled(rng: np.random.Generator, differences: Array, influence: Array) -> dict[str, float]:
    """Return the shares that three other tests call significant."""
    subjects = influence.shape[1]
    drawn = rng.integers(subjects, size=(RESAMPLES, subjects)) + subjects * np.arange(RESAMPLES)[:, None]
    weight = np.bincount(drawn.ravel(), minlength=RESAMPLES * subjects).reshape(RESAMPLES, subjects)
    moved = weight @ influence.T
    low, high = np.percentile(moved, (2.5, 97.5), axis=0) + differences
    scale = subjects / (subjects - 1)

    def studentised(deviation: Array, squares: Array) -> Array:
        spread = scale * np.maximum(squares - deviation**2 / subjects, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            t: Array = np.where(np.abs(deviation) < 1e-12, 0.0, np.abs(deviation) / np.sqrt(spread))
        return np.round(np.nan_to_num(t, nan=np.inf, posinf=np.inf), 9)

    whole = influence + differences[:, None] / subjects
    observed = studentised(differences, (whole**2).sum(axis=1))
    sign = rng.choice([-1.0, 1.0], size=(RESAMPLES, subjects))
    several = {
        "bootstrap_t": studentised(moved, weight @ (influence**2).T),
        "exchange": studentised(sign @ whole.T, (whole**2).sum(axis=1)),
    }
    found = {"percentile": percent((low > 0) | (high < 0))}
    for name, t in several.items():
        found[name] = percent((1 + (t >= observed).sum(axis=0)) / (RESAMPLES + 1) < paired.LEVEL)
    return found


def over_seeds(rng: np.random.Generator, pairs: int, subjects: int, difference: float) -> dict[str, float]:
    """Return the share of comparisons over four targets and three seeds that are called significant."""
    runs: dict[str, list[list[tuple[Run, Run]]]] = {figure: [[] for _ in range(pairs)] for figure in FIGURES}
    for target in TARGETS:
        for figure in FIGURES:
            sign = -1 if figure == "HTER" else 1
            both = [mean_for(figure, BASE[figure] + sign * d) for d in (0.0, difference)]
            luck = rng.normal(0, OF_TRAINING, (pairs, SEEDS, 1)) + rng.normal(0, OF_TRAINING, (pairs, SEEDS, 2))
            value, influence = judge(*scores(rng, pairs, subjects, np.asarray(both) + luck), (0.0, 0.0))[figure]
            for number, of_pair in enumerate(runs[figure]):
                for seed in range(SEEDS):
                    one, two = (
                        Run(
                            target,
                            seed,
                            {figure: float(value[number, seed, model])},
                            {figure: influence[number, seed, model]},
                        )
                        for model in (1, 0)
                    )
                    of_pair.append((one, two))
    return {
        figure: percent([paired.compare(some, figure).p < paired.LEVEL for some in of_figure])
        for figure, of_figure in runs.items()
    }


def percent(found: Any) -> float:
    """Return a share in percent."""
    return round(100 * float(np.mean(found)), 2)


def sizes(pairs: int) -> list[dict[str, Any]]:
    """Return the shares of equal models that are called different, for each test."""
    ordinary, better = mean_for("HTER", 0.15), mean_for("HTER", 0.04)
    cases: Mapping[str, Models] = {
        "alike": Models((ordinary, ordinary)),
        "traded": Models((ordinary, ordinary), (0.4, -0.4)),
        "few errors": Models((better, better)),
    }
    rows = []
    for case, models in cases.items():
        for subjects in SUBJECTS:
            rng = generator("comparison", "size", case, subjects)
            for figure, (differences, influence) in simulated(rng, pairs, subjects, models).items():
                rows.append(
                    {
                        "case": case,
                        "figure": figure,
                        "subjects": subjects,
                        "compare": share(differences, influence, figure),
                        **resampled(rng, differences, influence),
                    }
                )
    return rows


def powers(pairs: int) -> list[dict[str, Any]]:
    """Return the shares of different models that are called different."""
    rows = []
    for figure in FIGURES:
        sign = -1 if figure == "HTER" else 1
        for subjects in SUBJECTS:
            row: dict[str, Any] = {"figure": figure, "subjects": subjects}
            for points in POINTS:
                rng = generator("comparison", "power", figure, subjects, str(points))
                means = (mean_for(figure, BASE[figure]), mean_for(figure, BASE[figure] + sign * points))
                difference, influence = simulated(rng, pairs, subjects, Models(means))[figure]
                row[f"{points:.2f}"] = share(difference, influence, figure)
            rows.append(row)
    return rows


def several(pairs: int) -> list[dict[str, Any]]:
    """Return size and power over four targets and three seeds; a difference of 0 gives the size."""
    return [
        {"subjects": subjects, "difference": points}
        | over_seeds(generator("comparison", "seeds", subjects, str(points)), pairs, subjects, points)
        for subjects in SUBJECTS
        for points in (0.0, *POINTS[:2])
    ]


def few_seeds(pairs: int) -> list[dict[str, Any]]:
    """Return the size on one target with few seeds, for deviations of subjects, of trainings and of both.

    Here the contributions of subjects are drawn directly, from normal distributions.
    """
    rows = []
    for seeds in (2, 3, 5):
        for subjects in (20, 55):
            for parts in ((0.0, 0.05, 0.1), (0.1, 0.03, 0.1), (0.1, 0.05, 0.1), (0.2, 0.0, 0.2)):
                rng = generator("comparison", "few", seeds, subjects, str(parts))
                shapes = ((pairs, 1, subjects), (pairs, seeds, 1), (pairs, seeds, subjects))
                each = sum(rng.normal(0, part, shape) for part, shape in zip(parts, shapes, strict=True))
                none = Run("T", 0, {"AUC": 0.0}, {"AUC": np.zeros(subjects)})
                found = [
                    paired.compare([(_run(seed, row), none) for seed, row in enumerate(some)], "AUC").p
                    < paired.LEVEL
                    for some in np.asarray(each)
                ]
                rows.append(
                    {"seeds": seeds, "subjects": subjects, "deviations": parts, "compare": percent(found)}
                )
    return rows


def _run(seed: int, each: Array) -> Run:
    return Run("T", seed, {"AUC": float(each.mean())}, {"AUC": (each - each.mean()) / len(each)})


def main() -> int:
    """Print and write size and power. Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000, help="simulated pairs for each share")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    started = time.monotonic()
    found = {"size": sizes(o.pairs), "power": powers(o.pairs), "seeds": several(max(1, o.pairs // 2))}
    found["few_seeds"] = few_seeds(o.pairs)
    settings = {"pairs": o.pairs, "pairs_over_seeds": max(1, o.pairs // 2), "level": paired.LEVEL}
    give(settings | found | {"seconds": round(time.monotonic() - started)}, o.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
