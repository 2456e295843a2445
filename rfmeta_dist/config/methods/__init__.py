"""Describe every method, for the configuration, for planning and for the registry of learning rules.

To add a learning rule, add its file in methods/rules/, an entry here, and an independent computation of it in
tests/references/. Nothing here imports the rules, so processes that plan or read do not load torch.

    paper.py     the paper's method and its ablations
    rivals.py    other learning rules
    features.py  hand-made features and a classifier
    tables.py    in which tables of the paper each stands
"""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.methods.facts import MetaTestMode, MethodFacts, OwnField, Tasks
from rfmeta_dist.config.methods.features import FEATURES
from rfmeta_dist.config.methods.paper import PAPER
from rfmeta_dist.config.methods.rivals import RIVALS

__all__ = ["METHODS", "RULES", "MetaTestMode", "MethodFacts", "OwnField", "Tasks", "own_fields", "owners"]

RULES: Mapping[str, MethodFacts] = {**PAPER, **RIVALS}  # the methods that are trained by gradient
METHODS: Mapping[str, MethodFacts] = {**RULES, **FEATURES}


def own_fields() -> dict[str, OwnField]:
    """Return the fields of `method` that belong to single methods only, by name.

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
