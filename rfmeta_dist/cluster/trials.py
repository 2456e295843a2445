"""`rfmeta tune`: run the trainings of a study with Ray Tune, each judged on the domains that it left out.

A trial drives one training and reserves no slots, because the training's workers take them. It stores its
figures itself. So whatever ends the study, no finished figure is lost: the same command finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ray import tune

from rfmeta_dist.cluster.errors import explained, ours
from rfmeta_dist.cluster.monitor import NOTICE, News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.cluster.tune import at_once, fit
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DivergedError, RfmetaError
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import aimed
from rfmeta_dist.tuning.study import Wanted


def run(
    jobs: Sequence[Wanted],
    folder: str,
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = log_notice,
    local: bool,
) -> None:
    """Do trainings, as many at once as the cluster holds, and store their figures.

    A training that diverges gets figures that say so. After another error, such as of the data or the cluster,
    the other trainings still run; then the first such error is raised.

    Args:
        jobs: the trainings, each with the figures that are missing, in the order in which they are started.
        folder: where figures are stored.
        on_news: called with the row of each step of each training; `label` is the run's name.
        on_notice: called with each message for the user, which begins with the run's name.
        local: True if this process started the cluster.

    Raises:
        RfmetaError: the first error that ended a training without a figure.
    """
    if not jobs:
        return
    together = at_once([job.config for job in jobs], on_notice)
    monitor = start_monitor()
    given = [
        {"run": job.config.model_dump(mode="json"), "figures": dict(job.figures), "folder": folder}
        for job in jobs
    ]
    with watched(monitor, on_news, on_notice), explained("the study failed"):
        outcomes = fit(_trial, given, together, monitor, local)
    for job, outcome in zip(jobs, outcomes, strict=True):
        name = job.config.run.name
        error = (
            ours(outcome.error, f"training {name} failed") if outcome.error else outcome.metrics.get("error")
        )
        if error is not None:
            raise error


def _trial(given: dict[str, Any]) -> None:
    job, monitor = given["each"], given["monitor"]
    config, folder = Config.model_validate(job["run"]), open_store(job["folder"])

    def say(text: str) -> None:
        monitor.push.remote([{"label": config.run.name, NOTICE: text}])

    try:
        with explained(f"training {config.run.name} failed"):
            for judged, figure in job["figures"].items():
                results.write(folder, figure, _result(aimed(config, judged), monitor, say, given["local"]))
    except RfmetaError as error:
        # Report the error instead of raising it: Tune would print a raised error, and keep only its text.
        tune.report({"error": error})
        return
    tune.report({"done": True})


def _result(config: Config, monitor: Any, say: Callable[[str], None], local: bool) -> results.Result:
    """Train, if that was not done before, and judge on the configuration's target."""
    try:
        run_folder = train_run(config, lambda _: None, monitor=monitor, local=local)
        return results.of_evaluation(evaluate_run(config, run_folder, on_notice=say))
    except DivergedError as error:
        return results.Result(None, None, failed=error.problem)
