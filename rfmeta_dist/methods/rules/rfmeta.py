"""Define regularized fine-grained meta-learning (Shao, Lan, Yuen, AAAI 2020, Algorithm 1)."""

from __future__ import annotations

from rfmeta_dist.methods.base.pairs import Pairs


class RFMeta(Pairs):
    """The paper's method: one inner update for each pair, differentiated through the update, with depth."""
