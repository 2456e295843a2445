"""`rfmeta loo`: every domain in turn as the target, as Ray Tune trials, each a Ray Train run of its own.

A trial drives its run and reserves nothing: workers take the slots. At most so many trials run at once as the
slots can hold whole worker groups, so that none waits for workers while holding others' up. Each run resumes by
its name, so a leave-one-out that was interrupted goes on when it is started again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray import tune

from rfmeta_dist.cluster.monitor import News, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError, RfmetaError

NOTHING = {"node:__internal_head__": 0.001}  # trials live on the head and take no slot


@dataclass(frozen=True)
class Outcome:
    """One target's run: its configuration, when it ran (seconds since the start), and evaluation.json."""

    config: Config
    started: float
    ended: float
    evaluation: dict[str, Any]


def targets_of(config: Config, methods: Sequence[str], seeds: Sequence[int]) -> list[Config]:
    """A configuration for every target, method and seed; the domains are the sources and target given.

    Raises:
        ConfigError: a method is unknown or a seed out of range.
    """
    from rfmeta_dist.config.load import check

    domains = [*config.data.sources, config.data.target]
    runs = []
    for method in methods or [config.method.name]:
        for seed in seeds or [config.training.seed]:
            for target in sorted(domains):
                tree = config.model_dump(mode="json")
                tree["data"] |= {"target": target, "sources": [d for d in domains if d != target]}
                tree["method"] = config.method.renamed(method)
                tree["training"]["seed"] = seed
                tree["run"]["name"] = f"{config.run.name}-{method}-to_{target}-s{seed}"
                runs.append(check(tree, f"for target {target}"))
    return runs


def leave_one_out(runs: Sequence[Config], on_news: Callable[[News], None], *, local: bool) -> list[Outcome]:
    """Train and evaluate the runs, as many at once as the slots hold.

    Args:
        runs: from `targets_of`.
        on_news: called with every step's row of every run; `label` is the run's name.
        local: whether the cluster is our own.

    Raises:
        RfmetaError: of the first run that failed, after the others have ended.
    """
    monitor = start_monitor()
    clock = time.time()
    with tempfile.TemporaryDirectory(prefix="rfmeta-tune-") as folder, watched(monitor, on_news):
        tuner = tune.Tuner(
            tune.with_resources(_trial, tune.PlacementGroupFactory([NOTHING])),
            param_space={
                "run": tune.grid_search([run.model_dump(mode="json") for run in runs]),
                "monitor": monitor,
                "local": local,
            },
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once(runs), reuse_actors=False),
            run_config=tune.RunConfig(name="loo", storage_path=folder, verbose=0),
        )
        results = list(tuner.fit())
    for result in results:
        if result.error is not None:
            raise ClusterError(
                f"a trial failed: {str(result.error).strip().splitlines()[-1]}",
                "start the same command again, finished targets are kept",
            )
    return [_outcome(result.metrics, clock) for result in results]


def at_once(runs: Sequence[Config]) -> int:
    """How many runs the cluster's slots can hold at a time, at least one.

    Raises:
        ClusterError: they cannot hold even one.
    """
    have = ray.cluster_resources()
    workers = max(run.training.workers for run in runs)
    gpus = max(run.training.gpus for run in runs) * workers
    cpus = int(have.get("CPU", 0))
    if cpus < workers or have.get("GPU", 0) < gpus:
        raise ClusterError(
            f"the cluster has {cpus} slots, a run needs {workers}",
            "set training.workers lower, or give --slots or a larger cluster",
        )
    fits = cpus // workers
    return min(fits, int(have["GPU"]) // gpus) if gpus else fits


def _trial(given: dict[str, Any]) -> None:
    config = Config.model_validate(given["run"])
    started = time.time()
    try:
        folder = train_run(config, lambda _: None, monitor=given["monitor"], local=given["local"])
        evaluation = evaluate_run(config, folder)
    except RfmetaError as error:
        # The message is all that survives Tune's handling of a trial's error.
        tune.report({"failed": [type(error).__name__, error.problem, error.remedy]})
        return
    tune.report({"run": given["run"], "started": started, "ended": time.time(), "evaluation": evaluation})


def _outcome(metrics: dict[str, Any], clock: float) -> Outcome:
    if "failed" in metrics:
        raise _revive(*metrics["failed"])
    config = Config.model_validate(metrics["run"])
    return Outcome(config, metrics["started"] - clock, metrics["ended"] - clock, metrics["evaluation"])


def _revive(name: str, problem: str, remedy: str) -> RfmetaError:
    from rfmeta_dist.core import errors

    kind = getattr(errors, name, RfmetaError)
    error: RfmetaError = kind(problem, remedy)
    return error


def timeline(outcomes: Sequence[Outcome]) -> list[str]:
    """When each target ran, a line each: shows what ran at the same time."""
    return [
        f"{o.config.run.name}: {o.started:6.0f} s → {o.ended:6.0f} s"
        for o in sorted(outcomes, key=lambda o: o.started)
    ]


def summary_name(config: Config) -> str:
    """Name of the summary page, beside the runs."""
    return f"{config.run.name}-leave_one_out.html"
