"""`rfmeta tune`: choose hyperparameters for each target domain without looking at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import Address, Json, Notices, Slots, print_json, say, show_table
from rfmeta_dist.cli.watch import training_display

if TYPE_CHECKING:
    from rfmeta_dist.core.errors import RunError
    from rfmeta_dist.tuning.choice import Score
    from rfmeta_dist.tuning.study import Opened, Plan

EXAMPLES = """
[bold]Examples[/]

  rfmeta example study > study.yaml          [dim]# a study to start from[/]

  rfmeta tune study.yaml --dry-run           [dim]# candidates and trainings; needs neither data nor Ray[/]

  rfmeta tune study.yaml --slots 8

  rfmeta tune study.yaml --set search.candidates=32     [dim]# later: 16 more of them[/]

A target's configuration is chosen by trainings on the target's sources alone: each source in turn is left out
and judged on. If the command is interrupted, give it again: it continues, and no training is done twice. The
chosen configurations are files choice-to_TARGET.yaml for `rfmeta train`.
"""

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


def tune(
    study: StudyFile,
    overrides: Changes = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print candidates and trainings, and do nothing.")
    ] = False,
    slots: Slots = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Search hyperparameters for every target domain, without reading anything of the target."""
    from rfmeta_dist.config.study import load_study
    from rfmeta_dist.tuning.study import Plan, opened

    plan = Plan(load_study(study, overrides or ()))
    if dry_run:
        _print_plan(plan, json)
        return
    notices = Notices()
    with opened(plan.study) as found:
        pending = found.pending()
        say(f"{len(plan.trainings)} trainings, of which {len(plan.trainings) - len(pending)} are done already")
        if pending:
            from rfmeta_dist.cluster import trials
            from rfmeta_dist.cluster.object_store import in_flight
            from rfmeta_dist.cluster.session import session

            configs = [wanted.config for wanted in pending]
            count = slots_for(plan.study.base, slots)
            together = min(len(configs), max(1, count // plan.study.base.training.workers))
            batches = together * max(map(in_flight, configs))
            with session(count, address, batches=batches, say=say) as local, training_display(json) as rows:
                folder, tell, token = found.shared.url, notices.tell, found.lease
                place = (found.manifests, folder, found.failures)
                trials.run(found.orders, *place, rows, on_notice=tell, local=local, token=token)
        scored, failed = _choose(found)
    files = {target: f"{found.folder.url}/choice-to_{target}.yaml" for target in scored}
    if json:
        choices = {target: _as_dict(plan, target, scores) for target, scores in scored.items()}
        print_json(
            {
                "failed": {target: str(error) for target, error in failed.items()},
                "study": found.folder.url,
                "trainings": len(plan.trainings),
                "trained": len(pending),
                "choices": choices,
                "files": files,
                "notices": notices,
            }
        )
    else:
        _print_choices(plan, scored)
        if files:
            target, file = next(iter(files.items()))
            say(f"next, train the configuration that was chosen for {target}: rfmeta train {file}")
    for error in failed.values():
        raise error


def _choose(found: Opened) -> tuple[dict[str, list[Score]], dict[str, RunError]]:
    """Write the choice of each target; return the scores, and the error of each target that got no choice."""
    from rfmeta_dist.core.errors import RunError

    scored: dict[str, list[Score]] = {}
    failed: dict[str, RunError] = {}
    for target in found.plan.targets:
        try:
            scored[target] = found.choose(target)
        except RunError as error:
            failed[target] = error
    return scored, failed


def _print_plan(plan: Plan, json: bool) -> None:
    trainings = {
        "candidates": len(plan.candidates),
        "seeds": len(plan.study.seeds),
        "trainings": len(plan.trainings),
    }
    if json:
        values = [dict(candidate.values) for candidate in plan.candidates]
        print_json(
            {
                **trainings,
                "workers": plan.study.base.training.workers,
                "targets": plan.targets,
                "values": values,
            }
        )
        return
    rows = [
        [str(candidate.number), *(_cell(candidate.values.get(field)) for field in plan.study.space)]
        for candidate in plan.candidates
    ]
    show_table(["candidate", *_columns(plan)], rows)
    training, seeds = plan.study.base.training, trainings["seeds"]
    say(
        f"{trainings['candidates']} candidates × {seeds} {'seeds' if seeds > 1 else 'seed'} need "
        f"{trainings['trainings']} trainings, for the targets {', '.join(plan.targets)}; the base trains "
        f"{training.steps} steps with {training.workers} worker(s). Trainings "
        "that are done already are not subtracted"
    )


def _print_choices(plan: Plan, scored: Mapping[str, Sequence[Score]]) -> None:
    from rfmeta_dist.tuning.choice import best

    rows = []
    for target, scores in scored.items():
        chosen = best(plan.study, target, scores)
        cells = [_cell(chosen.candidate.values.get(field)) for field in plan.study.space]
        figures = [_percent(chosen.value), _percent(scores[0].value)]
        rows.append([target, str(chosen.candidate.number), *figures, *cells])
    metric = plan.study.metric.upper()
    show_table(["target", "chosen", f"{metric} over folds", "of the base", *_columns(plan)], rows)
    for target, scores in scored.items():
        for score in scores:
            if score.failed:
                say(f"candidate {score.candidate.number} failed for target {target}: {score.failed}")


def _as_dict(plan: Plan, target: str, scores: Sequence[Score]) -> dict[str, Any]:
    from rfmeta_dist.tuning.choice import best

    chosen = best(plan.study, target, scores)
    return {
        "candidate": chosen.candidate.number,
        "values": dict(chosen.candidate.values),
        plan.study.metric: chosen.value,
        "base": scores[0].value,
        "folds": dict(chosen.folds),
        "failed": {score.candidate.number: score.failed for score in scores if score.failed},
    }


def _columns(plan: Plan) -> list[str]:
    """Return the fields of the space without their sections, where that is enough to tell them apart."""
    last = [field.rpartition(".")[2] for field in plan.study.space]
    return [
        name if last.count(name) == 1 else field for name, field in zip(last, plan.study.space, strict=True)
    ]


def _percent(value: float | None) -> str:
    return "failed" if value is None else f"{100 * value:.1f} %"


def _cell(value: object) -> str:
    if value is None:
        return "as in the base"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
