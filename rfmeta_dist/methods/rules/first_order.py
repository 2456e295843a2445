"""RFMeta with a first-order inner update (the paper's Table 3, "first-order")."""

from __future__ import annotations

from rfmeta_dist.methods.base.pairs import Pairs


class FirstOrder(Pairs):
    """The inner gradient is a constant: θM_i' depends on θM, and on θF not at all."""

    SECOND_ORDER = False
