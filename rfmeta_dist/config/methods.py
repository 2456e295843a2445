"""Describe every learning rule, for the configuration, for planning and for the registry of rules.

To add a rule, add its file in methods/rules/, an entry here, and an independent computation of it in
tests/reference.py. This module does not import the rules, so processes that plan or read do not load torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

Tasks = Literal["pairs", "domains", "one"]
MetaTestMode = Literal["shard", "replicate"]
OwnField = tuple[Any, Any]  # a type, and pydantic's `Field`, which claims to be a value of that type


@dataclass(frozen=True)
class MethodFacts:
    """The facts of a learning rule that are known without loading its code.

    Attributes:
        rule: the rule's class, as `package.module:Class`.
        tasks: number of tasks in an episode of N domains. `pairs`: N − 1, one for each meta-train domain.
            `domains`: N, one for each domain. `one`: a single task for all domains.
        meta_test: True if the last domain of an episode is a meta-test domain, on which all tasks are judged.
        adapts: networks that the inner update changes: `M`, or `all` of F, M and D. For `all`, F and D are
            differentiated by autograd, and each worker computes the whole meta-test batch.
        fields: the rule's own fields in the configuration's `method` section: name → type and pydantic `Field`
            with default, bounds and description. A field that two rules share must be the same object in both.
        refuses: strategies that cannot train the rule, each with the reason.
        unused: fields of the configuration's `method` section on which its weights do not depend.
        equal_on_one_pair: the rule that trains the same weights if an episode has one meta-train domain: there
            is nothing to aggregate then. Empty if there is none.
    """

    rule: str
    tasks: Tasks
    meta_test: bool = True
    adapts: Literal["M", "all"] = "M"
    fields: Mapping[str, OwnField] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    equal_on_one_pair: str = ""

    def __post_init__(self) -> None:
        if self.tasks != "one" and self.meta_test != (self.tasks == "pairs"):
            raise ValueError(f"{self.rule}: tasks 'pairs' have a meta-test domain, tasks 'domains' have none")

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


METHODS: Mapping[str, MethodFacts] = {
    "rfmeta": MethodFacts("rfmeta_dist.methods.rules.rfmeta:RFMeta", "pairs"),
    "first_order": MethodFacts("rfmeta_dist.methods.rules.first_order:FirstOrder", "pairs"),
    "aggregate": MethodFacts(
        "rfmeta_dist.methods.rules.aggregate:Aggregate",
        "one",
        fields={
            "aggregation": (
                Literal["mean", "sum"],
                Field("mean", description="take the mean or the sum of the losses of the meta-train domains"),
            ),
            "aggregation_batch_norm": (
                Literal["domain", "joint"],
                Field(
                    "domain",
                    description="take batch-norm statistics over each meta-train domain alone, or over all "
                    "of them jointly",
                ),
            ),
        },
        equal_on_one_pair="rfmeta",
    ),
    "no_meta": MethodFacts(
        "rfmeta_dist.methods.rules.no_meta:NoMeta",
        "domains",
        meta_test=False,
        unused=("inner_learning_rate", "inner_steps", "meta_test_weight"),
    ),
    "no_depth": MethodFacts("rfmeta_dist.methods.rules.no_depth:NoDepth", "pairs", unused=("depth_weight",)),
}


def own_fields() -> dict[str, OwnField]:
    """Return the fields of `method` that belong to single learning rules only, by name.

    Raises:
        ValueError: two rules define a field of the same name differently.
    """
    found: dict[str, OwnField] = {}
    for name, facts in METHODS.items():
        for key, spec in facts.fields.items():
            if found.setdefault(key, spec) is not spec:
                raise ValueError(f"field {key} of method {name} is not the same object as another rule's field")
    return found


def owners(key: str) -> list[str]:
    """Return the names of the rules that have the field `method.KEY`; none if no rule has it."""
    return [name for name, facts in METHODS.items() if key in facts.fields]
