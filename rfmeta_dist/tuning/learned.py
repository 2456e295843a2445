"""Propose candidates from a target's own scores, by Optuna's samplers.

Optuna keeps nothing between two proposals. For each, a study of Optuna's is built in memory from what the
target knows, and the sampler is seeded anew: candidate i is a function of the target's figures so far, of the
candidates before it that are still being trained, and of seed(study, target, i). With a sampler that lives on,
or with trials in a storage that other processes write to, a search cannot be repeated (optuna#3056, #4412).

Start-up candidates are proposed without scores (tuning/proposals.py). Two samplers learn:

- `tpe`: Optuna's TPESampler. It models all fields jointly (multivariate), because that finds better values of
  fields that depend on each other (Falkner et al. 2018, BOHB). Fields with a condition form groups of their
  own; without groups, each of them would be modelled alone (optuna#3363).
- `gp`: Optuna's GPSampler. It cannot model fields with conditions; config/study.py refuses them.

Both are told which candidates are still being trained and keep away from them, as if those had poor scores
(tpe) or scores drawn from the model (gp).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.study import Study
from rfmeta_dist.core import seeds
from rfmeta_dist.tuning.proposals import DRAWS, Candidate, Told, candidates, identity, startup, units
from rfmeta_dist.tuning.space import active, apply, point
from rfmeta_dist.tuning.translate import distribution, from_optuna, in_space, quietly, to_optuna

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

TRIES = 8  # proposals that are asked of a sampler until one is a new configuration; then one is drawn at random


def propose(study: Study, target: str, earlier: Sequence[Told], count: int) -> list[Candidate]:
    """Return the next candidates of a target, numbered on from `len(earlier)`.

    They are a pure function of the arguments. Asking for two candidates, and then for two more while those are
    being trained, gives the same as asking for four.

    Args:
        study: the study, whose `search.kind` is tpe or gp.
        target: the target, whose name only seeds the proposals.
        earlier: what the target knows about all its candidates so far, by number.
        count: how many to return. There are fewer if the space has no more points.

    Raises:
        ConfigError: the values of a candidate do not fit each other; the error names the field.
    """
    known, found = list(earlier), []
    shared = candidates(study, len(known) + count) if len(known) < startup(study) else []
    seen = {identity(apply(study.base, told.candidate.values)) for told in known}
    for number in range(len(known), len(known) + count):
        if number < len(shared):
            candidate = shared[number]
        else:
            values = _new(study, target, known, seen)
            if values is None:
                break
            candidate = Candidate(number, values)
        seen.add(identity(apply(study.base, candidate.values)))
        found.append(candidate)
        known.append(Told(candidate, None, {}, failed=False))
    return found


def _new(study: Study, target: str, known: Sequence[Told], seen: set[str]) -> dict[str, Any] | None:
    """Return the values of a configuration that was not proposed yet; None if the space has no more."""
    seed = seeds.seed("tune", study.search.kind, study.search.seed, target, len(known))
    drawn = (point(study.space, unit) for unit in units(sorted(study.space), seed))
    with quietly():
        asked = itertools.islice(_asked(study, known, seed), TRIES)
        for values in itertools.chain(asked, itertools.islice(drawn, DRAWS * (len(known) + 1))):
            if identity(apply(study.base, values)) not in seen:
                return values
    return None


def _asked(study: Study, known: Sequence[Told], seed: int) -> Iterator[dict[str, Any]]:
    """Yield what a sampler proposes. Each proposal counts as being trained, so the next keeps away from it."""
    import optuna

    distributions = {name: distribution(study.space[name]) for name in sorted(study.space)}
    history = optuna.create_study(
        sampler=_sampler(study, seed), direction="minimize" if study.metric == "hter" else "maximize"
    )
    for trial in _trials(study, known, distributions):
        history.add_trial(trial)
    while True:
        params = history.ask(distributions).params
        values = {name: from_optuna(d, params[name]) for name, d in study.space.items()}
        yield active(study.space, values)


def _sampler(study: Study, seed: int) -> optuna.samplers.BaseSampler:
    import optuna

    # No start-up of Optuna's: it would draw at random until there are 10 trials. Its seeds have 32 bits.
    settings: dict[str, Any] = {"seed": seed % 2**32, "n_startup_trials": 0}
    if study.search.kind == "gp":
        return optuna.samplers.GPSampler(**settings)
    conditional = any(distribution.when for distribution in study.space.values())
    return optuna.samplers.TPESampler(multivariate=True, group=conditional, constant_liar=True, **settings)


def _trials(
    study: Study, known: Sequence[Told], distributions: Mapping[str, BaseDistribution]
) -> Iterator[FrozenTrial]:
    """Yield the trials of Optuna's that stand for what a target knows, in the order of the candidates.

    A candidate that was stopped is told as pruned, with its scores so far. One that failed is told as pruned
    before its first score, which ranks below all others. Told as failed, it would be ignored by Optuna's
    samplers, and they would propose the same place again and again. For the same reason gp, which ignores
    pruned trials, is told the worst score that the target has seen instead.
    """
    from optuna.trial import TrialState, create_trial

    base = study.base.model_dump(mode="json")
    worst = max if study.metric == "hter" else min
    scores = [told.value for told in known if told.value is not None and math.isfinite(told.value)]
    for told in known:
        values = in_space(study, base, told.candidate)
        if values is None:
            continue
        params = {name: to_optuna(study.space[name], value) for name, value in sorted(values.items())}
        rungs = {} if told.failed else {s: v for s, v in told.rungs.items() if math.isfinite(v)}
        state, score = TrialState.PRUNED, told.value
        if score is not None and math.isfinite(score) and not told.failed:
            state = TrialState.COMPLETE
        elif score is None and not told.rungs and not told.failed:
            state = TrialState.RUNNING
        elif study.search.kind == "gp" and scores:
            state, score = TrialState.COMPLETE, worst(scores)
        yield create_trial(
            state=state,
            value=score if state == TrialState.COMPLETE else None,
            params=params,
            distributions={name: distributions[name] for name in params},
            intermediate_values=rungs,
        )
