"""Define the learning rules: one file for each in `rules/`; interface in `base/`, facts in config/methods/.

To add a rule: write its file with a subclass of `Objective`, add its entry to config/methods/, and add a
second, independent computation of the rule to tests/references/. The contract, parity and proof tests run over
all entries, so they test the new rule too.
"""

from __future__ import annotations

from importlib import import_module

from rfmeta_dist.config import methods as facts
from rfmeta_dist.methods.base.objective import Objective


def _rule(path: str) -> type[Objective]:
    module, _, name = path.partition(":")
    rule: type[Objective] = getattr(import_module(module), name)
    return rule


METHODS: dict[str, type[Objective]] = {name: _rule(known.rule) for name, known in facts.RULES.items()}


def phases(name: str) -> tuple[type[Objective], ...]:
    """Return the rules of a method's phases, in order; the last one is the method's own."""
    rule = METHODS[name]
    return (*rule.EARLIER, rule)
