"""Rules with adversaries: slopes of turns that hold constants, single terms, phases, and mistakes that show."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import pytest
import torch

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.types import Episode
from rfmeta_dist.methods import phases
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.methods.base.turns import Setting
from rfmeta_dist.methods.rules import maddg, mmd_aae, ssdg
from rfmeta_dist.models.build import build
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from tests import episodes
from tests.methods.test_gradient import computed, expected
from tests.reference import Network
from tests.references.maddg import judged
from tests.references.ssdg import triplets

STEP = 1e-8


def slope(objective: Objective, episode: Episode, turn: int, chosen: tuple[str, ...], value) -> float:
    """The central difference of a value along a direction in some parameters, relative to the gradient."""
    named = [(n, p) for n, p in objective.nets.named_parameters() if n.startswith(chosen)]
    generator = torch.Generator().manual_seed(7)
    way = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for _, p in named]
    objective.zero_grad()
    computed(objective, episode, turn)
    along = sum(float((p.grad * d).sum()) for (_, p), d in zip(named, way, strict=True) if p.grad is not None)
    values = []
    for sign in (1, -2):
        with torch.no_grad():
            for (_, p), d in zip(named, way, strict=True):
                p.add_(sign * STEP * d)
        values.append(value(computed(objective, episode, turn)))
    return ((values[0] - values[1]) / (2 * STEP)) / along - 1


@pytest.mark.parametrize(
    ("method", "turn", "trained"), [("mmd_aae", 0, "X.critic."), ("maddg", 2, "X.critic_")]
)
def test_the_gradient_of_critics_is_a_slope_while_features_are_constant(method, turn, trained):
    objective, episode = episodes.objective(method), episodes.episode(3)
    assert objective.turns()[turn].optimiser.trains == (trained,)
    assert abs(slope(objective, episode, turn, (trained,), lambda parts: parts["loss"])) < 1e-5
    others = [p.grad for n, p in objective.nets.named_parameters() if not n.startswith(trained)]
    assert not any(g is not None and g.any() for g in others)


def test_the_classifier_of_domains_follows_its_loss_and_the_features_flee_it():
    objective, episode = episodes.objective("ssdg"), episodes.episode(3)
    weight, c = objective.rule.adversarial_weight, ssdg.reversal(0, 10)
    assert abs(slope(objective, episode, 0, ("X.",), lambda parts: parts["loss"])) < 1e-5

    def reversed_loss(parts: dict[str, float]) -> float:
        return parts["loss"] - (1 + c) * weight * parts["domain"]

    assert abs(slope(objective, episode, 0, ("F.", "M."), reversed_loss)) < 1e-5


def test_the_reversal_rises_from_nearly_0_to_nearly_1():
    assert [round(ssdg.reversal(step, 1000), 3) for step in (0, 99, 499, 999)] == [0.005, 0.462, 0.987, 1.0]


def test_the_live_faces_of_all_domains_are_one_class_and_attacks_are_not():
    """By hand: all samples in a corner of a triangle of sides 1, so each distance is 0 or 1."""
    side = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)
    label = torch.tensor([[1.0, 0.0, 0.0]] * 2, dtype=torch.float64)
    right = torch.stack([side[[0, 1, 1]], side[[0, 2, 2]]])
    assert ssdg.active_triplets(right, label).item() == 0
    one_class = torch.stack([side[[0, 1, 1]], side[[0, 1, 1]]])
    # Attacks of the two domains lie together, so their triplets lack the margin of 0.1, and no others do.
    assert ssdg.active_triplets(one_class, label).item() == pytest.approx(0.1, abs=1e-5)
    assert float(triplets(list(one_class), list(label))) == pytest.approx(0.1, abs=1e-5)


@pytest.mark.parametrize("term", [ssdg.active_triplets, maddg.triplets])
def test_equal_samples_give_a_finite_gradient(term):
    h = torch.ones(2, 4, 3, dtype=torch.float64, requires_grad=True)
    term(h, torch.tensor([[1.0, 1, 0, 0]] * 2)).backward()
    assert h.grad.isfinite().all()


def test_the_discrepancy_is_0_for_equal_domains_and_does_not_depend_on_the_scale():
    generator = torch.Generator().manual_seed(0)
    h = torch.rand(3, 8, 5, generator=generator, dtype=torch.float64)
    assert mmd_aae.discrepancy(h[:1].expand(3, -1, -1)).item() == pytest.approx(0, abs=1e-12)
    apart = h + torch.arange(3)[:, None, None]
    assert mmd_aae.discrepancy(apart).item() > 0.5
    assert mmd_aae.discrepancy(7 * apart).item() == pytest.approx(mmd_aae.discrepancy(apart).item(), rel=1e-9)
    assert mmd_aae.discrepancy(h[:1]).item() == 0  # one source


@pytest.mark.parametrize(("side", "judgements"), [(4, 3), (8, 3), (12, 2), (28, 2), (32, 3)])
def test_critics_take_deep_features_of_all_sizes(side, judgements):
    critic = maddg.Critic(0.03).double()
    deep = torch.randn(4, 4, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = {f"X.critic_0.{n}": p for n, p in critic.named_parameters()}
    found = critic(deep)
    assert found.shape == (4, 1, judgements, judgements)
    assert episodes.relative(found.detach(), judged(Network(weights, {}, {}), 0, deep).detach()) < 1e-12


def moved(objective: Objective) -> list[set[str]]:
    """The networks that each turn of a step changes."""
    split, seen = episodes.work_split(objective, 2), []

    def look() -> None:
        seen.append({n: p.detach().clone() for n, p in objective.nets.named_parameters()})

    Trainer(objective, Single(), Adam(1e-3), split).step(episodes.work(split, 0, 2), look)
    look()
    return [
        {
            n.split(".")[1 if n.startswith("X.") else 0]
            for n, p in before.items()
            if not torch.equal(p, after[n])
        }
        for before, after in pairwise(seen)
    ]


CRITICS = {"critic_0", "critic_1"}
MOVED = {
    ("ssdg", 0): [{"F", "M", "discriminator"}],
    ("mmd_aae", 0): [{"critic"}, {"F", "M", "decoder"}],
    ("maddg", 0): [{"extractor_0", "extractor_1", "depth_0", "depth_1"}],
    ("maddg", 1): [{"F", "D"}, {"F", "M"}, CRITICS],
}


def small(method: str, phase: int, backbone: str = "paper") -> Objective:
    """A method's objective for two sources, with narrow networks."""
    model, rule = Model(backbone=backbone, width=0.03), episodes.objective(method, phase=phase).rule
    kind, setting = phases(method)[phase], Setting(domains=2, steps=2)
    nets = build(model, extra=kind.extra_modules(model, rule, setting)).initialise(0).double()
    return kind(nets, rule, setting=setting)


