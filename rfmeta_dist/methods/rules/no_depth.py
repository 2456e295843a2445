"""Define RFMeta without depth regularisation, an ablation of the paper (its Figure 5)."""

from __future__ import annotations

from rfmeta_dist.methods.base.pairs import Pairs


class NoDepth(Pairs):
    """RFMeta with λ = 0. D is never run and keeps its initial weights."""

    PARTS = ("cls_meta_train", "cls_meta_test")
    DEPTH = False
