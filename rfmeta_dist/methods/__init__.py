"""Learning rules, one a file; this dict is the registry.

To add one: write its file, subclass `Objective`, add a line here. The contract tests pick it up by themselves.
"""

from rfmeta_dist.methods.aggregate import Aggregate
from rfmeta_dist.methods.first_order import FirstOrder
from rfmeta_dist.methods.no_depth import NoDepth
from rfmeta_dist.methods.no_meta import NoMeta
from rfmeta_dist.methods.objective import Objective
from rfmeta_dist.methods.rfmeta import RFMeta

METHODS: dict[str, type[Objective]] = {
    "rfmeta": RFMeta,
    "first_order": FirstOrder,
    "aggregate": Aggregate,
    "no_meta": NoMeta,
    "no_depth": NoDepth,
}
