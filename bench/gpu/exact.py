"""Prove in float64 that the device computes the reference figures, with one process and with two."""

from __future__ import annotations

from typing import Any

import torch

from bench.gpu.sections import Teller, require
from bench.gpu.settings import GOLDEN, Settings, configuration
from bench.plain import Plain
from rfmeta_dist.config.schema import Method
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.verification import certificate, golden, parity
from rfmeta_dist.verification.small import KINDS, alone, compute

REMEDY = "do not train on this device with this version of PyTorch; compare with another version"
TINY_GOLDEN: dict[str, Any] = {
    "seed": 11,
    "batch_per_domain": 4,
    "domain_orders": [[0, 1, 2]],
    "alpha": 0.1,
    "beta": 1e-3,
    "depth_weight": 10.0,
    "meta_test_weight": 1.0,
    "meta_learner_bn_momentum": 1.0,
    "width": 0.06,
    "image_size": 64,
}


def figures(settings: Settings, tell: Teller) -> None:
    """Compare the step with the golden file's figures, or at tiny size with those of bench/plain.py."""
    if settings.tiny:
        recomputed = golden.recompute(TINY_GOLDEN, Single(), device=settings.place)
        differences = golden.compare(recomputed, plain_figures())
    else:
        differences = golden.verify(golden.read_reference(GOLDEN), device=settings.place)
    worst = differences[0]
    tell("golden", {"figures": len(differences), "difference": worst.relative, "of": worst.name})
    require(
        worst.relative <= parity.TOLERANCE,
        f"{worst.name} differs from its reference by {worst.relative:.1e} (limit {parity.TOLERANCE:.0e})",
        REMEDY,
    )


def plain_figures() -> golden.Figures:
    """Return loss and gradient of one step at tiny size, computed on the CPU by the step of bench/plain.py."""
    seed, size = TINY_GOLDEN["seed"], TINY_GOLDEN["batch_per_domain"]
    model = Plain(TINY_GOLDEN["width"]).double()
    names = [name for name, _ in Networks(TINY_GOLDEN["width"]).named_parameters()]
    parameters = dict(zip(names, model.parameters(), strict=True))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.from_numpy(golden.weight(seed, name, tuple(parameter.shape))))
    (order,) = TINY_GOLDEN["domain_orders"]
    batches = [golden.batch(seed, 0, d, size, TINY_GOLDEN["image_size"]) for d in order]
    loss = model.objective(batches, TINY_GOLDEN["alpha"], TINY_GOLDEN["depth_weight"])
    loss.backward()
    found = {"step 0 loss": loss.detach().reshape(1).numpy()}
    for name, parameter in parameters.items():
        found |= golden.tensor_figures(f"step 0 grad {name}", parameter.grad)
    return found


def certified(settings: Settings, tell: Teller) -> None:
    """Make the certificate of each method on the device, and compare its steps there with the CPU's."""
    cpu = torch.device("cpu")
    for method in settings.methods:
        config = configuration(settings.step)
        config = config.model_copy(update={"method": Method(name=method)})
        proved = certificate.prove(config, settings.place)
        case = alone(parity.cases([1], [method], ["ddp"], ["shard"], [3], 0)[0])
        here, there = (compute(case, Single(), device) for device in (settings.place, cpu))
        norms = [float((here[k] - there[k]).norm() / there[k].norm()) for k in KINDS]
        row = {"certificate": max(proved.differences.values()), "from_cpu": max(norms)}
        tell(method, row)
        require(
            max(row.values()) <= parity.TOLERANCE,
            f"{method} on the device differs from the CPU by {row['from_cpu']:.1e} in float64",
            REMEDY,
        )


def workers(settings: Settings, tell: Teller) -> None:
    """Prove that two processes, which share the device and a group of gloo, compute what one computes."""
    ways = parity.META_TESTS[:1] if settings.tiny else parity.META_TESTS
    for result in parity.prove_locally(
        parity.cases([2], settings.methods, ["ddp"], ways, [3], 0), settings.place
    ):
        tell(parity.describe(result.config), {"difference": result.largest})
        result.require()
