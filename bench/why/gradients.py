"""Measure how far the inner update turns the gradient, and compare with other things that turn it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from bench.study.design import ALPHAS, DOMAINS, Cell, Question, Settings, configuration
from bench.study.trial import networks_of
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.episode.plan import plan, work_split
from rfmeta_dist.methods import METHODS
from rfmeta_dist.models.build import start
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_batch

CPU = torch.device("cpu")
RATES = (*ALPHAS, 1.0)  # the last rate is larger than those that the study tries
EPISODES = 4  # number of episodes of each target for which gradients are computed


def gradients(folder: Path, rho: float, settings: Settings) -> list[dict[str, Any]]:
    """Return means over targets and episodes, at the initial weights and at those of the trained `no_meta`.

    The result is cached in a file below `why/`, because it takes minutes.

    Args:
        folder: folder of the study.
        rho: rho of its data.
        settings: settings of its trainings.

    Returns:
        Rows with `weights` and with what `turns` yields.
    """
    kept = folder / "why" / f"gradients-{rho:g}.json"
    if kept.is_file():
        known: list[dict[str, Any]] = json.loads(kept.read_text())
        return known
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for target in DOMAINS:
        config = configuration(Cell(Question(rho, "rfmeta", target, 0), 0.0), settings, folder)
        trained = folder / "runs" / Cell(Question(rho, "no_meta", target, 0), None).name
        for when, nets in (
            ("start", start(config.model, 0, checkpointing=False)),
            ("trained", networks_of(trained)),
        ):
            for turned in turns(nets, config, episodes(config)):
                for what, pair in turned.items():
                    found.setdefault((when, what), []).append(pair)
    rows = []
    for (when, what), pairs in found.items():
        change, cosine = np.mean(pairs, axis=0).tolist()
        rows.append({"weights": when, "what": what, "change": change, "cosine": cosine})
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(rows, indent=1))
    return rows


def turns(
    nets: Networks, config: Config, given: Iterable[Episode]
) -> Iterator[Mapping[str, tuple[float, float]]]:
    """Yield for each episode ‖g − g₀‖ / ‖g₀‖ and the cosine of g and g₀, by what distinguishes g from g₀.

    g₀ is the gradient of J with respect to F, M and D at α = 0, where nothing adapts, in float64. The gradients
    g are in float64 too, except those named by their precision. "Second order alone" is g₀ plus what `rfmeta`
    has more than `first_order`.
    """
    exact, last = copy.deepcopy(nets).double(), None
    for episode in given:
        exactly = Episode(tuple(_double(b) if b else None for b in episode.batches))
        base = gradient(exact, config, exactly)
        others = {
            "another batch": last,
            "fp32": gradient(nets, config, episode),
            "bf16": gradient(nets, config, episode, bf16=True),
        }
        for rate in RATES:
            second = gradient(exact, config, exactly, rate=rate)
            first = gradient(exact, config, exactly, rate=rate, name="first_order")
            others[f"α = {rate:g}"] = second
            others[f"α = {rate:g}, second order alone"] = base + second - first
        yield {what: _compare(base, other) for what, other in others.items() if other is not None}
        last = base


def episodes(config: Config) -> Iterator[Episode]:
    """Yield the first episodes of a run."""
    sources = Sources.of(config)
    source = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
    for step in range(EPISODES):
        needs = plan(config, 0, step).needs[0]
        yield Episode(tuple(to_batch(source.batch(need), CPU) if need else None for need in needs))


def gradient(
    nets: Networks,
    config: Config,
    episode: Episode,
    *,
    rate: float = 0.0,
    name: str = "rfmeta",
    bf16: bool = False,
) -> Tensor:
    """Return the gradient of J for F, M and D as one float64 vector. The networks are not changed."""
    nets.train()
    rule = config.method.model_copy(update={"name": name, "inner_learning_rate": rate})
    objective = METHODS[name](nets, rule, bf16=bf16)
    loss, _ = objective([(episode, part) for part in plan(config, 0, 0).parts], work_split(config).episodes)
    parameters = [p for p in nets.parameters() if p.requires_grad]
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([g.flatten().double() for g in found])


def _double(batch: Batch) -> Batch:
    return Batch(batch.image.double(), batch.depth.double(), batch.label.double())


def _compare(base: Tensor, other: Tensor) -> tuple[float, float]:
    return float((other - base).norm() / base.norm()), float(cosine_similarity(base, other, dim=0))
