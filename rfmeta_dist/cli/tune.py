"""`rfmeta tune`: choose hyperparameters for each target domain without looking at it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rfmeta_dist.cli import regret
from rfmeta_dist.cli.live import live_table
from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import Address, Json, Notices, Slots, print_json, say, show_table
from rfmeta_dist.cli.tune_plan import cell, columns, counted, notes, print_plan
from rfmeta_dist.cli.tune_show import write_page_if_possible

if TYPE_CHECKING:
    from rfmeta_dist.core.errors import RfmetaError, RunError
    from rfmeta_dist.tuning.orders import Order
    from rfmeta_dist.tuning.plan import Plan
    from rfmeta_dist.tuning.study import Opened
    from rfmeta_dist.tuning.view import Entry, View

EXAMPLES = """
[bold]Examples[/]

  rfmeta example study > study.yaml          [dim]# a study to start from[/]

  rfmeta tune study.yaml --dry-run           [dim]# candidates and trainings; needs neither data nor Ray[/]

  rfmeta tune study.yaml --slots 8

  rfmeta tune study.yaml --set search.candidates=32     [dim]# later: more of them, in addition[/]

  rfmeta tune show runs/studies/study        [dim]# from another terminal, while it runs or later[/]

  rfmeta tune regret runs/studies/study      [dim]# afterwards: was it worth it?[/]

A target's configuration is chosen by trainings on the target's sources alone: each source in turn is left out
and judged on. If the command is interrupted, give it again: it continues, and no training is done twice. The
chosen configurations are files choice-to_TARGET.yaml for `rfmeta train`.
"""


class _Searching(TyperGroup):
    """The group `rfmeta tune`, in which `rfmeta tune STUDY` is short for `rfmeta tune search STUDY`."""

    default = "search"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [self.default, *(args or ["--help"])]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Searching, help="Search hyperparameters without looking at the target.")
app.command(epilog=regret.EXAMPLES)(regret.regret)

StudyFile = Annotated[
    Path, typer.Argument(help="Study file; `rfmeta example study` prints one.", show_default=False)
]


Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="FIELD=VALUE",
        help="Override a field of the study, such as search.candidates=8 or base.training.steps=100; may be "
        "repeated.",
    ),
]


@app.command(epilog=EXAMPLES)
def search(
    study: StudyFile,
    overrides: Changes = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print candidates and trainings, and do nothing.")
    ] = False,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Search hyperparameters for every target domain, without reading anything of the target.

    `rfmeta tune STUDY` is short for `rfmeta tune search STUDY`.
    """
    from rfmeta_dist.config.study import load_study
    from rfmeta_dist.core.errors import ConfigError
    from rfmeta_dist.tuning.plan import Plan
    from rfmeta_dist.tuning.standing import stand
    from rfmeta_dist.tuning.study import opened

    if study.is_dir():
        there = (study / "study.json").exists()
        raise ConfigError(
            f"{study} is a folder, but a search needs a study file",
            f"to look at this study, write rfmeta tune show {study}; to go on with it, give its file again"
            if there
            else "give the study file; rfmeta example study prints one",
        )
    plan = Plan(load_study(study, overrides or ()))
    if dry_run:
        print_plan(plan, slots, json)
        return
    notices = Notices()
    with opened(plan.study) as found:
        for note in (*notes(plan), *found.notes):
            notices.tell(note)
        ended = _search(found, slots, address, notices, json)
        views, failed = _choose(found)
        deployed = found.deploy(list(views.values()))
        pages = write_page_if_possible(stand(found))
    looked_at = {target: time for target, view in views.items() if (time := found.looked_at(view))}
    files = {target: f"{found.folder.url}/choice-to_{target}.yaml" for target in views}
    if json:
        print_json(
            {
                "failed": {target: str(error) for target, error in failed.items()},
                "study": found.folder.url,
                "trainings": plan.trainings,
                "trained": found.trained,
                "choices": {target: _as_dict(plan, view) for target, view in views.items()},
                "files": files,
                "deploy": deployed,
                "opened": looked_at,
                "page": pages[0] if pages else None,
                "notices": notices,
            }
        )
    else:
        _print_choices(plan, views)
        for target, time in looked_at.items():
            say(
                f"the labels of {target} were looked at by `rfmeta tune regret` ({time}) before this choice "
                "was made, so the choice may depend on them; its file says so too"
            )
        if files:
            target, file = next(iter(files.items()))
            say(f"next, train the configuration that was chosen for {target}: rfmeta train {file}")
        if deployed:
            say(f"a configuration for a model that is trained on all domains: {deployed}")
    for error in (ended, *failed.values()):  # what ended a training is why a target has no choice
        if error is not None:
            raise error


