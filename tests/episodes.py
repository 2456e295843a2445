"""Make small random networks and episodes in float64."""

import numpy as np
import torch

from rfmeta_dist.config.methods import RULES as METHOD_FACTS
from rfmeta_dist.config.methods import own_fields
from rfmeta_dist.config.schema import Method, Model
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkSplit, parts_of
from rfmeta_dist.methods import phases
from rfmeta_dist.methods.base.objective import Objective, Work
from rfmeta_dist.methods.base.turns import Setting
from rfmeta_dist.models.networks import Networks

SIZE = 32
WEIGHTS = {"inner_learning_rate": 0.1, "depth_weight": 10.0, "meta_test_weight": 0.7}


def networks(seed: int = 0, width: float = 0.05, momentum: float = 0.3, **options) -> Networks:
    """Make narrow networks, perturbed so that no batch norm is the identity."""
    nets = Networks(width, momentum, **options).initialise(seed).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in nets.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(0.05 * noise)
    return nets


def owned(method: dict) -> dict:
    """Return the settings of a method without the fields that belong to other methods only."""
    foreign = own_fields().keys() - METHOD_FACTS[method["name"]].fields.keys()
    return {name: value for name, value in method.items() if name not in foreign}


def objective(method: str, seed: int = 0, checkpointing: bool = False, phase: int = -1, **changes) -> Objective:
    """Make the objective of a method's phase, by default its last one, for up to five source domains."""
    rule, kind = Method(**owned({"name": method, **WEIGHTS, **changes})), phases(method)[phase]
    setting = Setting(domains=5, steps=10, seed=seed)
    extra = kind.extra_modules(Model(width=0.05), rule, setting)
    nets = networks(seed, checkpointing=checkpointing, second_order=rule.facts.second_order, extra=extra)
    return kind(nets, rule, setting=setting)


def work_split(
    objective: Objective, domains: int, size: int = 4, world: int = 1, episodes: int = 1, **more
) -> WorkSplit:
    facts = objective.facts
    cost, tasks, tested = len(facts.needs(0, domains)), facts.count(domains), facts.meta_test
    return WorkSplit(world, episodes, tasks, size, cost=cost, tested=tested, **more)


def work(work_split: WorkSplit, rank: int, domains: int, seed: int = 0) -> Work:
    """Return a worker's parts of a step with their episodes; batches that it does not need are None."""
    result = []
    for part in parts_of(rank, work_split):
        number = work_split.episodes * seed + part.episode
        whole = episode(domains, number, work_split.batch)
        *train, test = whole.batches
        given = (*train, test.rows(part.rows) if work_split.tested else test)
        result.append((Episode(given, whole.domains, number, step=seed), part))
    return result


def batch(seed: int, size: int = 4) -> Batch:
    rng = np.random.default_rng(seed)
    label = (np.arange(size) % 2).astype(np.float64)
    depth = rng.random((size, 1, SIZE // 8, SIZE // 8)) * label[:, None, None, None]
    image = rng.random((size, 6, SIZE, SIZE))
    return Batch(*(torch.from_numpy(a) for a in (image, depth, label)))


def episode(domains: int, seed: int = 0, size: int = 4) -> Episode:
    return Episode(tuple(batch(1000 * seed + d, size) for d in range(domains)), tuple(range(domains)), seed)


def gradient(nets: Networks) -> torch.Tensor:
    """Return all gradients as one vector, with zeros for parameters without a gradient."""
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in nets.parameters()]
    return torch.cat([part.flatten() for part in parts])


def buffers(nets: Networks) -> torch.Tensor:
    return torch.cat([b.flatten() for b in nets.buffers()])


def parameters(nets: Networks) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in nets.parameters()])


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())
