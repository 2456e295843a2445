"""The ends of intervals, computed again from scores by the published formulas, with nothing of rfmeta_dist.

Resamples of people are drawn as rows that are repeated, and each figure is counted on them by
`figures_reference`. Differences of two models follow docs/how-to/compare.md: what each person contributes to a
figure, and Student's t. The only thing that is taken over is how random numbers are keyed (core/seeds.py), so
that the people drawn are the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import stats

from tests import figures_reference as reference
from tests.figures_reference import Columns

Ends = tuple[float, float]
NONE = float("nan")


def people_drawn(seed: int, people: int, resamples: int) -> np.ndarray:
    """R×S: which of S people are in each of R resamples."""
    key = hashlib.sha256(repr((seed, "bootstrap")).encode()).digest()[:16]
    rng = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))
    return rng.integers(people, size=(resamples, people))


def all_figures(rows: Columns, threshold: float) -> dict[str, float]:
    """Every figure that has an interval, by name; types that the rows lack are left out."""
    found, oracle = at_threshold(rows, threshold), reference.equal_error(rows)[0]
    return {
        **found,
        "AUC": reference.area(rows),
        "oracle_EER": oracle,
        "optimism_gap": found["HTER"] - oracle,
        **{
            f"BPCER_at_APCER {percent / 100:.2f}": reference.lowest_bpcer(rows, percent)
            for percent in (10, 5, 1)
        },
    }


def at_threshold(rows: Columns, threshold: float) -> dict[str, float]:
    """The error rates at one threshold."""
    far, frr = reference.errors(rows, threshold)
    by_type = reference.by_type(rows, threshold)
    worst = max(by_type.values())
    return {
        "HTER": float((far + frr) / 2),
        "FAR": float(far),
        "BPCER": float(frr),
        "ACER": (worst + float(frr)) / 2,
        "APCER_worst": worst,
        **{f"APCER {kind}": rate for kind, rate in by_type.items()},
    }


def intervals(
    rows: Columns,
    threshold: float,
    seed: int,
    resamples: int,
    figures: Callable[[Columns, float], dict[str, float]] = all_figures,
) -> dict[str, Ends]:
    """The ends of the 95 % interval of each figure that `figures` computes."""
    subject, label = np.asarray(rows["subject"]), np.asarray(rows["label"])
    names = sorted(set(subject.tolist()))
    own = [np.flatnonzero(subject == name) for name in names]
    found: list[dict[str, float]] = []
    for drawn in people_drawn(seed, len(names), resamples):
        again = np.concatenate([own[person] for person in drawn])
        if len(set(label[again].tolist())) == 2:
            found.append(figures(reference.select(rows, again), threshold))
    ends = {}
    for name, value in figures(rows, threshold).items():
        values = [one[name] for one in found if name in one]
        ends[name] = interval(name, value, values, *counted(name, rows))
    return ends


def counted(name: str, rows: Columns) -> tuple[int, int]:
    """How many people and recordings a figure is counted on; people of the rarer class if it needs both."""
    kinds, label = np.asarray(rows["attack_type"]), np.asarray(rows["label"])
    kind = name.removeprefix("APCER ")
    classes = {"BPCER": [label == 1], "FAR": [label == 0], "APCER_worst": [label == 0]}
    needed = classes.get(name, [kinds == kind] if kind != name else [label == 1, label == 0])
    people = [len(set(np.asarray(rows["subject"])[mask].tolist())) for mask in needed]
    recordings = [len(set(zip(rows["domain"][mask], rows["video"][mask], strict=True))) for mask in needed]
    return min(people), sum(recordings)


def interval(name: str, value: float, values: Sequence[float], people: int, recordings: int) -> Ends:
    """Korn and Graubard's interval, 1998; Student's for the one figure that may be negative."""
    least = -1.0 if name == "optimism_gap" else 0.0
    error = np.std(values) * math.sqrt(people / (people - 1)) if people > 1 and len(values) > 1 else NONE
    if math.isnan(error):
        return least, 1.0
    t = stats.t.ppf(0.975, people - 1)
    alone = 1 - 0.025 ** (1 / people)  # the exact upper end if none of so many people has an error
    if least < 0:
        half = t * error if error > 1e-12 else alone
        return max(-1.0, value - half), min(1.0, value + half)
    if error * t < 1e-12 or value in (0.0, 1.0):
        half = max(alone, t * error)
        return max(0.0, value - half), min(1.0, value + half)
    independent = min(value * (1 - value) / error**2, recordings) * (stats.norm.ppf(0.975) / t) ** 2
    hits, rest = value * independent, (1 - value) * independent
    # Clopper & Pearson 1934: quantiles of beta distributions.
    return float(stats.beta.ppf(0.025, hits, rest + 1)), float(stats.beta.ppf(0.975, hits + 1, rest))


def contributions(rows: Columns, threshold: float, figure: str, people: Sequence[str]) -> np.ndarray:
    """What each person adds to HTER or AUC above what an average recording would; these sum to 0."""
    subject, label, score = (np.asarray(rows[name]) for name in ("subject", "label", "score"))
    live, attack = label == 1, label == 0
    if figure == "HTER":
        value = {True: (score[live] < threshold) / 2, False: (score[attack] >= threshold) / 2}
    else:  # DeLong 1988: the share of the other class that a recording is on the right side of
        right = np.sign(score[live][:, None] - score[attack][None]) / 2 + 0.5
        value = {True: right.mean(axis=1), False: right.mean(axis=0)}
    total = np.zeros(len(people))
    for mask, of in ((live, value[True]), (attack, value[False])):
        for person, part in zip(subject[mask].tolist(), (of - of.mean()) / len(of), strict=True):
            total[people.index(person)] += part
    return total


def difference(pairs: Mapping[str, Sequence[tuple[np.ndarray, float]]]) -> tuple[float, float, float]:
    """The mean over targets of a difference of two models, its standard error and its degrees of freedom.

    Args:
        pairs: for each target, the difference of what each person contributes, and that of the figure, for each
            pair of runs.
    """
    value, parts, spread, pooled = 0.0, [], 0.0, 0
    for of in pairs.values():
        each, values = np.array([one for one, _ in of]), np.array([one for _, one in of])
        n, k = each.shape[1], len(each)
        value += values.mean() / len(pairs)
        variance = n / (n - 1) * (each.mean(axis=0) ** 2).sum()
        if k > 1:  # less what differs between the pairs, which the seeds' part has
            variance -= n / (n - 1) * ((each - each.mean(axis=0)) ** 2).sum() / (k * (k - 1))
        parts.append((max(0.0, variance) / len(pairs) ** 2, n - 1))
        spread, pooled = spread + ((values - values.mean()) ** 2).sum(), pooled + k - 1
    if pooled:
        share = sum(1 / len(of) for of in pairs.values()) / len(pairs) ** 2
        parts.append((spread / pooled * share, pooled))
    variance = sum(part for part, _ in parts)
    # Satterthwaite 1946
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts if part)
    return value, math.sqrt(variance), freedom