def _search(
    found: Opened, slots: int | None, address: str | None, notices: Notices, json: bool
) -> RfmetaError | None:
    """Do the trainings that the study wants, until it wants no more.

    Returns:
        The first error that ended a training without a figure. Targets that do not want it still get a choice.
    """
    first, study = found.orders(), found.plan.study
    trainings = counted(found.plan.trainings, "training")
    say(f"the study {found.folder.url} has {trainings}, of which {len(first)} can start now")
    if not first:
        return None
    found.news()  # what was decided before this start was told then
    from rfmeta_dist.cluster import trials
    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.core.errors import RfmetaError
    from rfmeta_dist.tuning.results import FAILURES

    count = slots_for(study.base, slots)
    together = min(len(first), max(1, count // study.base.training.workers))
    batches = together * max(in_flight(order.config) for order in first)

    hours = found.hours_left(together)

    def orders() -> list[Order]:
        nonlocal hours
        wanted = found.orders()
        hours = found.hours_left(together)
        if lines := found.news():
            say(*lines, *([f"about {hours:.1f} h left at most"] if hours else []))
        return wanted

    def left() -> float:
        return math.nan if hours is None else hours * 3600

    shown = live_table(["training"], {}, json, left=left)
    try:
        with session(count, address, batches=batches, say=say) as local, shown as rows:
            place = found.manifests, found.shared.url, found.folder.sub(FAILURES)
            trials.run(orders, *place, rows, on_notice=notices.tell, local=local, token=found.token)
    except RfmetaError as error:
        return error
    return None


def _choose(found: Opened) -> tuple[dict[str, View], dict[str, RunError]]:
    """Write the choice of each target; return the views, and the error of each target that got no choice."""
    from rfmeta_dist.core.errors import RunError

    views: dict[str, View] = {}
    failed: dict[str, RunError] = {}
    for target in found.plan.targets:
        try:
            views[target] = found.choose(target)
        except RunError as error:
            failed[target] = error
    return views, failed


def _print_choices(plan: Plan, views: Mapping[str, View]) -> None:
    from rfmeta_dist.tuning.choice import best

    rows = []
    for target, view in views.items():
        chosen = best(plan.study, view)
        cells = [cell(chosen.candidate.values.get(field)) for field in plan.study.space]
        figures = [_percent(chosen.value), _percent(view.entries[0].value)]
        rows.append([target, str(chosen.candidate.number), *figures, *cells])
    metric = plan.study.metric.upper()
    show_table(["target", "chosen", f"{metric} over folds", "of the base", *columns(plan)], rows)
    for target, view in views.items():
        for entry in view.entries:
            if entry.failed:
                say(f"candidate {entry.candidate.number} failed for target {target}: {entry.failed}")


def _as_dict(plan: Plan, view: View) -> dict[str, Any]:
    from rfmeta_dist.tuning.choice import best

    chosen = best(plan.study, view)

    def numbers(which: Sequence[Entry]) -> list[int]:
        return [entry.candidate.number for entry in which]

    return {
        "candidate": chosen.candidate.number,
        "values": dict(chosen.candidate.values),
        plan.study.metric: chosen.value,
        "base": view.entries[0].value,
        "folds": dict(chosen.folds),
        "complete": numbers([entry for entry in view.entries if entry.value is not None]),
        "stopped": numbers([entry for entry in view.entries if entry.stopped is not None]),
        "failed": {entry.candidate.number: entry.failed for entry in view.entries if entry.failed},
    }


def _percent(value: float | None) -> str:
    return "failed" if value is None else f"{100 * value:.1f} %"
