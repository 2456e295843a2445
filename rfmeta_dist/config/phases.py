"""Compute at which steps the phases of a method end."""

from __future__ import annotations

from collections.abc import Iterable

from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.methods.facts import FIRST_PHASE
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError


def ends(config: Config) -> tuple[int, ...]:
    """Return the step at which each phase of a run ends; the last one is `training.steps`."""
    method = config.method
    share = getattr(method, FIRST_PHASE) if FIRST_PHASE in method.facts.fields else None
    return method.facts.ends(config.training.steps, share)


def require_last_phase(rungs: Iterable[int], steps: int, methods: Iterable[str], share: float | None) -> None:
    """Check that no model is judged in a phase that does not train what scores faces.

    Args:
        rungs: the steps at which a study judges its candidates.
        steps: number of steps of a training.
        methods: the methods that a candidate may have.
        share: the largest share of the steps that a candidate may give to the first of two phases.

    Raises:
        ConfigError: a candidate would be judged in its first phase.
    """
    first = min(rungs, default=steps)
    for name in methods:
        facts = METHODS[name]
        before = facts.ends(steps, share)[:-1]
        if before and first <= before[-1]:
            raise ConfigError(
                f"search.rungs: at step {first} a training of {name} is in its phase {facts.phases[0]}, which "
                f"ends at step {before[-1]} and trains nothing that could be judged",
                f"give steps after {before[-1]}, or remove search.rungs",
            )
