"""What a study refuses to search, because all values train the same weights, does not change the gradient."""

import pytest
import torch

from rfmeta_dist.config.ties import EQUAL_ON_ONE_PAIR, without_effect
from rfmeta_dist.methods import METHODS
from tests import episodes
from tests.methods.test_gradient import computed

CHANGES = {"inner_learning_rate": 0.05, "inner_steps": 2, "depth_weight": 3.0, "meta_test_weight": 2.0}


def gradient(method: str, domains: int = 3, **changes: float) -> torch.Tensor:
    objective = episodes.objective(method, 0, False, **changes)
    computed(objective, episodes.episode(domains))
    return episodes.gradient(objective.nets)


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("method", METHODS)
def test_a_field_has_no_effect_if_and_only_if_it_is_listed_for_the_rule(method, field):
    equal = torch.equal(gradient(method), gradient(method, **{field: CHANGES[field]}))
    assert equal == (f"method.{field}" in without_effect(method))


def test_rules_are_equal_on_one_meta_train_domain_and_on_no_more():
    left, right = EQUAL_ON_ONE_PAIR
    assert episodes.relative(gradient(left, 2), gradient(right, 2)) < 1e-12
    assert episodes.relative(gradient(left, 3), gradient(right, 3)) > 1e-3
    for other in METHODS.keys() - {left, right}:
        assert episodes.relative(gradient(left, 2), gradient(other, 2)) > 1e-6
