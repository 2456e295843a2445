"""What a study refuses to search, because all values train the same weights, does not change the gradient."""

from dataclasses import replace
from itertools import combinations

import pytest
import torch

from rfmeta_dist.config.methods import RULES as FACTS
from rfmeta_dist.methods import METHODS, phases
from rfmeta_dist.methods.base.turns import Optimiser
from tests import episodes
from tests.methods.test_gradient import computed, turns_of

CHANGES = {"inner_learning_rate": 0.05, "inner_steps": 2, "depth_weight": 3.0, "meta_test_weight": 2.0}


def gradient(method: str, domains: int = 3, **changes: float) -> torch.Tensor:
    """The gradients of all turns of all phases, one after another."""
    found = []
    for phase, turn in turns_of(method):
        objective = episodes.objective(method, 0, False, phase, **changes)
        computed(objective, episodes.episode(domains), turn)
        found.append(episodes.gradient(objective.nets))
    return torch.cat(found)


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.parametrize("method", METHODS)
def test_a_field_has_no_effect_if_and_only_if_it_is_listed_for_the_rule(method, field):
    equal = torch.equal(gradient(method), gradient(method, **{field: CHANGES[field]}))
    assert equal == (field in FACTS[method].unused)


@pytest.mark.parametrize("method", METHODS)
def test_the_runs_learning_rate_and_its_decay_have_no_effect_if_and_only_if_they_are_listed(method):
    def rates(rate, decay):
        """The learning rates of all optimisers in the fourth step."""
        found = []
        for phase in range(len(phases(method))):
            objective = episodes.objective(method, phase=phase)
            objective.setting = replace(objective.setting, rate=rate)
            found += [(turn.optimiser or Optimiser(rate)).rate_after(3, decay) for turn in objective.turns()]
        return found

    unused = FACTS[method].unused
    assert (rates(0.1, 1.0) == rates(0.2, 1.0)) == ("training.learning_rate" in unused)
    assert (rates(0.1, 1.0) == rates(0.1, 0.5)) == ("training.decay" in unused)


def test_rules_are_equal_on_one_meta_train_domain_if_and_only_if_it_is_listed():
    listed = {frozenset((name, facts.equal_on_one_pair)) for name, facts in FACTS.items()}
    of_two, of_three = ({name: gradient(name, domains) for name in METHODS} for domains in (2, 3))
    for left, right in combinations(METHODS, 2):
        if of_two[left].shape != of_two[right].shape:
            continue
        equal = episodes.relative(of_two[left], of_two[right]) < 1e-12
        assert equal == (frozenset((left, right)) in listed)
        assert episodes.relative(of_three[left], of_three[right]) > 1e-6