@pytest.mark.parametrize(("method", "phase"), MOVED)
def test_each_turn_updates_what_it_shall(method, phase):
    assert moved(small(method, phase)) == MOVED[method, phase]


def test_critics_that_are_updated_with_the_features_are_noticed():
    objective = small("maddg", 1)
    depth, shared, critics = objective.turns()
    wrong = replace(shared, optimiser=replace(shared.optimiser, trains=("F.", "M.", "X.critic_")))
    with patch.object(maddg.MADDG, "turns", lambda _: (depth, wrong, critics)):
        assert moved(objective) != MOVED["maddg", 1]


@pytest.mark.parametrize("backbone", ["paper", "vit_micro", "convnext_micro"])
def test_extractors_of_the_first_phase_go_on_to_the_second_one_and_stay_as_they_are(backbone):
    first, last = (small("maddg", phase, backbone) for phase in (0, 1))
    assert moved(first) == MOVED["maddg", 0]
    last.begin_from(first.nets)
    assert moved(last) == MOVED["maddg", 1]
    for k in range(2):
        states = [objective.nets.X[f"extractor_{k}"].state_dict() for objective in (first, last)]
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_sources_that_an_episode_lacks_are_updated_too():
    """A resumed run takes the number of updates of each parameter from the number of steps."""
    for phase, turn in ((0, 0), (1, 2)):
        objective = episodes.objective("maddg", phase=phase)
        computed(objective, episodes.episode(2), turn)
        some = "extractor_4.conv1_1" if phase == 0 else "critic_4.last"
        assert objective.nets.get_parameter(f"X.{some}.weight").grad is not None


def _straight(ctx, gradient):
    return gradient, None


MISTAKES = {
    "the gradient is not reversed": ("ssdg", 0, ssdg._Reversal, "backward", staticmethod(_straight)),
    "the prior is not drawn for each domain": (
        "mmd_aae",
        0,
        Objective,
        "random",
        lambda *_: torch.Generator().manual_seed(0),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_shows_in_the_comparison_with_the_reference(name):
    method, turn, where, attribute, mistake = MISTAKES[name]
    objective, episode = episodes.objective(method), episodes.episode(3)
    _, gradient, _ = expected(objective, episode, phase=len(phases(method)) - 1, turn=turn)
    computed(objective, episode, turn)
    assert episodes.relative(episodes.gradient(objective.nets), gradient) < 1e-9
    objective.zero_grad()
    with patch.object(where, attribute, mistake):
        computed(objective, episode, turn)
    assert episodes.relative(episodes.gradient(objective.nets), gradient) > 1e-3
