"""Draw sets, resample their subjects by matrix products, and count how often each interval holds the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.intervals.methods import METHODS, Drawn
from bench.intervals.model import KINDS, LEVELS, Model
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.bootstrap import DIFFERENCE, of_counts

Array = NDArray[np.float64]
BATCH = 10  # sets that are resampled together, with the same draws of subjects
ROUNDING = (
    1e-6  # counts are 32-bit, so that a figure that is equal to the truth may differ from it by this much
)


def figures(accepted: NDArray[np.float32], operating: int) -> dict[str, Array]:
    """Return each figure of R rows of R×kinds×(levels + 1) accepted recordings."""
    counts: dict[str, Any] = {kind: accepted[:, i] for i, kind in enumerate(KINDS)}  # 32-bit, for speed
    found = of_counts(counts, operating)
    return {name: values.astype(np.float64) for name, values in found.items()}


def truth(model: Model) -> dict[str, float]:
    """Return the figures of the whole population."""
    return {name: float(v[0]) for name, v in figures(model.population()[None], model.operating).items()}


def coverage(
    model: Model, subjects: int, sets: int, resamples: int
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return, for each method and figure, the share of sets whose interval holds the truth, and its mean width.

    Args:
        model: how scores are made.
        subjects: number of subjects of a set.
        sets: number of sets, a multiple of BATCH.
        resamples: number of resamples of each set.
    """
    rng = generator("bench", "intervals", model.name, subjects)
    true = truth(model)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(sets // BATCH):
        for drawn in _batch(model, rng, subjects, resamples):
            for method, ends in METHODS.items():
                made = ends(drawn)
                if made is not None:
                    found.setdefault((method, drawn.name), []).append(_held(drawn, made, true[drawn.name]))
    result: dict[str, dict[str, tuple[float, float]]] = {method: {} for method in METHODS}
    for (method, name), rows in found.items():
        held, width = np.mean(rows, axis=0)
        result[method][name] = float(held), float(width)
    return result


def _held(drawn: Drawn, ends: tuple[Array, Array], true: float) -> tuple[float, float]:
    """Return how many of the intervals, cut to the figure's range, hold the truth, and their mean width."""
    least = -1.0 if drawn.name == DIFFERENCE else 0.0
    low, high = (np.clip(np.where(np.isfinite(end), end, drawn.point), least, 1) for end in ends)
    return float(np.mean((low <= true + ROUNDING) & (true - ROUNDING <= high))), float(np.mean(high - low))


def _batch(model: Model, rng: np.random.Generator, subjects: int, resamples: int) -> list[Drawn]:
    counts = model.counts(rng, BATCH, subjects)
    drawn = rng.integers(subjects, size=(resamples, subjects)) + subjects * np.arange(resamples)[:, None]
    times = np.bincount(drawn.ravel(), minlength=resamples * subjects).reshape(resamples, subjects)
    left_out = 1 - np.eye(subjects)
    weight = np.concatenate([np.ones((1, subjects)), times, left_out]).astype(np.float32)
    accepted = weight @ counts.reshape(BATCH, subjects, -1)
    found = figures(accepted.reshape(-1, len(KINDS), LEVELS + 1), model.operating)
    errors = _studentised(counts, times, model.operating)
    made = []
    for name, values in found.items():
        rows = values.reshape(BATCH, len(weight))
        people, recordings = _counted(name, counts[..., 0])
        resampled = np.sort(rows[:, 1 : resamples + 1], axis=1)
        one = Drawn(
            name,
            rows[:, 0],
            resampled,
            rows[:, resamples + 1 :],
            subjects,
            people,
            recordings,
            errors.get(name),
        )
        made.append(one)
    return made


def _counted(name: str, there: NDArray[np.float32]) -> tuple[Array, Array]:
    """Return on how many subjects and recordings a figure is counted, from sets×subjects×kinds recordings."""
    live, attack = there[..., 0], there[..., 1:].sum(axis=2)
    one = {"BPCER": live, "FAR": attack, "APCER_worst": attack}
    one |= {f"APCER {kind}": there[..., i] for i, kind in enumerate(KINDS) if kind != LIVE}
    needed = [one[name]] if name in one else [live, attack]
    people = np.min([(part > 0).sum(axis=1) for part in needed], axis=0)
    return people.astype(np.float64), np.sum(needed, axis=(0, 2)).astype(np.float64)


def _studentised(counts: NDArray[np.float32], times: NDArray[np.int64], operating: int) -> Mapping[str, Array]:
    """Return (rate − point)/(standard error) of each resample, sorted, for rates at the fixed threshold."""
    accepted, there = counts[..., operating], counts[..., 0]
    errors = {"BPCER": (there - accepted)[..., 0], "FAR": accepted[..., 1:].sum(2)}
    errors |= {f"APCER {kind}": accepted[..., i] for i, kind in enumerate(KINDS) if kind != LIVE}
    whole = {"BPCER": there[..., 0], "FAR": there[..., 1:].sum(2)}
    whole |= {f"APCER {kind}": there[..., i] for i, kind in enumerate(KINDS) if kind != LIVE}
    weight = times.T.astype(np.float64)
    made = {}
    for name, x in errors.items():
        n = whole[name]
        total, hits = n @ weight, x @ weight
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = hits / total
            squares = (x * x) @ weight - 2 * rate * ((x * n) @ weight) + rate**2 * ((n * n) @ weight)
            error = np.sqrt(np.maximum(squares, 0)) / total
            t = (rate - (x.sum(1) / n.sum(1))[:, None]) / error
        made[name] = np.sort(np.where(np.isfinite(t), t, np.nan), axis=1)
    return made
