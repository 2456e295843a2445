"""Define RFMeta with a first-order inner update ("first-order" in the paper's Table 3)."""

from __future__ import annotations

from rfmeta_dist.methods.base.pairs import Pairs


class FirstOrder(Pairs):
    """RFMeta with the inner gradient as a constant, so that θM_i' depends on θM but not on θF."""

    SECOND_ORDER = False
