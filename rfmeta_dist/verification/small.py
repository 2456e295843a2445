"""Make a small configuration for a proof, and compute the figures of its steps in float64.

Weights and images are random. Plan, method, strategy and optimiser are the same code as in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import torch
from torch import Tensor

from rfmeta_dist.config.phases import ends
from rfmeta_dist.config.schema import Config, Data, Method, Model, Run
from rfmeta_dist.config.training import EpisodeChoice, Training
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.plan import Need, plan
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.training.course import assemble, networks

KINDS = ("gradient", "parameters", "statistics", "losses")
WIDTH, RATE = 0.03, 1e-3
# At 32×32 the last layers of M have one pixel, and the bias of the batch norm before the last one cancels in
# it. Its gradient would be rounding noise, which Adam would turn into steps.
IMAGE_SIZE = 64

Figures = Mapping[str, Tensor]


def small(
    method: Method,
    training: Training,
    sources: int,
    *,
    batch: int,
    domains: int | None = None,
    model: Model | None = None,
) -> Config:
    """Make a configuration that is quick to prove: narrow networks, small images and small batches.

    Args:
        method: the learning rule.
        training: the `training` section: workers, strategy, episodes, steps and the rest.
        sources: number of source domains.
        batch: largest number of images per domain.
        domains: number of source domains in an episode; None for all.
        model: the `model` section; its width and weights are replaced.
    """
    group = -(-training.workers // min(training.workers, training.episodes))
    least = max(4, group + group % 2)  # each worker of a group needs a row of the meta-test batch
    return Config(
        run=Run(name="proof", folder="generated://"),
        data=Data(
            prefix="generated://",
            within="source-0/proof" if sources == 1 else None,
            sources=tuple(f"source-{d}" for d in range(sources)),
            target="none" if sources > 1 else None,
            image_size=IMAGE_SIZE,
            batch=min(batch, least),
        ),
        model=(model or Model()).model_copy(update={"width": WIDTH, "weights": None}),
        method=method,
        episode=EpisodeChoice(domains=domains),
        training=training,
    )


def alone(config: Config) -> Config:
    """Return the configuration of the same steps in one process, without groups, ZeRO or recomputing."""
    kept = config.training.model_dump(include={"steps", "learning_rate", "seed", "episodes", "clip", "decay"})
    single = Training.model_validate({**kept, "workers": 1, "strategy": "single"})
    return config.model_copy(update={"training": single})


def compute(config: Config, strategy: Strategy, device: torch.device) -> Figures:
    """Compute the configuration's steps, through all phases of its method. All workers must call this together.

    Returns:
        Flat tensors on the CPU: the whole `gradient` of each turn of each step; `parameters` and running
        `statistics` after the last step of each phase; `losses`, which are J, its parts and the norm of the
        gradient of each step.
    """
    gradients: list[Tensor] = []
    losses: list[float] = []
    ended: list[Networks] = []
    begun = (0, *ends(config))

    def look() -> None:
        gradients.extend(tensor for _, tensor in sorted(strategy.gradient().items()))

    for phase, steps in enumerate(pairwise(begun)):
        trainer = assemble(config, _networks(config, phase).to(device), strategy, phase)
        if ended:
            trainer.objective.begin_from(ended[-1])
        for step in range(*steps):
            losses += trainer.step(_work(config, strategy.rank, step, device), look).values()
        ended.append(trainer.objective.nets)
    return {
        "gradient": _flat(gradients),
        "parameters": _flat(tensor for nets in ended for tensor in nets.parameters()),
        "statistics": _flat(tensor for nets in ended for tensor in nets.buffers()),
        "losses": torch.tensor(losses, dtype=torch.float64),
    }


def _networks(config: Config, phase: int) -> Networks:
    """Return the networks of a phase in float64.

    They have some noise, because initial scales 1 and shifts 0 of batch norm could hide errors.
    """
    nets = networks(config, phase).double()
    with torch.no_grad():
        for name, parameter in nets.named_parameters():
            noise = generator(config.training.seed, "proof", name).standard_normal(tuple(parameter.shape))
            parameter.add_(0.05 * torch.from_numpy(noise))
    return nets


def _work(config: Config, rank: int, step: int, device: torch.device) -> Work:
    now = plan(config, rank, step)
    given = [[_batch(config, need, device) if need else None for need in needs] for needs in now.needs]
    each = zip(given, now.orders, now.numbers, now.parts, strict=True)
    return [(Episode(tuple(batches), order, number, step), part) for batches, order, number, part in each]


def _batch(config: Config, need: Need, device: torch.device) -> Batch:
    """Generate alternating attack and live samples (image and depth map) from seed, domain and index alone."""
    random = generator(config.training.seed, "proof", need.domain, need.index)
    size, side = config.data.batch, config.data.image_size
    label = torch.arange(size, dtype=torch.float64) % 2
    image = torch.from_numpy(random.random((size, 6, side, side)))
    depth = torch.from_numpy(random.random((size, 1, side // 8, side // 8))) * label[:, None, None, None]
    return Batch(image.to(device), depth.to(device), label.to(device)).rows(need.rows)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.detach().flatten().double().cpu() for t in tensors])
