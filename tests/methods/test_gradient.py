"""Each method's value, gradient and running statistics equal an independent computation, in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.methods import RULES as FACTS
from rfmeta_dist.core.types import Episode
from rfmeta_dist.methods import METHODS, phases
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models.networks import Networks
from tests import episodes, reference, references


def turns_of(method: str) -> list[tuple[int, int]]:
    """Each phase of a method and each of its turns."""
    objectives = [episodes.objective(method, phase=phase) for phase in range(len(phases(method)))]
    return [(phase, turn) for phase, one in enumerate(objectives) for turn in range(len(one.turns()))]


KINDS = [
    *((name, {}) for name in METHODS),
    *(
        (name, {"inner_steps": 3, "inner_learning_rate": 0.03})
        for name, facts in FACTS.items()
        if facts.meta_test
    ),
    ("aggregate", {"aggregation": "sum"}),
    ("aggregate", {"aggregation_batch_norm": "joint"}),
    ("aggregate", {"aggregation_batch_norm": "joint", "aggregation": "sum", "inner_steps": 2}),
]
# Each with the phase and the turn whose gradient is compared.
TURNS = [(method, changes, *at) for method, changes in KINDS for at in turns_of(method)]
# What a rule differentiates may hold constants that depend on θ. Then it is not the slope of its value.
SLOPES = [kind for kind in TURNS if references.key(kind[0], *kind[2:]) not in references.SURROGATES]


def reference_of(nets: Networks) -> reference.Network:
    weights = {n: p.detach().clone().requires_grad_() for n, p in nets.named_parameters()}
    running = {n: b.clone() for n, b in nets.named_buffers()}
    return reference.Network(weights, running, {"F": 0.1, "D": 0.1, "M": 0.3})


def expected(objective: Objective, episode: Episode, method: str | None = None, phase: int = -1, turn: int = 0):
    """The reference's value, gradient and running statistics, in our order."""
    nets, rule = objective.nets, objective.rule
    net = reference_of(nets)
    settings = {
        "alpha": rule.inner_learning_rate,
        "lam": rule.depth_weight,
        "mu": rule.meta_test_weight,
        "steps": rule.inner_steps,
        "sum": rule.aggregation == "sum",
        "joint": rule.aggregation_batch_norm == "joint",
        **{name: getattr(rule, name) for name in rule.facts.fields},
        "domains": episode.domains,
        "step": episode.step,
        "draw": lambda *names: objective.random(episode, *names),
        "setting": objective.setting,
    }
    value = references.METHODS[references.key(method or rule.name, phase, turn)](
        net, batches_of(episode), settings
    )
    value.backward()
    gradient = torch.cat(
        [(torch.zeros_like(w) if w.grad is None else w.grad).flatten() for w in net.weights.values()]
    )
    running = torch.cat([net.running[n].flatten() for n, _ in nets.named_buffers()])
    return value.item(), gradient, running


def batches_of(episode: Episode) -> list:
    return list(episode.batches)


def computed(objective: Objective, episode: Episode, turn: int = 0) -> dict[str, float]:
    domains, size = len(episode.batches), len(episode.batches[0].label)
    ((_, part),) = episodes.work(episodes.work_split(objective, domains, size), 0, domains)
    loss, record = objective([(episode, part)], 1, turn)
    loss.backward()
    objective.fold(record, turn)
    return {name: float(value) for name, value in objective.losses(record, turn).items()}


@pytest.mark.parametrize(("method", "changes", "phase", "turn"), TURNS)
@settings(max_examples=4, deadline=None)
@given(
    domains=st.integers(2, 4),
    size=st.sampled_from([4, 6, 8]),
    seed=st.integers(0, 99),
    checkpointing=st.booleans(),
)
def test_value_gradient_and_statistics_match_the_reference(
    method, changes, phase, turn, domains, size, seed, checkpointing
):
    objective = episodes.objective(method, seed, checkpointing, phase, **changes)
    episode = episodes.episode(domains, seed, size)
    value, gradient, running = expected(objective, episode, phase=phase, turn=turn)
    parts = computed(objective, episode, turn)
    assert parts["loss"] == pytest.approx(value, rel=1e-9)
    assert episodes.relative(episodes.gradient(objective.nets), gradient) < 1e-9
    assert episodes.relative(episodes.buffers(objective.nets), running) < 1e-12


