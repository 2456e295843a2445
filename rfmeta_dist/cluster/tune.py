"""`rfmeta leave-one-out`: train a run for each target domain, as a trial of Ray Tune.

A trial drives its run and reserves no slots, because the workers of the run take them. Only as many trials run
at once as have slots for all their workers, so that no trial waits for slots that another one holds. Each run
resumes by its name, so an interrupted leave-one-out continues when it is started again.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ray import tune

from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.errors import explained, ours
from rfmeta_dist.cluster.monitor import NOTICE, News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.room import for_training, most, wait_for_room
from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, RfmetaError

NOTHING = {"node:__internal_head__": 0.001}  # trials run on the head and take no slot


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run of a leave-one-out.

    Attributes:
        config: the run's configuration.
        started: seconds from the beginning of the leave-one-out to the run's start; NaN if the run failed.
        ended: seconds from the beginning of the leave-one-out to the run's end; NaN if the run failed.
        evaluation: the content of evaluation.json; empty if the run failed.
        error: the error that ended the run; None if it succeeded.
    """

    config: Config
    started: float = math.nan
    ended: float = math.nan
    evaluation: dict[str, Any] = field(default_factory=dict)
    error: RfmetaError | None = None


def targets_of(
    config: Config, methods: Sequence[str], seeds: Sequence[int], targets: Sequence[str] = ()
) -> list[Config]:
    """Return a configuration for each target, method and seed. Its sources are all other domains.

    Args:
        config: configuration whose sources and target, if it has one, are the domains.
        methods: names of learning rules; the method of `config` if empty.
        seeds: seeds of training; the seed of `config` if empty.
        targets: domains to hold out; each domain in turn if empty.

    Raises:
        ConfigError: there are fewer than three domains, a target is none of them, a method is unknown, or a
            seed is out of range.
    """
    from rfmeta_dist.config.load import check

    domains = sorted(config.data.domains)
    if len(domains) < 3:
        raise ConfigError(
            f"the configuration has the domains {' and '.join(domains)} alone. A run of a leave-one-out trains "
            "on all domains but one, and a training needs two",
            "add a domain to data.sources, or set data.target",
        )
    unknown = [target for target in targets if target not in domains]
    if unknown:
        raise ConfigError(
            f"target {unknown[0]!r} is none of the configuration's domains {', '.join(domains)}",
            f"write --targets {domains[0]}, or several separated by commas",
        )
    runs = []
    for method in dict.fromkeys(methods or [config.method.name]):
        for seed in dict.fromkeys(seeds or [config.training.seed]):
            for target in sorted(set(targets)) or domains:
                tree = config.model_dump(mode="json")
                tree["data"] |= {"target": target, "sources": [d for d in domains if d != target]}
                tree["method"] = config.method.renamed(method)
                tree["training"]["seed"] = seed
                tree["run"]["name"] = f"{config.run.name}-{method}-to_{target}-s{seed}"
                runs.append(check(tree, f"for target {target}"))
    return runs


def leave_one_out(
    runs: Sequence[Config],
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = log_notice,
    local: bool,
) -> list[Outcome]:
    """Train and judge runs, as many at once as the cluster holds. A run that fails does not stop the others.

    Args:
        runs: from `targets_of`.
        on_news: called with the row of each step of each run; `label` is the run's name.
        on_notice: called with each message for the user, which begins with the run's name.
        local: True if this process started the cluster.

    Returns:
        The outcome of each run, in the order of `runs`.

    Raises:
        ClusterError: the cluster can never hold even one run, has no slots for one within `training.wait_s`
            seconds, or Ray Tune itself failed.
    """
    together = at_once(runs, on_notice)
    monitor = start_monitor()
    clock = time.time()
    with watched(monitor, on_news, on_notice), explained("leave-one-out failed"):
        shared = {"monitor": monitor, "actors": streams.start(runs, min(together, len(runs))), "local": local}
        results = fit(_trial, [run.model_dump(mode="json") for run in runs], together, shared)
    return [_outcome(run, result, clock) for run, result in zip(runs, results, strict=True)]


def fit(
    trial: Callable[[dict[str, Any]], None], each: Sequence[Any], together: int, shared: Mapping[str, Any]
) -> list[Any]:
    """Run a trial of Ray Tune for each value, in order, and return Tune's results in the same order.

    Args:
        trial: called with `shared`, and with its value as `each`.
        each: a value for each trial, which JSON can represent.
        together: how many trials run at once.
        shared: what all trials are given, such as handles of actors.
    """
    with tempfile.TemporaryDirectory(prefix="rfmeta-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(trial, tune.PlacementGroupFactory([NOTHING])),
            param_space={**shared, "each": tune.grid_search(list(each))},
            tune_config=tune.TuneConfig(max_concurrent_trials=together, reuse_actors=False),
            run_config=tune.RunConfig(name="trials", storage_path=folder, verbose=0),
        )
        return list(tuner.fit())


def at_once(runs: Sequence[Config], say: Callable[[str], None] = log_notice) -> int:
    """Return how many runs the cluster can hold at the same time, with all that its autoscaler may add.

    Raises:
        ClusterError: it can never hold even one, or has no slots for one within `training.wait_s` seconds.
    """
    # Most runs need the same resources. Ask once for each need, because a question starts a task on the head.
    asks = list({(tuple(sorted(ask.each.items())), ask.count): ask for ask in map(for_training, runs)}.values())
    largest = max(asks, key=lambda ask: (sum(ask.each.values()), ask.count))
    wait_for_room(largest, say, max(run.training.wait_s for run in runs))
    return max(1, min(most(ask.each) // ask.count for ask in asks))


def _trial(given: dict[str, Any]) -> None:
    config, monitor = Config.model_validate(given["each"]), given["monitor"]
    started = time.time()

    def say(text: str) -> None:
        monitor.push.remote([{"label": config.run.name, NOTICE: text}])

    try:
        with explained(f"run {config.run.name} failed"):
            folder = train_run(
                config, lambda _: None, monitor=monitor, actors=given["actors"], local=given["local"]
            )
            evaluation = evaluate_run(config, folder, on_notice=say)
    except RfmetaError as error:
        # Report the error instead of raising it: Tune would print a raised error, and keep only its text.
        tune.report({"error": error})
        return
    tune.report({"started": started, "ended": time.time(), "evaluation": evaluation})


def _outcome(run: Config, result: Any, clock: float) -> Outcome:
    error = ours(result.error, f"run {run.run.name} failed") if result.error else result.metrics.get("error")
    if error is not None:
        return Outcome(run, error=error)
    metrics = result.metrics
    return Outcome(run, metrics["started"] - clock, metrics["ended"] - clock, metrics["evaluation"])


def timeline(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line with the start and end of each finished run, which shows what ran at the same time."""
    finished = [o for o in outcomes if o.error is None]
    return [
        f"{o.config.run.name}: {o.started:6.0f} s → {o.ended:6.0f} s"
        for o in sorted(finished, key=lambda o: o.started)
    ]


def summary_name(config: Config) -> str:
    """Return the file name of the summary page, which lies beside the runs' folders."""
    return f"{config.run.name}-leave_one_out.html"
