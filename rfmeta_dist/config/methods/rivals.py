"""Describe the learning rules that the paper compares its method with, and one of a later paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from rfmeta_dist.config.methods.facts import FIRST_PHASE, OWN_STEPS, MethodFacts, OwnField
from rfmeta_dist.config.methods.features import FITTED_FRAMES

INNER = ("inner_learning_rate", "inner_steps")  # the fields of an inner update, which most of these lack
FIRST_PHASE_FIELD = (
    float,
    Field(0.5, gt=0, lt=1, description="share of training.steps in the first of the method's two phases"),
)


def _weight(default: float, what: str) -> OwnField:
    return float, Field(default, ge=0, le=1e4, description=f"weight of {what}")


RIVALS: Mapping[str, MethodFacts] = {
    "binary_cnn": MethodFacts(
        "rfmeta_dist.methods.rules.binary_cnn:BinaryCNN",
        "domains",
        meta_test=False,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="Binary CNN",
    ),
    "alexnet_svm": MethodFacts(
        "rfmeta_dist.methods.rules.alexnet_svm:AlexNetSVM",
        "domains",
        meta_test=False,
        fields={"fitted_frames": FITTED_FRAMES},
        refuses=OWN_STEPS,
        unused=(
            *INNER,
            "depth_weight",
            "meta_test_weight",
            "model.backbone",
            "model.batch_norm",
            "model.weights",
            "evaluation.recalibration_batches",
        ),
        title="Binary CNN (AlexNet, SVM)",
    ),
    "auxiliary_depth": MethodFacts(
        "rfmeta_dist.methods.rules.auxiliary_depth:AuxiliaryDepth",
        "domains",
        meta_test=False,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="Auxiliary (depth only)",
    ),
    "mmd_aae": MethodFacts(
        "rfmeta_dist.methods.rules.mmd_aae:MMDAAE",
        "domains",
        meta_test=False,
        fields={
            "reconstruction_weight": _weight(1.0, "the decoder's mean squared error"),
            "mmd_weight": _weight(1.0, "the differences between the features of domains"),
            "prior_weight": _weight(1.0, "the features' difference from their prior, which a critic judges"),
        },
        refuses=OWN_STEPS,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="MMD-AAE",
        turns=2,
        preset={"training.learning_rate": 1e-4},
    ),
    "ssdg": MethodFacts(
        "rfmeta_dist.methods.rules.ssdg:SSDG",
        "domains",
        meta_test=False,
        fields={
            "adversarial_weight": _weight(0.5, "the loss of the classifier of domains"),
            "triplet_weight": _weight(1.0, "the triplet loss"),
        },
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="SSDG",
    ),
    "maddg": MethodFacts(
        "rfmeta_dist.methods.rules.maddg:MADDG",
        "domains",
        meta_test=False,
        fields={
            FIRST_PHASE: FIRST_PHASE_FIELD,
            "adversarial_learning_rate": (
                float,
                Field(1e-5, gt=0, le=1, description="learning rate of the shared features against the critics"),
            ),
        },
        refuses=OWN_STEPS,
        unused=(*INNER, "depth_weight", "meta_test_weight"),
        title="MADDG",
        phases=("extractors", "shared"),
        turns=3,
        preset={"training.learning_rate": 1e-4},
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
        unused=(
            "inner_steps",
            "depth_weight",
            "meta_test_weight",
            "training.learning_rate",
            "training.decay",
        ),
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
