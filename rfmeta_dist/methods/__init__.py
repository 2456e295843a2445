"""Learning rules, one a file in `rules/`, on the interface of `base/`; their facts are in config/methods.py.

To add one: write its file, subclass `Objective`, add its entry to the facts and a second computation of it to
tests/reference.py. The contract, parity and proof tests run over the facts and find it.
"""

from __future__ import annotations

from importlib import import_module

from rfmeta_dist.config import methods as facts
from rfmeta_dist.methods.base.objective import Objective


def _rule(path: str) -> type[Objective]:
    module, _, name = path.partition(":")
    rule: type[Objective] = getattr(import_module(module), name)
    return rule


METHODS: dict[str, type[Objective]] = {name: _rule(known.rule) for name, known in facts.METHODS.items()}
