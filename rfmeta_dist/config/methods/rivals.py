"""Describe the learning rules that the paper compares its method with, and one of a later paper."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.methods.facts import MethodFacts

INNER = ("inner_learning_rate", "inner_steps")  # the fields of an inner update, which most of these lack

RIVALS: Mapping[str, MethodFacts] = {
    "binary_cnn": MethodFacts(
        "rfmeta_dist.methods.rules.binary_cnn:BinaryCNN",
        "domains",
        meta_test=False,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="Binary CNN",
    ),
    "auxiliary_depth": MethodFacts(
        "rfmeta_dist.methods.rules.auxiliary_depth:AuxiliaryDepth",
        "domains",
        meta_test=False,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="Auxiliary (depth only)",
    ),
}
