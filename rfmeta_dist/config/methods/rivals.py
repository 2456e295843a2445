"""Describe the learning rules that the paper compares its method with, and one of a later paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from rfmeta_dist.config.methods.facts import FIRST_PHASE, OWN_STEPS, MethodFacts

INNER = ("inner_learning_rate", "inner_steps")  # the fields of an inner update, which most of these lack
FIRST_PHASE_FIELD = (
    float,
    Field(0.5, gt=0, lt=1, description="share of training.steps in the first of the method's two phases"),
)

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
    "mldg": MethodFacts(
        "rfmeta_dist.methods.rules.mldg:MLDG",
        "one",
        adapts="all",
        fields={
            "mldg_order": (
                Literal["second", "first"],
                Field(
                    "second", description="differentiate through the inner gradient, or take it as a constant"
                ),
            )
        },
        unused=("depth_weight",),
        title="MLDG",
    ),
    "reptile": MethodFacts(
        "rfmeta_dist.methods.rules.reptile:Reptile",
        "one",
        meta_test=False,
        refuses=OWN_STEPS,
        unused=("inner_steps", "depth_weight", "meta_test_weight"),
        title="Reptile",
        preset={"method.inner_learning_rate": 0.03},  # of plain SGD, which Adam's 1e-3 does not suit
    ),
    "metareg": MethodFacts(
        "rfmeta_dist.methods.rules.metareg:MetaReg",
        "domains",
        meta_test=False,
        fields={FIRST_PHASE: FIRST_PHASE_FIELD},
        unused=("depth_weight", "meta_test_weight"),
        title="MetaReg",
        phases=("regulariser", "training"),
        preset={"method.inner_steps": 5},
    ),
}
