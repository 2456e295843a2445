"""Describe the paper's method and its ablations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from rfmeta_dist.config.methods.facts import MethodFacts

PAPER: Mapping[str, MethodFacts] = {
    "rfmeta": MethodFacts("rfmeta_dist.methods.rules.rfmeta:RFMeta", "pairs", title="RFMeta"),
    "first_order": MethodFacts(
        "rfmeta_dist.methods.rules.first_order:FirstOrder", "pairs", title="RFMeta, first-order"
    ),
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
        title="RFMeta, aggregated",
    ),
    "no_meta": MethodFacts(
        "rfmeta_dist.methods.rules.no_meta:NoMeta",
        "domains",
        meta_test=False,
        unused=("inner_learning_rate", "inner_steps", "meta_test_weight"),
        title="RFMeta without meta-learning",
    ),
    "no_depth": MethodFacts(
        "rfmeta_dist.methods.rules.no_depth:NoDepth",
        "pairs",
        unused=("depth_weight",),
        title="RFMeta without depth",
    ),
}
