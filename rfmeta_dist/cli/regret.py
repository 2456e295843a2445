"""`rfmeta tune regret`: compare what a study chose with what the targets' own labels would have chosen."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.live import live_table
from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import Address, Json, Notices, Slots, print_json, say, show_table
from rfmeta_dist.cli.tune_show import write_page_if_possible

if TYPE_CHECKING:
    from rfmeta_dist.tuning.opening import Cases, Comparison

EXAMPLES = """
[bold]Examples[/]

  rfmeta tune regret runs/my-study --dry-run     [dim]# how many trainings it takes at most[/]

  rfmeta tune regret runs/my-study --fresh-seeds 5

Give it after the search has ended, and last: it looks at the targets' labels. Every candidate is trained on all
sources of a target and judged on the target. The best candidate is the oracle. Oracle, choice and base are then
trained again with fresh seeds, and these figures are compared. The study's ledger gets the hash of each choice
first. If the command is interrupted, give it again: it continues.
"""


def regret(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="The study's folder, which `rfmeta tune` prints.", show_default=False
        ),
    ],
    seeds: Annotated[
        int,
        typer.Option(
            "--fresh-seeds",
            min=2,
            max=1000,
            help="Number of fresh seeds with which oracle, choice and base are trained again. The interval is "
            "wide if they are few.",
        ),
    ] = 3,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print how many trainings it takes, and look at no label.")
    ] = False,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Say how much worse a study's choices are than the best candidates, after the search has ended."""
    from rfmeta_dist.tuning.opening import Comparison, cases, claimed
    from rfmeta_dist.tuning.standing import stand
    from rfmeta_dist.tuning.study import look

    if dry_run:
        _print_plan(cases(look(folder), seeds), json)
        return
    notices = Notices()
    with claimed(folder) as study:
        comparison = Comparison(study, cases(study, seeds))
        comparison.open_targets()
        _train(comparison, slots, address, notices, json)
        report = comparison.report()
        trained = comparison.begun
        write_page_if_possible(stand(study))
    file = f"{study.folder.url}/regret.json"
    if json:
        print_json({**report, "trained": trained, "file": file, "notices": notices})
    else:
        _print(report)
        say(f"every figure with its seed: {file}")


def _train(
    comparison: Comparison, slots: int | None, address: str | None, notices: Notices, json: bool
) -> None:
    """Do the trainings that the comparison wants, until it wants no more."""
    first, study = comparison.orders(), comparison.study
    say(f"the comparison wants {len(first)} trainings now")
    if not first:
        return
    from rfmeta_dist.cluster import trials
    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.tuning.results import FAILURES

    base = study.plan.study.base
    count = slots_for(base, slots)
    together = min(len(first), max(1, count // base.training.workers))
    batches = together * max(in_flight(order.config) for order in first)
    shown = live_table(["training"], {order.config.run.name: [order.config.run.name] for order in first}, json)
    with session(count, address, batches=batches, say=say) as local, shown as rows:
        place = study.manifests, study.shared.url, study.folder.sub(FAILURES)
        trials.run(comparison.orders, *place, rows, on_notice=notices.tell, local=local, token=study.token)


def _print_plan(found: Cases, json: bool) -> None:
    from rfmeta_dist.tuning.regret import trainings

    total, first = trainings(found.found), found.found[0]
    targets = [case.target for case in found.found]
    if json:
        print_json(
            {
                "trainings": total,
                "targets": targets,
                "candidates": {case.target: len(case.candidates) for case in found.found},
                "seeds": list(first.seeds),
                "fresh_seeds": list(first.fresh),
                "left_out": dict(found.left_out),
            }
        )
        return
    say(
        f"the comparison needs at most {total} trainings on all sources of a target, for the targets "
        f"{', '.join(targets)}: every candidate with the {len(first.seeds)} seed(s) of the search, and oracle, "
        f"choice and base with the fresh seeds {', '.join(map(str, first.fresh))}. Trainings that are done "
        "already are not subtracted"
    )


def _print(report: Mapping[str, Any]) -> None:
    metric, fresh = report["metric"], report["fresh_seeds"]
    targets, which = report["targets"], ("choice", "oracle", "base")
    show_table(
        ["target", *which],
        [[name, *(_rates(report, found, found[one]) for one in which)] for name, found in targets.items()],
    )
    rows = [[name, *_differences(found)] for name, found in [*targets.items(), ("mean", report["mean"])]]
    show_table(["target", "choice − oracle", "at most", "choice − base"], rows)
    say(
        f"{metric.upper()} by video on the target: mean ± standard deviation over the fresh seeds "
        f"{', '.join(map(str, fresh))}. Differences are in points, and positive if the choice is worse"
    )
    say(f"in brackets: {report['interval']}")
    say(
        "how much worse the choice is than the very best candidate lies, on average over studies, between the "
        "difference to the oracle and the column 'at most'"
    )
    for target, found in report["targets"].items():
        if found["continued"]:
            say(
                f"the labels of {target} were looked at ({found['opened']}) before this choice was made, so "
                "the choice may depend on them"
            )
        for row in found["figures"]:
            if row["failed"]:
                say(
                    f"candidate {row['candidate']} with seed {row['seed']} failed for target {target}: "
                    f"{row['failed']}"
                )
    for target, why in report["left_out"].items():
        say(f"nothing is compared for target {target}: {why}")


def _rates(report: Mapping[str, Any], found: Mapping[str, Any], candidate: int | None) -> str:
    """Return a candidate's number with its figure on the fresh seeds."""
    if candidate is None:
        return "all failed"
    rows = [row for row in found["figures"] if row["candidate"] == candidate and row["fresh"]]
    values = [row[report["metric"]] for row in rows]
    if None in values:
        return f"{candidate}: a training failed"
    return f"{candidate}: {100 * mean(values):.1f} ± {100 * stdev(values):.1f} %"


def _differences(found: Mapping[str, Any]) -> list[str]:
    at_most = found["regret_at_most"]
    most = "–" if at_most is None else f"{100 * at_most:+.1f}"
    return [_difference(found["regret"]), most, _difference(found["worse_than_base"])]


def _difference(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    mid, std, low, high = (100 * found[name] for name in ("mean", "std", "low", "high"))
    return f"{mid:+.1f} ± {std:.1f} ({low:+.1f}…{high:+.1f})"
