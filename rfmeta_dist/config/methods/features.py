"""Describe the methods of hand-made features and a classifier that the paper compares its method with."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from rfmeta_dist.config.methods.facts import MethodFacts

# A linear machine is solved on the products of all pairs of frames: 30,000² numbers with three sources.
FITTED_FRAMES = (
    int,
    Field(
        1000,
        ge=8,
        le=5_000,
        description="largest number of frames of each class of each source domain that the classifier is "
        "fitted to, spread over the videos; all domains and classes give equally many",
    ),
)
_EXACT = (
    int,
    Field(
        6000,
        ge=16,
        le=20_000,
        description="largest number of frames for which the kernel of the classifier is exact; for more, it is "
        "approximated with 1000 landmarks (Nyström)",
    ),
)
_UNUSED = ("inner_learning_rate", "inner_steps", "depth_weight", "meta_test_weight", "schedule")

FEATURES: Mapping[str, MethodFacts] = {
    "ms_lbp": MethodFacts(
        "rfmeta_dist.texture.lbp:MultiscaleLbp",
        "domains",
        meta_test=False,
        kind="features",
        title="MS LBP",
        fields={"fitted_frames": FITTED_FRAMES, "exact_frames": _EXACT},
        unused=_UNUSED,
    ),
    "ida": MethodFacts(
        "rfmeta_dist.texture.distortion:Distortion",
        "domains",
        meta_test=False,
        kind="features",
        title="IDA",
        fields={"fitted_frames": FITTED_FRAMES, "exact_frames": _EXACT},
        unused=_UNUSED,
    ),
    "color_texture": MethodFacts(
        "rfmeta_dist.texture.colour:ColourTexture",
        "domains",
        meta_test=False,
        kind="features",
        title="Color Texture",
        fields={
            "fitted_frames": FITTED_FRAMES,
            "lbp_only": (
                bool,
                Field(
                    False,
                    description="compute 354 features instead of 19,968, of local binary patterns alone; for "
                    "quick trials, it is not the method of the paper",
                ),
            ),
        },
        unused=_UNUSED,
    ),
}
