"""How long a cluster is idle between two trainings: on a warm lane, and with workers of their own.

    python -m bench.lanes                    six trainings one after another, on idle cores

The same trainings are done by a lane of `rfmeta tune`, whose workers take one after another, by a lane of
`rfmeta leave-one-out`, which also makes a model of each and judges it with intervals, and then one by one as
`rfmeta train` and `rfmeta evaluate` do on a cluster, each with its own start of Ray Train and a process that
judges it. Every figure is a median in seconds. The times are those of the files that a training writes, so
nothing is measured that a study does not do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from bench.result import give
from bench.startup import CLI

TARGET = "M"
SETTINGS: dict[str, Any] = {
    "data": {"sources": ["O", "C", "I"], "target": TARGET, "image_size": 64, "batch": 4},
    "model": {"width": 0.125},
    "training": {"steps": 2, "checkpoint_every": 1},
}
CLAIMED, PROVED, STEPPED = "config.yaml", "certificate.json", "step-0000001/model.safetensors"


def main() -> None:
    """Do the trainings in both ways, and print the medians."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.lanes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--trainings", type=int, default=6, help="in each way (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="of a training (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rf-lanes-") as place:
        _generate(Path(place) / "data")
        lane = _session(Path(place), "lane", _lane, options.trainings, options.workers)
        whole = _session(Path(place), "whole", _whole, options.trainings, options.workers)
        own = _session(Path(place), "own", _own, options.trainings, options.workers)
    found: dict[str, Any] = {"a lane, its first training": _first(lane), "a warm lane": _between(lane)}
    found["a warm lane of a leave-one-out"] = _between(whole)
    found["workers of their own"] = _between(own)
    gaps = [found[way]["end to first step"] for way in ("workers of their own", "a warm lane")]
    found["last figure to the end of the study"] = round(lane[-1]["ended"] - lane[-1]["end"], 2)
    found["times shorter"] = round(gaps[0] / gaps[1], 1)
    give(found, options.out)


def _generate(data: Path) -> None:
    command = CLI.format(arguments=["synth", "--scale", "tiny", "--out", str(data), "--json"])
    subprocess.run([sys.executable, "-c", command], check=True, capture_output=True)


Marks = Mapping[str, float]


def _session(
    place: Path, way: str, train: Callable[..., Callable[[str], Path]], trainings: int, workers: int
) -> list[Marks]:
    """Do trainings in one way, on a Ray of their own with slots for one; return when each came how far."""
    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.config.load import check

    configs = []
    for seed in range(trainings):
        strategy = "single" if workers == 1 else "ddp"
        training = {**SETTINGS["training"], "seed": seed, "workers": workers, "strategy": strategy}
        run = {"name": f"{way}-{seed}", "folder": f"{place}/{way}/trainings"}
        data = {**SETTINGS["data"], "prefix": f"{place}/data"}
        configs.append(check({**SETTINGS, "run": run, "data": data, "training": training}, "of the benchmark"))
    with session(workers, torch=True) as local:
        started = time.time()
        end_of = train(configs, f"{place}/{way}", local)
        ended = time.time()
    found = []
    for config in configs:
        folder = Path(config.run.folder) / config.run.name
        marks = {name: (folder / name).stat().st_mtime for name in (CLAIMED, PROVED, STEPPED)}
        marks["trained"] = max(path.stat().st_mtime for path in (folder / "step-0000002").iterdir())
        end = end_of(config.run.name).stat().st_mtime
        found.append({"started": started, **marks, "end": end, "ended": ended})
    return sorted(found, key=lambda marks: marks["end"])


def _lane(configs: Sequence[Any], folder: str, local: bool) -> Callable[[str], Path]:
    from rfmeta_dist.cluster import trials
    from rfmeta_dist.data.reading import domains
    from rfmeta_dist.storage import lease
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.tuning.orders import Order

    shared = open_store(folder)
    manifests = {name: manifest.fingerprint for name, manifest in domains.open_sources(configs[0]).items()}
    manifests[TARGET] = domains.open_target(configs[0]).fingerprint
    all_orders = [Order(c, c.training.steps, {TARGET: f"figures/{c.run.name}.json"}) for c in configs]

    def orders() -> list[Order]:
        return [order for order in all_orders if not shared.exists(order.figures[TARGET])]

    with lease.held(shared.sub("trainings"), lease.SEARCHED) as right:
        failures = shared.sub("failures")
        trials.run(orders, manifests, folder, failures, lambda _: None, local=local, token=right.token)
    return lambda name: Path(folder) / f"figures/{name}.json"


def _whole(configs: Sequence[Any], folder: str, local: bool) -> Callable[[str], Path]:
    from rfmeta_dist.cluster.leave_one_out import leave_one_out

    for outcome in leave_one_out(configs, lambda _: None, local=local):
        if outcome.error:
            raise outcome.error
    return lambda name: Path(folder) / f"trainings/{name}/evaluation.json"


def _own(configs: Sequence[Any], folder: str, local: bool) -> Callable[[str], Path]:
    from rfmeta_dist.cluster.train import evaluate_run, train_run

    for config in configs:
        evaluate_run(config, train_run(config, lambda _: None, local=local))
    return lambda name: Path(folder) / f"trainings/{name}/evaluation.json"


def _first(found: Sequence[Marks]) -> dict[str, float]:
    return _parts(found[0]["started"], found[0])


def _between(found: Sequence[Marks]) -> dict[str, float]:
    """Return the medians over all trainings but the first, each from the end of the one before it."""
    each = [_parts(before["end"], now) for before, now in pairwise(found)]
    return {name: round(median(parts[name] for parts in each), 2) for name in each[0]}


def _parts(begin: float, marks: Marks) -> dict[str, float]:
    parts = {
        "end to first step": marks[STEPPED] - begin,
        "of which to the claim of its folder": marks[CLAIMED] - begin,
        "of which networks and certificate": marks[PROVED] - marks[CLAIMED],
        "of which readers, first batch and step": marks[STEPPED] - marks[PROVED],
        "end of training to the last figure": marks["end"] - marks["trained"],
    }
    return {name: round(seconds, 2) for name, seconds in parts.items()}


if __name__ == "__main__":
    main()