@pytest.mark.parametrize(("method", "changes", "phase", "turn"), SLOPES)
def test_gradient_matches_finite_differences(method, changes, phase, turn):
    objective = episodes.objective(method, phase=phase, **changes)
    episode = episodes.episode(3)
    computed(objective, episode, turn)
    slope = _slope(objective, episode, lambda *given: computed_loss(*given, turn))
    assert slope == pytest.approx(_along(objective), rel=1e-5)


def test_the_first_order_gradient_matches_finite_differences_of_a_frozen_inner_gradient():
    """The first-order gradient is that of a function in which the inner gradients are constants, taken at θ."""
    objective = episodes.objective("first_order")
    episode = episodes.episode(3)
    computed(objective, episode)
    from rfmeta_dist.methods.base import pairs

    real, frozen = pairs.adapt, []

    def once(learner, *args, **kwargs):
        own = dict(learner.named_parameters())
        if len(frozen) < 2:
            adapted = real(learner, *args, **kwargs)
            frozen.append({n: (adapted[n] - own[n]).detach() for n in own})
            return adapted
        step = frozen[once.calls % 2]
        once.calls += 1
        return {n: own[n] + step[n] for n in own}

    once.calls = 0
    pairs.adapt = once
    try:
        computed_loss(objective, episode)
        slope = _slope(objective, episode, computed_loss)
    finally:
        pairs.adapt = real
    assert slope == pytest.approx(_along(objective), rel=1e-5)


def computed_loss(objective: Objective, episode: Episode, turn: int = 0) -> float:
    domains, size = len(episode.batches), len(episode.batches[0].label)
    ((_, part),) = episodes.work(episodes.work_split(objective, domains, size), 0, domains)
    return objective([(episode, part)], 1, turn)[0].item()


def _direction(nets: Networks) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in nets.parameters()]


def _along(objective: Objective) -> float:
    """Return the computed gradient along the direction."""
    nets = objective.nets
    pairs = zip(nets.parameters(), _direction(nets), strict=True)
    return sum((p.grad * d).sum().item() for p, d in pairs if p.grad is not None)


def _slope(objective: Objective, episode, value) -> float:
    """Return the central difference along the same direction."""
    nets, values = objective.nets, []
    step = 1e-8  # small, or some ReLU or maximum changes sides
    for sign in (1, -2):  # to θ + hd, then on to θ − hd
        with torch.no_grad():
            for p, d in zip(nets.parameters(), _direction(nets), strict=True):
                p.add_(sign * step * d)
        values.append(value(objective, episode))
    return (values[0] - values[1]) / (2 * step)


def test_the_second_order_term_is_there():
    """Without it the gradient would differ by far more than the tolerance of the test against the reference."""
    objective, episode = episodes.objective("rfmeta"), episodes.episode(3)
    _, first_order, _ = expected(objective, episode, "first_order")
    computed(objective, episode)
    assert episodes.relative(episodes.gradient(objective.nets), first_order) > 1e-4


def test_a_bias_before_batch_norm_takes_no_part():
    """The exact gradient is zero. The computed one is exactly zero too, so no rounding noise reaches Adam."""
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


def test_without_depth_the_estimator_is_left_alone():
    objective = episodes.objective("no_depth")
    before = torch.cat([b.flatten() for b in objective.nets.D.buffers()])
    computed(objective, episodes.episode(3))
    assert all(p.grad is None for p in objective.nets.D.parameters())
    assert torch.equal(before, torch.cat([b.flatten() for b in objective.nets.D.buffers()]))
