"""Time one training step at the paper's size: this package against a plain eager float32 step, side by side.

    python -m bench.step [--size 256] [--width 1] [--images 2] [--rounds 2] [--out FILE]

Each contender runs in a process of its own; those of this package run with the environment that `rfmeta train`
gives its workers. Rounds alternate. Memory is what the graph keeps at the end of the forward pass (each tensor
once, without parameters), and by how much the process's peak is above its start.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as f
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.plain import Plain
from bench.result import give
from rfmeta_dist.config.schema import Method
from rfmeta_dist.core.allocator import KEEP_MEMORY
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import WorkSplit, parts_of
from rfmeta_dist.methods.rules.rfmeta import RFMeta
from rfmeta_dist.models.networks import Networks

CONTENDERS = {
    "plain": {},
    "channels last + bf16 autocast": {},
    "ours fp32": {"bf16": False, "checkpointing": False},
    "ours bf16": {"bf16": True, "checkpointing": False},
    "ours bf16 checkpointing": {"bf16": True, "checkpointing": True},
}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
DOMAINS, RATE, DEPTH_WEIGHT = 3, 1e-3, 10.0
# Counted in one step of RFMeta at 256×256 and width 1 (N = 3, 20 images a domain).
TFLOP_AN_IMAGE = 17.31 / 60


def batches(size: int, images: int, domains: int = 3) -> list[Batch]:
    """Return random images, the same for every contender."""
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(domains):
        label = (torch.arange(images) % 2).float()
        depth = torch.rand(images, 1, size // 8, size // 8, generator=generator) * label[:, None, None, None]
        made.append(Batch(torch.rand(images, 6, size, size, generator=generator), depth, label))
    return made


def networks(width: float) -> Networks:
    """Return this package's networks, initialised."""
    return Networks(width).initialise(0)


def plain(width: float) -> Plain:
    """Return the plain networks with the same weights; their parameters come in the same order."""
    model, ours = Plain(width), networks(width)
    theirs = [*ours.F.parameters(), *ours.M.parameters(), *ours.D.parameters()]
    with torch.no_grad():
        for p, q in zip(model.parameters(), theirs, strict=True):
            p.copy_(q)
    return model


def plain_contender(data: list[Batch], width: float, *, fast: bool) -> tuple[Callable[[], Tensor], nn.Module]:
    """Return the plain networks' objective and the networks; `fast`: channels last under bf16 autocast."""
    device = data[0].image.device
    model: nn.Module = plain(width).to(device)
    if fast:
        model = model.to(memory_format=torch.channels_last)
        data = [Batch(b.image.to(memory_format=torch.channels_last), b.depth, b.label) for b in data]

    def objective() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=fast):
            return model.objective(data, RATE, DEPTH_WEIGHT)

    return objective, model


def contender(name: str, size: int, width: float, images: int) -> tuple[Callable[[], Tensor], nn.Module]:
    """Return a function that computes the objective, and the module whose gradient it fills."""
    data = batches(size, images)
    if not name.startswith("ours"):
        return plain_contender(data, width, fast=name != "plain")
    settings = CONTENDERS[name]
    nets = Networks(width, checkpointing=settings["checkpointing"])
    nets.initialise(0)
    rule = RFMeta(nets, Method(inner_learning_rate=RATE, depth_weight=DEPTH_WEIGHT), bf16=settings["bf16"])
    work_split = WorkSplit(1, 1, DOMAINS - 1, images)
    data = [Batch(b.image.contiguous(memory_format=torch.channels_last), b.depth, b.label) for b in data]
    work = [(Episode(tuple(data)), parts_of(0, work_split)[0])]
    return lambda: rule(work, 1)[0], nets


def run(name: str, size: int, width: float, images: int, steps: int, gradient: Path | None) -> dict[str, float]:
    """Time the steps of one contender in this process, and write its first gradient if a file is given."""
    objective, module = contender(name, size, width, images)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        if t.untyped_storage().data_ptr() not in weights:
            kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = objective()
    loss.backward()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start
    if gradient:
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in module.parameters()]
        save_file({"gradient": torch.cat([part.flatten() for part in parts])}, gradient)
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        objective().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    return {"seconds": min(seconds), "saved_mb": sum(kept.values()) / 2**20, "peak_mb": peak / 1024}


def tflop(size: int, width: float, images: int) -> float:
    """Return the TFLOP of a step with this many images of each domain, scaled from the paper's size."""
    return TFLOP_AN_IMAGE * DOMAINS * images * (size / 256) ** 2 * width**2


def peak_of_convolution(dtype: torch.dtype, size: int, images: int) -> float:
    """Return the TFLOP/s of the step's fastest convolution on this machine, forward and backward together."""
    x = torch.randn(images, 128, size, size, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    w = torch.randn(196, 128, 3, 3, dtype=dtype, requires_grad=True)
    best = 0.0
    for _ in range(4):
        started = time.perf_counter()
        y = f.conv2d(x, w, padding=1)
        torch.autograd.grad(y, (x, w), y.detach())
        best = max(best, 3 * 2 * 9 * 128 * 196 * size**2 * images / (time.perf_counter() - started) / 1e12)
    return best


def apart(name: str, options: argparse.Namespace, gradient: Path | None) -> dict[str, float]:
    """Run a contender in a process of its own."""
    environment = dict(os.environ) | (KEEP_MEMORY if name.startswith("ours") else {})
    command = [sys.executable, "-m", "bench.step", "--contender", name]
    for field in ("size", "width", "images", "steps"):
        command += [f"--{field}", str(getattr(options, field))]
    if gradient:
        command += ["--gradient", str(gradient)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run all contenders in turn for several rounds. Return ratios to the plain one."""
    results: dict[str, dict[str, float]] = {}
    gradients = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds):
            for name in CONTENDERS:
                file = Path(folder) / f"{len(gradients)}.safetensors" if turn == 0 else None
                found = apart(name, options, file)
                if file:
                    gradients[name] = load_file(file)["gradient"].double()
                seconds = min(found["seconds"], results.get(name, found)["seconds"])
                results[name] = found | {"seconds": seconds}
    reference, base = gradients["plain"], results["plain"]
    peaks = {kind: peak_of_convolution(dtype, options.size, options.images) for kind, dtype in DTYPES.items()}
    work = tflop(options.size, options.width, options.images)
    rows = {}
    for name, found in results.items():
        speed = work / found["seconds"]
        rows[name] = {
            **{key: round(value, 3) for key, value in found.items()},
            "faster": round(base["seconds"] / found["seconds"], 2),
            "saved": round(found["saved_mb"] / base["saved_mb"], 3),
            "peak": round(found["peak_mb"] / base["peak_mb"], 3),
            "gradient_cosine": round(float(f.cosine_similarity(gradients[name], reference, dim=0)), 6),
            "gradient_difference": float((gradients[name] - reference).norm() / reference.norm()),
            "tflops": round(speed, 3),
            "of_convolution_peak": round(speed / peaks["bf16" if "bf16" in name else "fp32"], 2),
        }
    return {"convolution_peak_tflops": peaks, "settings": vars(options) | {"out": None}, "contenders": rows}


def main() -> None:
    """Compare the contenders. With --contender, run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--images", type=int, default=2, help="images of each domain in a step")
    parser.add_argument("--steps", type=int, default=2, help="steps that are timed in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--gradient", type=Path, help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.contender:
        print(json.dumps(run(o.contender, o.size, o.width, o.images, o.steps, o.gradient)))
        return
    give(compare(o), o.out)


if __name__ == "__main__":
    main()
