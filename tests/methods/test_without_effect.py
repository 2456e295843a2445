"""What a study refuses to search, because all values train the same weights, does not change the gradient."""

from itertools import combinations

import pytest
import torch

from rfmeta_dist.config.methods import RULES as FACTS
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
    assert equal == (field in FACTS[method].unused)


def test_rules_are_equal_on_one_meta_train_domain_if_and_only_if_it_is_listed():
    listed = {frozenset((name, facts.equal_on_one_pair)) for name, facts in FACTS.items()}
    for left, right in combinations(METHODS, 2):
        equal = episodes.relative(gradient(left, 2), gradient(right, 2)) < 1e-12
        assert equal == (frozenset((left, right)) in listed)
        assert episodes.relative(gradient(left, 3), gradient(right, 3)) > 1e-6
