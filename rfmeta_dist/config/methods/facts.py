"""Define the facts of a method that configuration, planning and reports need. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["gradient", "features"]
Tasks = Literal["pairs", "domains", "one"]
MetaTestMode = Literal["shard", "replicate"]
OwnField = tuple[Any, Any]  # a type, and pydantic's `Field`, which claims to be a value of that type

FIRST_PHASE = "first_phase"  # the own field that divides the steps of a method with two phases
# Why a rule that takes other steps than one of Adam on all parameters refuses this strategy.
OWN_STEPS: Mapping[str, str] = {
    "deepspeed": "DeepSpeed takes one step of Adam on all parameters together, and this method takes other ones"
}


@dataclass(frozen=True)
class MethodFacts:
    """The facts of a method that are known without loading its code.

    Attributes:
        rule: the class, as `package.module:Class`: a learning rule, or an extractor of features.
        tasks: number of tasks in an episode of N domains. `pairs`: N − 1, one for each meta-train domain.
            `domains`: N, one for each domain. `one`: a single task for all domains.
        meta_test: True if the last domain of an episode is a meta-test domain, on which all tasks are judged.
        adapts: networks that the inner update changes: `M`, or `all` of F, M and D. For `all`, F and D are
            differentiated by autograd, and each worker computes the whole meta-test batch.
        fields: the method's own fields in the configuration's `method` section: name → type and pydantic
            `Field` with default, bounds and description. A field that two methods share must be the same object
            in both.
        refuses: strategies that cannot train the rule, each with the reason.
        unused: fields of the configuration's `method` section on which its weights do not depend; of another
            section with its name, such as `training.decay`.
        equal_on_one_pair: the rule that trains the same weights if an episode has one meta-train domain: there
            is nothing to aggregate then. Empty if there is none.
        kind: `gradient` for a learning rule, `features` for hand-made features and a classifier.
        title: the name of the method in the table of the RFMeta paper, or in its own paper.
        phases: names of its phases, each of which begins where the one before ended. If there are two, the
            method has the own field `first_phase`.
        turns: the most optimiser steps that a training step consists of, one after another.
        preset: settings that the method is trained with unless the configuration says otherwise: dotted field →
            value.
    """

    rule: str
    tasks: Tasks
    meta_test: bool = True
    adapts: Literal["M", "all"] = "M"
    fields: Mapping[str, OwnField] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    equal_on_one_pair: str = ""
    kind: Kind = "gradient"
    title: str = ""
    phases: tuple[str, ...] = ("training",)
    turns: int = 1
    preset: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tasks != "one" and self.meta_test != (self.tasks == "pairs"):
            raise ValueError(f"{self.rule}: tasks 'pairs' have a meta-test domain, tasks 'domains' have none")
        if len(self.phases) > 1 and FIRST_PHASE not in self.fields:
            raise ValueError(f"{self.rule}: a method with two phases needs the own field {FIRST_PHASE}")

    @property
    def second_order(self) -> bool:
        """Return True if F and D are differentiated twice, and must therefore be computed with autograd."""
        return self.adapts == "all"

    def count(self, domains: int) -> int:
        """Return the number of tasks in an episode of N domains."""
        return {"pairs": domains - 1, "domains": domains, "one": 1}[self.tasks]

    def most_workers(self, domains: int, meta_test: MetaTestMode) -> int:
        """Return the largest number of workers that all have work in an episode of N domains.

        If the meta-test batch is split, one worker may have no task and only compute its part of that batch.
        """
        spare = meta_test == "shard" and self.meta_test and not self.second_order
        return self.count(domains) + int(spare)

    def needs(self, task: int, domains: int) -> tuple[int, ...]:
        """Return the positions of the domains whose batches a task computes, without the meta-test domain."""
        if self.tasks == "one":
            return tuple(range(domains - 1 if self.meta_test else domains))
        return (task,)

    def ends(self, steps: int, first_phase: float | None) -> tuple[int, ...]:
        """Return the step at which each phase ends; the last one is `steps`.

        Args:
            steps: `training.steps`.
            first_phase: the share of the steps in the first of two phases; not read for a single phase.
        """
        if len(self.phases) == 1 or first_phase is None:
            return (steps,)
        return max(1, min(steps - 1, round(steps * first_phase))), steps
