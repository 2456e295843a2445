"""Each method's value, gradient and running statistics against an independent computation, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.methods import METHODS
from rfmeta_dist.methods.objective import Objective
from rfmeta_dist.models.networks import Networks
from tests import episodes, reference


def reference_of(nets: Networks) -> reference.Network:
    weights = {n: p.detach().clone().requires_grad_() for n, p in nets.named_parameters()}
    running = {n: b.clone() for n, b in nets.named_buffers()}
    return reference.Network(weights, running, {"F": 0.1, "D": 0.1, "M": 0.3})


def expected(method: str, objective: Objective, batches: list, **extra: bool):
    """The reference's value, gradient and running statistics, in our order."""
    nets = objective.nets
    net = reference_of(nets)
    value = reference.METHODS[method](
        net, batches, objective.inner_rate, objective.depth_weight, objective.meta_test_weight, **extra
    )
    value.backward()
    gradient = torch.cat(
        [(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in net.weights.values()]
    )
    running = torch.cat([net.running[n].flatten() for n, _ in nets.named_buffers()])
    return value.item(), gradient, running


def computed(objective: Objective, episode) -> dict[str, float]:
    loss, record = objective(episode, range(objective.tasks(len(episode.batches))))
    loss.backward()
    return objective.read(record)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=5, deadline=None)
@given(domains=st.integers(2, 4), size=st.sampled_from([2, 4, 6]), seed=st.integers(0, 99))
def test_value_gradient_and_statistics_match_the_reference(method, domains, size, seed):
    objective = episodes.objective(method, seed)
    episode = episodes.episode(domains, seed, size)
    value, gradient, running = expected(method, objective, list(episode.batches))
    parts = computed(objective, episode)
    assert parts["loss"] == pytest.approx(value, rel=1e-11)
    assert episodes.relative(episodes.gradient(objective.nets), gradient) < 1e-9
    assert episodes.relative(episodes.buffers(objective.nets), running) < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_gradient_matches_finite_differences(method):
    objective = episodes.objective(method)
    episode = episodes.episode(3)
    computed(objective, episode)
    nets = objective.nets
    direction = [torch.randn_like(p) for p in nets.parameters()]
    slope = sum(
        (p.grad * d).sum().item()
        for p, d in zip(nets.parameters(), direction, strict=True)
        if p.grad is not None
    )
    values = []
    step = 1e-8  # small, or some ReLU or maximum changes sides
    for sign in (1, -2):  # to θ + hd, then on to θ − hd
        with torch.no_grad():
            for p, d in zip(nets.parameters(), direction, strict=True):
                p.add_(sign * step * d)
        values.append(objective(episode, range(objective.tasks(3)))[0].item())
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-5)


def test_the_second_order_term_is_there():
    """Without it the gradient would differ by far more than the tolerance of the test against the reference."""
    objective, episode = episodes.objective("rfmeta"), episodes.episode(3)
    _, first_order, _ = expected("rfmeta", objective, list(episode.batches), first_order=True)
    computed(objective, episode)
    assert episodes.relative(episodes.gradient(objective.nets), first_order) > 1e-4


def test_a_bias_before_batch_norm_takes_no_part():
    """Its true gradient is zero; ours is exactly that, so no rounding noise reaches the optimiser."""
    objective = episodes.objective("rfmeta")
    computed(objective, episodes.episode(3))
    biases = [p for n, p in objective.nets.named_parameters() if "conv" in n and n.endswith("bias")]
    assert len(biases) == 16
    assert all(p.grad is None or not p.grad.any() for p in biases)


def test_the_adapted_forward_leaves_running_statistics_alone():
    """M sees the meta-test domain with adapted weights only, so M's statistics do not depend on it."""
    statistics = []
    for seed in (0, 1):
        objective = episodes.objective("rfmeta")
        train = episodes.episode(3).batches[:2]
        computed(objective, episodes.Episode((*train, episodes.batch(seed + 50))))
        statistics.append(torch.cat([b.flatten() for b in objective.nets.M.buffers()]))
    assert torch.equal(*statistics)
