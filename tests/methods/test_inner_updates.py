"""MLDG, Reptile and MetaReg where their gradient is no slope, and mistakes in them that the comparison sees."""

from __future__ import annotations

import pytest
import torch

from rfmeta_dist.methods.rules import metareg, mldg, reptile
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from tests import episodes
from tests.methods.test_gradient import (
    _along,
    _slope,
    batches_of,
    computed,
    computed_loss,
    expected,
    reference_of,
)
from tests.references.reptile import walk

MILD = {"inner_learning_rate": 1e-3}
EPISODE = episodes.episode(3)


def disagreement(method: str, phase: int = -1, **changes) -> float:
    """The relative difference of the computed gradient from the reference."""
    objective = episodes.objective(method, phase=phase, **changes)
    _, gradient, _ = expected(objective, EPISODE, phase=phase)
    computed(objective, EPISODE)
    return episodes.relative(episodes.gradient(objective.nets), gradient)


@pytest.mark.parametrize("steps", [1, 2])
def test_mldg_of_first_order_matches_the_reference(steps):
    assert disagreement("mldg", mldg_order="first", inner_steps=steps) < 1e-9


def test_mldg_of_first_order_matches_finite_differences_of_a_frozen_inner_gradient(monkeypatch):
    objective = episodes.objective("mldg", mldg_order="first", **MILD)
    computed(objective, EPISODE)
    real, frozen = mldg.adapt, {}

    def once(learner, *args, **kwargs):
        own = dict(learner.named_parameters())
        if not frozen:
            adapted = real(learner, *args, **kwargs)
            frozen.update({n: (adapted[n] - own[n]).detach() for n in own})
        return {n: own[n] + frozen[n] for n in own}

    monkeypatch.setattr(mldg, "adapt", once)
    computed_loss(objective, EPISODE)
    assert _slope(objective, EPISODE, computed_loss) == pytest.approx(_along(objective), rel=1e-5)


def test_a_missing_second_order_term_of_mldg_shows(monkeypatch):
    real = mldg.adapt
    monkeypatch.setattr(mldg, "adapt", lambda *given, **more: real(*given, **{**more, "second_order": False}))
    assert disagreement("mldg", **MILD) > 1e-4


def test_reptiles_displacement_is_the_sum_of_the_slopes_along_its_way():
    """θ − φ = α Σ_k ∇L_k(θ_{k−1}), with every θ_{k−1} as a constant."""
    objective = episodes.objective("reptile")
    computed(objective, EPISODE)
    along, alpha = _along(objective), objective.rule.inner_learning_rate
    places, _ = walk(reference_of(objective.nets), batches_of(EPISODE), alpha)
    own = {n: p.detach().clone() for n, p in objective.nets.named_parameters()}
    slopes = []
    for k, batch in enumerate(EPISODE.batches):
        objective.nets.load_state_dict({**objective.nets.state_dict(), **own, **places[k]})

        def loss(objective, _, batch=batch):
            logit = objective.nets.logits(batch.image)
            return torch.nn.functional.binary_cross_entropy_with_logits(logit, batch.label).item()

        slopes.append(_slope(objective, EPISODE, loss))
    assert alpha * sum(slopes) == pytest.approx(along, rel=1e-5)


def test_parallel_steps_of_reptile_show(monkeypatch):
    """Steps that all begin at θ, and are then averaged, are plain SGD on the joined domains."""
    real, start = reptile.forward_adapted, {}

    def from_the_start(learner, weights, image):
        start.update(start or {n: p.detach().clone() for n, p in learner.named_parameters()})
        return real(learner, {n: w - w.detach() + start[n] for n, w in weights.items()}, image)

    monkeypatch.setattr(reptile, "forward_adapted", from_the_start)
    assert disagreement("reptile", **MILD) > 1e-4


def test_the_outer_steps_of_reptile_fall_from_the_whole_way_to_none():
    """The first step goes to the mean of the episodes' φ, and step t of 10 goes 1 − t/10 of the way."""
    objective = episodes.objective("reptile", **MILD)
    run = Trainer(objective, Single(), Adam(1e-3), episodes.work_split(objective, 3, episodes=2))
    for step in range(3):
        work = episodes.work(run.work_split, 0, 3, step)
        before = reference_of(objective.nets)
        ends = [walk(before, batches_of(episode), 1e-3)[0][-1] for episode, _ in work]
        run.step(work)
        after = dict(objective.nets.named_parameters())
        for name, w in before.weights.items():
            mean = sum(end[name] for end in ends) / 2 if name in ends[0] else w
            wanted = w + (1 - step / 10) * (mean - w)
            assert torch.allclose(after[name], wanted, rtol=0, atol=1e-14), name


def test_the_second_term_of_metareg_trains_the_regulariser_alone():
    """So the gradient of all other weights is the slope of the first term."""
    objective = episodes.objective("metareg", phase=0, inner_steps=5)
    computed(objective, EPISODE)
    objective.nets.X["regulariser"].phi.grad = None
    along = _along(objective)
    slope = _slope(objective, EPISODE, lambda objective, episode: computed(objective, episode)["cls"])
    assert slope == pytest.approx(along, rel=1e-5)


def test_metaregs_regulariser_matches_finite_differences():
    objective = episodes.objective("metareg", phase=0, inner_steps=5)
    computed(objective, EPISODE)
    phi = objective.nets.X["regulariser"].phi
    values, step = [], 1e-5 * torch.randn(len(phi), generator=torch.Generator().manual_seed(3)).double()
    for sign in (1, -2):
        with torch.no_grad():
            phi.add_(sign * step)
        values.append(computed_loss(objective, EPISODE))
    assert (values[0] - values[1]) / 2 == pytest.approx((phi.grad @ step).item(), rel=1e-5)


def test_a_regulariser_that_is_missing_in_the_inner_loss_shows(monkeypatch):
    """A public reimplementation makes this mistake: φ then gets no gradient."""
    real = metareg._penalty
    monkeypatch.setattr(metareg, "_penalty", lambda phi, beta: real(phi.detach(), beta))
    assert disagreement("metareg", 0, inner_steps=5) > 1e-6


def test_the_second_phase_of_metareg_takes_over_the_regulariser_alone():
    before = episodes.objective("metareg", 1, phase=0).nets
    after, anew = (episodes.objective("metareg") for _ in range(2))
    after.begin_from(before)
    state, other = after.nets.state_dict(), before.state_dict()
    assert torch.equal(state["X.regulariser.phi"], other["X.regulariser.phi"])
    assert all(torch.equal(state[n], w) for n, w in anew.nets.state_dict().items() if not n.startswith("X."))


def test_negative_weights_of_metareg_do_not_reward_large_ones():
    objective = episodes.objective("metareg")
    phi = objective.nets.X["regulariser"].phi
    phi.fill_(-1.0)
    assert computed(objective, EPISODE)["regulariser"] == 0
    phi.fill_(2.0)
    last = objective.nets.M.fc2_1
    wanted = 3 * 2 * (last.weight.abs().sum() + last.bias.abs().sum()).item()
    assert computed(objective, EPISODE)["regulariser"] == pytest.approx(wanted, rel=1e-12)
