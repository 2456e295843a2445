"""Test whether the generated domains differ from each other as real data sets do: train on one, test on each.

    python -m bench.shift [--rhos 0.5,0] [--size 64] [--width 0.125] [--steps 2400] [--out FILE]

For each domain, the plain network (F and M, binary cross-entropy, no depth) is trained on the augmented
training people of that domain alone, and tested on the test people of all four. Rows of the matrix are the
domains trained on, columns the domains tested on. All figures of a column come from the same recordings, so
they can be compared. Figures are AUC per video with 95 % intervals over the people of the test split.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray

from bench.result import give
from bench.study import statistics
from bench.study.data import fingerprints, generate, scale_of
from bench.study.design import DOMAINS, data_folder
from bench.study.tune import local
from rfmeta_dist.cli.terminal import say
from rfmeta_dist.cluster.errors import got
from rfmeta_dist.config.schema import Augmentation, Model
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation.scoring import SCORING_BATCH, score_domain
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_batch
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.recalibration import recalibrate
from rfmeta_dist.storage.store import open_store

CPU = torch.device("cpu")
RECALIBRATION = 20  # number of batches for recalibrating statistics
VARIED = Augmentation()  # without augmentation, networks overfit to the few people
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    size: int
    width: float
    batch: int
    steps: int
    rate: float
    precision: str
    seed: int


@dataclass(frozen=True)
class Cell:
    """A network trained on one domain and tested on another or the same: its AUC, and that in each resample."""

    rho: float
    trained_on: str
    tested_on: str
    auc: float
    draws: Array

    @property
    def inside(self) -> bool:
        """Return True if the network was trained on the domain that it is tested on."""
        return self.trained_on == self.tested_on


def train(prefix: str, domain: str, recipe: Recipe) -> GradientDetector:
    """Return F and M, trained on one domain's augmented training split, with statistics recalibrated on it.

    Raises:
        DataError: the domain is missing, damaged or lacks a class.
    """
    store = open_store(prefix)
    stream = DomainStream(
        store,
        Manifest.open(store, domain),
        split="train",
        batch=recipe.batch,
        image_size=recipe.size,
        seed=recipe.seed,
        augmentation=VARIED,
    )
    nets = Networks(recipe.width).initialise(recipe.seed)
    adam = torch.optim.Adam([*nets.F.parameters(), *nets.M.parameters()], lr=recipe.rate)
    for raw in islice(stream.batches(), recipe.steps):
        batch = to_batch(raw, CPU)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16"):
            deep = nets.F(batch.image).deep
        loss = liveness_loss(nets.M(deep.float()), batch.label)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
    recalibrate(nets, islice(stream.batches(), RECALIBRATION), CPU)
    return GradientDetector(nets, Model(width=recipe.width))


def row(prefix: str, rho: float, domain: str, recipe: Recipe) -> list[Cell]:
    """Return a row of the matrix: train on a domain, test on the test split of each."""
    torch.set_num_threads(1)
    detector, store, cells = train(prefix, domain, recipe), open_store(prefix), []
    for other in DOMAINS:
        manifest = Manifest.open(store, other)
        batches = scan(store, manifest, "test", image_size=recipe.size, batch=SCORING_BATCH)
        value, draws = statistics.draw(score_domain(detector, manifest, batches), 0.5)
        cells.append(Cell(rho, domain, other, value["AUC"], draws["AUC"]))
    return cells


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the matrix of one rho with intervals, and its means; a drop is the own domain less the others."""
    inside = [c for c in cells if c.inside]
    outside = [c for c in cells if not c.inside]

    def mean(some: Sequence[Cell]) -> tuple[float, Array]:
        return float(np.mean([c.auc for c in some])), np.mean([c.draws for c in some], axis=0)

    (own, own_draws), (other, other_draws) = mean(inside), mean(outside)
    matrix: dict[str, dict[str, Any]] = {}
    for c in cells:
        matrix.setdefault(c.trained_on, {})[c.tested_on] = _interval(c.auc, c.draws)
    return {
        "matrix": matrix,
        "inside": _interval(own, own_draws),
        "outside": _interval(other, other_draws),
        "drop": _interval(own - other, own_draws - other_draws),
    }


def table(rho: float, found: Mapping[str, Any]) -> str:
    """Return the matrix as text, in percent."""

    def cell(figure: Mapping[str, float]) -> str:
        return f"{100 * figure['value']:5.1f} [{100 * figure['low']:5.1f}, {100 * figure['high']:5.1f}]"

    lines = [f"rho = {rho:g}    " + "".join(f"on {name:<19}" for name in DOMAINS)]
    for trained_on, columns in found["matrix"].items():
        lines.append(f"trained on {trained_on}  " + "  ".join(cell(columns[name]) for name in DOMAINS))
    lines += [f"{name:<13}{cell(found[name])}" for name in ("inside", "outside", "drop")]
    return "\n".join(lines)


def measure(folder: Path, rhos: Sequence[float], recipe: Recipe, scale: str, slots: int | None) -> list[Cell]:
    """Return all cells of all rhos. One training runs on each CPU."""
    task = ray.remote(row)
    with local(slots):
        generate(folder, rhos, scale_of(scale, recipe.size), slots)
        waiting = [
            task.remote(str(data_folder(folder, rho)), rho, domain, recipe)
            for rho in rhos
            for domain in DOMAINS
        ]
        cells: list[Cell] = []
        while waiting:
            (done,), waiting = ray.wait(waiting)
            cells += got(done)
            say(f"shift: {len(cells) // len(DOMAINS)} of {len(rhos) * len(DOMAINS)} trainings done")
    return sorted(cells, key=lambda c: (rhos.index(c.rho), *map(DOMAINS.index, (c.trained_on, c.tested_on))))


def main() -> int:
    """Print and write the matrices. Return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rhos", default="0.5,0", help="how strongly spurious cues follow the label, each from 0 to 1"
    )
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", default="study")
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/study"), help="folder of the data, which are made if missing"
    )
    parser.add_argument(
        "--slots", type=int, help="how many trainings run at a time; one for each core if not given"
    )
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    recipe = Recipe(**{name: getattr(o, name) for name in Recipe.__dataclass_fields__})
    rhos = [float(rho) for rho in o.rhos.split(",")]
    try:
        cells = measure(o.folder.resolve(), rhos, recipe, o.scale, o.slots)
    except RfmetaError as error:
        say(f"error: {error}")
        return error.exit_code
    found = {f"{rho:g}": summary([c for c in cells if c.rho == rho]) for rho in rhos}
    for rho in rhos:
        say(table(rho, found[f"{rho:g}"]))
    result = {
        "rhos": found,
        "data": fingerprints(o.folder.resolve(), rhos),
        "settings": asdict(recipe) | {"scale": o.scale},
    }
    give(result, o.out)
    return 0


def _interval(value: float, draws: Array) -> dict[str, float]:
    low, high = np.percentile(draws, (2.5, 97.5))
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


if __name__ == "__main__":
    sys.exit(main())
