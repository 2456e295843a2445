"""Refuse what a method cannot be trained with."""

from __future__ import annotations

from rfmeta_dist.config.methods import MethodFacts
from rfmeta_dist.config.training import Training


def require_possible(name: str, facts: MethodFacts, training: Training) -> None:
    """Check the `training` section against the facts of the method.

    Args:
        name: of the method.
        facts: about the method.
        training: the configuration's `training` section.

    Raises:
        ValueError: they do not fit each other; the text names the field and a remedy.
    """
    if training.strategy in facts.refuses:
        others = [s for s in ("ddp", "deepspeed", "single") if s not in facts.refuses]
        raise ValueError(
            f"strategy '{training.strategy}' cannot train {name}: {facts.refuses[training.strategy]}; "
            f"set training.strategy={others[0]}"
        )
    if facts.turns > 1 and training.not_finite == "skip":
        raise ValueError(
            f"training.not_finite=skip leaves out steps, but a step of {name} has {facts.turns} turns, and the "
            "updates of the turns before the one that is not finite cannot be undone; set "
            "training.not_finite=stop"
        )
    phases = len(facts.phases)
    if training.steps < phases:
        raise ValueError(
            f"training.steps={training.steps}, but {name} has the phases {' and '.join(facts.phases)}; set "
            f"training.steps to {phases} or more"
        )
    if training.start and phases > 1:
        raise ValueError(
            f"training.start={training.start}: {name} begins each of its phases with new networks; remove "
            "training.start"
        )
