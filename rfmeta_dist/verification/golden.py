"""Recompute the reference figures of the RFMeta step in a golden file with this package's networks and step.

docs/explanation/proofs.md describes the file; all settings are read from it. A figure's difference is relative
to the figure, with one exception. The bias of a convolution before batch norm cancels, so its exact gradient is
zero. This package computes zero. Other code computes rounding noise, which Adam divides by its own size and so
turns into steps of the bias, and the running mean changes with the bias. Such figures in the file are the noise
of the code that made it. Their differences are therefore relative to the norm of all figures of their kind.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfmeta_dist.config.methods import MetaTestMode
from rfmeta_dist.config.schema import Method
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkSplit, parts_of
from rfmeta_dist.methods.rules.rfmeta import RFMeta
from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.strategy.choose import make
from rfmeta_dist.strategy.launch import spawn
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.step import Trainer
from rfmeta_dist.verification.parity import Distributed

SIDE = 256  # of the images, in pixels
CPU = torch.device("cpu")

Array = NDArray[np.float64]
Figures = dict[str, Array]


@dataclass(frozen=True)
class Difference:
    """The name of a figure, and its relative difference from the reference."""

    name: str
    relative: float


def read_reference(path: Path) -> dict[str, Any]:
    """Read a golden file.

    Raises:
        ConfigError: the file is missing, not JSON, or lacks a field.
    """
    try:
        golden: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the golden file {path} cannot be read as JSON: {error}",
            "give the path of a golden file, such as tests/verification/rfmeta_float64.json of the repository",
        ) from error
    needed = {
        "seed",
        "batch_per_domain",
        "domain_orders",
        "alpha",
        "beta",
        "depth_weight",
        "meta_test_weight",
        "meta_learner_bn_momentum",
        "steps",
        "param",
        "running",
        "eval_logit",
    }
    if missing := sorted(needed - set(golden)):
        raise ConfigError(
            f"the golden file {path} lacks the fields {', '.join(missing)}",
            "give the one of the repository, tests/verification/rfmeta_float64.json",
        )
    return golden


def verify(
    golden: dict[str, Any],
    workers: int = 1,
    strategy: Distributed = "ddp",
    meta_test: MetaTestMode = "shard",
    device: torch.device = CPU,
) -> list[Difference]:
    """Recompute every figure and compare it with its reference.

    Args:
        golden: from `read_reference`.
        workers: number of local processes. With one, `strategy` and `meta_test` are not used.
        strategy: the strategy of several processes.
        meta_test: how several processes forward the meta-test batch.
        device: the device on which every process computes.

    Returns:
        The differences, the largest first.
    """
    if workers == 1:
        figures = recompute(golden, Single(), device=device)
    else:
        figures = spawn(_recompute, workers, golden, strategy, meta_test, device)[0]
    return compare(figures, references(golden))


def compare(figures: Figures, reference: Figures) -> list[Difference]:
    """Compare recomputed figures with every reference figure; return the differences, largest first.

    Args:
        figures: from `recompute`.
        reference: from `references`.
    """
    differences = [_difference(name, figures, reference) for name in reference]
    return sorted(differences, key=lambda d: d.relative, reverse=True)


def _recompute(
    golden: dict[str, Any], strategy: Distributed, meta_test: MetaTestMode, device: torch.device
) -> Figures:
    return recompute(golden, make(Training(strategy=strategy)), meta_test, device)


def recompute(
    golden: dict[str, Any],
    strategy: Strategy,
    meta_test: MetaTestMode = "shard",
    device: torch.device = CPU,
) -> Figures:
    """Compute the file's figures by name, from weights and batches that are generated in float64.

    With several workers, all call this together; each returns the figures as it has them. Weights and batches
    are generated on the CPU, so they are the same for every device.

    Args:
        golden: from `read_reference`. It may also have the fields `width`, the factor of the numbers of
            channels, and `image_size`, the side of the images in pixels; files do not, and mean 1 and 256.
        strategy: a new strategy that has not taken a step.
        meta_test: how several processes forward the meta-test batch.
        device: this worker's device.
    """
    seed, size, side = golden["seed"], golden["batch_per_domain"], golden.get("image_size", SIDE)
    nets = Networks(golden.get("width", 1.0), golden["meta_learner_bn_momentum"]).double()
    with torch.no_grad():
        for name, parameter in nets.named_parameters():
            parameter.copy_(torch.from_numpy(weight(seed, name, tuple(parameter.shape))))
    objective = RFMeta(
        nets.to(device),
        Method(
            inner_learning_rate=golden["alpha"],
            depth_weight=golden["depth_weight"],
            meta_test_weight=golden["meta_test_weight"],
        ),
    )
    domains = len(golden["domain_orders"][0])
    work_split = WorkSplit(strategy.world, 1, objective.facts.count(domains), size, meta_test)
    trainer = Trainer(objective, strategy, Adam(golden["beta"]), work_split)
    (part,) = parts_of(strategy.rank, work_split)
    figures: Figures = {}
    for t, order in enumerate(golden["domain_orders"]):
        *train, test = (batch(seed, t, d, size, side).to(device) for d in order)
        parts = trainer.gradient([(Episode((*train, test.rows(part.rows))), part)])
        figures |= {f"step {t} {name}": np.array([value]) for name, value in parts.items()}
        for name, gradient in strategy.gradient().items():
            figures |= tensor_figures(f"step {t} grad {name}", gradient)
        trainer.update()
    for name, parameter in nets.named_parameters():
        figures |= tensor_figures(f"param {name}", parameter.detach())
    for name, layer in nets.named_modules():
        if isinstance(layer, norm.BatchNorm2d):
            figures[f"running {name} norm"] = np.array([float(layer.running_mean.norm())])  # not in the file
            figures[f"running {name} mean"] = _sample(layer.running_mean)
            figures[f"running {name} var"] = _sample(layer.running_var)
    with torch.no_grad():
        image = batch(seed, 99, 0, size, side).image
        figures["eval_logit"] = nets.eval().logits(image.to(device)).cpu().numpy()
    return figures


def _rng(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([*key]))


def weight(seed: int, name: str, shape: tuple[int, ...]) -> Array:
    """Draw the initial value of the parameter `name` in float64, from the seed of a golden file."""
    g = _rng(seed, zlib.crc32(name.encode()))
    draw: Array = g.standard_normal(shape)
    if len(shape) == 4:
        return draw * float(np.sqrt(2 / (9 * shape[0] + 9 * shape[1])))
    if len(shape) == 2:
        return draw * float(np.sqrt(2 / (shape[0] + shape[1])))
    return 1 + 0.1 * draw if name.endswith("weight") else 0.05 * draw


def batch(seed: int, step: int, domain: int, size: int, side: int = SIDE) -> Batch:
    """Draw the batch of a domain in a step in float64, on the CPU: `size` images of `side`×`side` pixels."""
    g = _rng(seed, 7, step, domain)
    image = g.random((size, 6, side, side))
    label = (np.arange(size) % 2).astype(np.float64)
    depth = g.random((size, 1, side // 8, side // 8)) * label[:, None, None, None]
    return Batch(torch.from_numpy(image), torch.from_numpy(depth), torch.from_numpy(label))


def _sample(tensor: Tensor) -> Array:
    flat = tensor.flatten().cpu().numpy()
    sample: Array = flat[np.linspace(0, flat.size - 1, min(8, flat.size)).astype(int)]
    return sample


def tensor_figures(name: str, tensor: Tensor) -> Figures:
    """Return the figures of a tensor: its norm, and up to eight of its values, evenly spaced."""
    return {f"{name} norm": np.array([float(tensor.norm())]), f"{name} sample": _sample(tensor)}


def references(golden: dict[str, Any]) -> Figures:
    """Return the figures that a golden file holds, by the names that `recompute` gives them."""
    return dict(_references(golden))


def _references(golden: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    def tensors(prefix: str, table: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Array]]:
        for name, values in table.items():
            for key, value in values.items():
                yield f"{prefix} {name} {key}", np.atleast_1d(np.array(value, dtype=np.float64))

    for t, step in enumerate(golden["steps"]):
        for name, value in step.items():
            if name == "grad":
                yield from tensors(f"step {t} grad", value)
            else:
                yield f"step {t} {name}", np.array([value])
    yield from tensors("param", golden["param"])
    yield from tensors("running", golden["running"])
    yield "eval_logit", np.array(golden["eval_logit"])


def _difference(name: str, figures: Figures, reference: Figures) -> Difference:
    expected = reference[name]
    scale = np.linalg.norm(expected)
    if _is_noise(name):
        kind = name.partition(".")[0].removesuffix(" F").removesuffix(" D").removesuffix(" M")
        norms = [v for n, v in figures.items() if n.startswith(f"{kind} ") and n.endswith(" norm")]
        scale = np.linalg.norm(np.concatenate(norms))
    relative = float(np.linalg.norm(figures[name] - expected) / scale)
    return Difference(name, relative if np.isfinite(relative) else np.inf)


def _is_noise(name: str) -> bool:
    """Return True if a figure depends on a convolution bias that the following batch norm cancels."""
    return ("conv" in name and ".bias " in name) or (name.startswith("running ") and name.endswith(" mean"))
