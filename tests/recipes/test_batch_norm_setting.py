"""`model.batch_norm` changes running statistics, which are replaced before a model is judged."""

from __future__ import annotations

import pytest
import torch

from rfmeta_dist.config.load import check
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.recipes.api import Context
from rfmeta_dist.recipes.gradient import GradientDetector, GradientRecipe
from tests.stored import SHARDS


def trained(method: str, batch_norm: str) -> GradientDetector:
    data = {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "image_size": 32, "batch": 4, "cache_gb": 0}
    model = {"width": 0.05, "batch_norm": batch_norm}
    training = {"steps": 3, "workers": 1, "strategy": "single"}
    tree = {
        "run": {"name": "r"},
        "data": data,
        "model": model,
        "method": {"name": method},
        "training": training,
    }
    config = check(tree, "test")
    return GradientRecipe().fit(Sources.of(config), Context.of(config))


@pytest.mark.parametrize("method", ["rfmeta", "mldg", "ssdg"])
def test_a_model_has_the_same_bits_with_both_values(method: str):
    stable, paper = (trained(method, value).nets for value in ("stable", "paper"))
    scored = [name for name in stable.state_dict() if name.startswith(("F.", "M."))]
    different = [
        name for name in scored if not torch.equal(stable.state_dict()[name], paper.state_dict()[name])
    ]
    assert different == []
