"""`rfmeta tune`: run the trainings of a study with Ray Tune, each judged on the domains that it left out.

A trial drives one training and reserves no slots, because the training's workers take them. It stores its
figures itself. So whatever ends the study, no finished figure is lost: the same command finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray import tune

from rfmeta_dist.cluster import streams
from rfmeta_dist.cluster.errors import explained, ours
from rfmeta_dist.cluster.monitor import NOTICE, News, log_notice, watched
from rfmeta_dist.cluster.monitor import start as start_monitor
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.cluster.train import evaluate_run, train_run
from rfmeta_dist.cluster.tune import at_once, fit
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError, DivergedError, RfmetaError
from rfmeta_dist.runs import pins
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import with_target
from rfmeta_dist.tuning.study import Wanted


def run(
    jobs: Sequence[Wanted],
    manifests: Mapping[str, str],
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
        manifests: fingerprint of the manifest that the study reads, by domain.
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
        {
            "run": job.config.model_dump(mode="json"),
            "figures": dict(job.figures),
            "manifests": dict(manifests),
            "folder": folder,
        }
        for job in jobs
    ]
    with watched(monitor, on_news, on_notice), explained("the study failed"):
        actors = streams.start([job.config for job in jobs], min(together, len(jobs)))
        shared = {"monitor": monitor, "actors": actors, "local": local}
        outcomes = fit(_trial, given, together, shared)
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
    errors: list[RfmetaError] = []

    def say(text: str) -> None:
        monitor.push.remote([{"label": config.run.name, NOTICE: text}])

    # Errors are reported, not raised: Tune would print a raised error, and keep only its text.
    try:
        with explained(f"training {config.run.name} failed"):
            first = with_target(config, next(iter(job["figures"])))  # a domain that is there
            run_folder = train_run(
                first, lambda _: None, monitor=monitor, actors=given["actors"], local=given["local"]
            )
    except DivergedError as error:
        for figure in job["figures"].values():
            results.write(
                folder, figure, results.Result(None, None, failed=error.problem, kind=results.DIVERGED)
            )
        tune.report({"done": True})
        return
    except RfmetaError as error:
        tune.report({"error": error})
        return
    for judged, figure in job["figures"].items():
        try:
            with explained(f"judging {config.run.name} on {judged} failed"):
                results.write(folder, figure, _result(with_target(config, judged), run_folder, job, say))
        except RfmetaError as error:  # the other domain's figure serves another target, which still gets it
            errors.append(error)
    tune.report({"error": errors[0]} if errors else {"done": True})


def _result(config: Config, folder: Store, job: dict[str, Any], say: Callable[[str], None]) -> results.Result:
    """Judge a trained model on the configuration's target, in the state that the study is pinned to."""
    with lease.held(folder, "judged"):
        prepare(config)  # writes this target into the run's configuration
    try:
        evaluation = evaluate_run(config, folder, on_notice=say)
    except DivergedError as error:
        return results.Result(None, None, failed=error.problem, kind=results.DIVERGED)
    judged = config.data.target
    if pins.read(folder)[judged] != job["manifests"][judged]:
        raise DataError(
            f"the data of domain {judged} that the study reads was deleted while it ran",
            "start a new study with --set name=NEW, which reads the newest data",
        )
    return results.of_evaluation(evaluation)
