"""Put a comparison into the content of regret.json, from which every figure of it can be computed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.regret import INTERVAL, Case, Difference, Lookup, over_targets


def content(
    study: Study, cases: Sequence[Case], facts: Mapping[str, Mapping[str, Any]], lookup: Lookup
) -> dict[str, Any]:
    """Return what is compared for each target and in the mean over targets, as JSON can hold it.

    Args:
        study: the study.
        cases: what is compared; at least one.
        facts: further fields of each target.
        lookup: returns the figures.

    Raises:
        LookupError: a figure is missing.
    """
    oracles = [case.oracle(lookup) for case in cases]
    regrets = [case.worse(case.chosen, best, lookup) for case, best in zip(cases, oracles, strict=True)]
    at_most = [case.at_most(lookup) for case in cases]
    against_base = [case.worse(case.chosen, case.base, lookup) for case in cases]
    targets = {
        case.target: {
            **facts[case.target],
            "choice": case.chosen.number,
            "oracle": best.number if (best := oracles[n]) else None,
            "base": case.base.number,
            "regret": as_dict(regrets[n]),
            "regret_at_most": at_most[n],
            "worse_than_base": as_dict(against_base[n]),
            "candidates": {str(candidate.number): dict(candidate.values) for candidate in case.candidates},
            "figures": _figures(case, lookup),
        }
        for n, case in enumerate(cases)
    }
    known = [value for value in at_most if value is not None]
    return {
        "study": study.name,
        "metric": study.metric,
        "seeds": list(study.seeds),
        "fresh_seeds": list(cases[0].fresh),
        "interval": INTERVAL,
        "targets": targets,
        "mean": {
            "regret": as_dict(over_targets(regrets)),
            "regret_at_most": mean(known) if len(known) == len(cases) else None,
            "worse_than_base": as_dict(over_targets(against_base)),
        },
    }


def _figures(case: Case, lookup: Lookup) -> list[dict[str, Any]]:
    return [
        {
            "candidate": candidate.number,
            "seed": seed,
            "fresh": seed in case.fresh,
            "hter": result.hter,
            "auc": result.auc,
            "failed": result.failed,
        }
        for candidate, seed, result in case.judged(lookup)
    ]


def as_dict(difference: Difference | None) -> dict[str, Any] | None:
    """Return a difference with its mean, standard deviation and interval; None if there is none."""
    if difference is None:
        return None
    low, high = difference.interval
    spread = {"mean": difference.mean, "std": difference.std, "low": low, "high": high}
    return {**spread, "by_seed": list(difference.by_seed)}
