"""The facts of every learning rule, which configuration, planning and the registry of rules read.

A new rule is its file in methods/rules/, an entry here, and an independent computation of it in
tests/reference.py. Nothing here imports the rules, so that a process that only plans or reads loads no torch.
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
        rule: its class, as `package.module:Class`.
        tasks: of an episode of N domains. `pairs`: N − 1 tasks, one for each meta-train domain. `domains`: N
            tasks, one for each domain. `one`: a single task for all of them.
        meta_test: whether the last domain of an episode is a meta-test domain, which all tasks are judged on.
        adapts: what its inner update changes: `M`, or `all` of F, M and D. For `all`, F and D are computed
            through autograd, and each worker forwards the whole meta-test batch.
        fields: its own fields of the configuration's `method` section: name → type and pydantic `Field` with
            default, bounds and description. A field that two rules share is the same object in both.
        refuses: strategies that cannot train it, each with the reason.
    """

    rule: str
    tasks: Tasks
    meta_test: bool = True
    adapts: Literal["M", "all"] = "M"
    fields: Mapping[str, OwnField] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tasks != "one" and self.meta_test != (self.tasks == "pairs"):
            raise ValueError(f"{self.rule}: tasks 'pairs' have a meta-test domain, tasks 'domains' have none")

    @property
    def second_order(self) -> bool:
        """True if F and D are differentiated twice, and must be computed through autograd."""
        return self.adapts == "all"

    def count(self, domains: int) -> int:
        """Return the number of tasks in an episode of N domains."""
        return {"pairs": domains - 1, "domains": domains, "one": 1}[self.tasks]

    def most_workers(self, domains: int, meta_test: MetaTestMode) -> int:
        """Return the largest number of workers that all have something to do in an episode of N domains.

        Where the meta-test batch is split, one worker may do nothing but forward its part of that batch.
        """
        spare = meta_test == "shard" and self.meta_test and not self.second_order
        return self.count(domains) + int(spare)

    def needs(self, task: int, domains: int) -> tuple[int, ...]:
        """Return the positions of the batches that a task forwards, without that of the meta-test domain."""
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
                Field("mean", description="its losses are means or sums over the meta-train domains"),
            ),
            "aggregation_batch_norm": (
                Literal["domain", "joint"],
                Field("domain", description="batch norm sees the meta-train domains one by one, or joined"),
            ),
        },
    ),
    "no_meta": MethodFacts("rfmeta_dist.methods.rules.no_meta:NoMeta", "domains", meta_test=False),
    "no_depth": MethodFacts("rfmeta_dist.methods.rules.no_depth:NoDepth", "pairs"),
}


def own_fields() -> dict[str, OwnField]:
    """Return the rules' own fields, by name.

    Raises:
        ValueError: two rules define a field of one name differently.
    """
    found: dict[str, OwnField] = {}
    for name, facts in METHODS.items():
        for key, spec in facts.fields.items():
            if found.setdefault(key, spec) is not spec:
                raise ValueError(f"field {key} of method {name} is another rule's too, but not the same object")
    return found


def owners(key: str) -> list[str]:
    """Return the names of the rules that have this field."""
    return [name for name, facts in METHODS.items() if key in facts.fields]
