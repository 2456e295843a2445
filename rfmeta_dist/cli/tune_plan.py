"""Print the plan of a study: its candidates, how many trainings they need, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.cli.run import slots_for
from rfmeta_dist.cli.terminal import print_json, say, show_table

if TYPE_CHECKING:
    from rfmeta_dist.tuning.plan import Plan


def print_plan(plan: Plan, slots: int | None, json: bool) -> None:
    """Print what a study would do, which is all that `rfmeta tune --dry-run` does."""
    study = plan.study
    together = max(1, slots_for(study.base, slots) // study.base.training.workers)
    hours = _hours(plan, together)
    if json:
        print_json(
            {
                "candidates": plan.total,
                "seeds": len(study.seeds),
                "trainings": plan.trainings,
                "steps": plan.steps_of(plan.total),
                "workers": study.base.training.workers,
                "at_once": together,
                "hours": hours,
                "targets": plan.targets,
                "values": [dict(candidate.values) for candidate in plan.shared],
            }
        )
        return
    rows = [
        [str(candidate.number), *(cell(candidate.values.get(field)) for field in study.space)]
        for candidate in plan.shared
    ]
    show_table(["candidate", *columns(plan)], rows)
    if plan.total > len(plan.shared):
        say(
            f"further candidates, up to number {plan.total - 1}, are proposed by {study.search.kind} from each "
            "target's own scores, so each target has others"
        )
    elif study.search.learns:
        say(
            f"search.kind={study.search.kind} never learns here: all {plan.total} candidates are among the "
            f"search.startup={study.search.startup} that are proposed without scores. Ask for more candidates, "
            "or for fewer to start with"
        )
    training, seeds = study.base.training, len(study.seeds)
    say(
        f"{plan.total} candidates × {seeds} {'seeds' if seeds > 1 else 'seed'} need {plan.trainings} trainings "
        f"for the targets {', '.join(plan.targets)}, at most {plan.steps_of(plan.total):,} steps in all (one "
        f"of the base has {training.steps:,}). Trainings that are done already are not subtracted",
        f"{together} training(s) at once on this machine, each with {training.workers} worker(s); "
        + (f"about {hours:.1f} h left at most" if hours else "hours are known when a training was measured"),
    )


def _hours(plan: Plan, together: int) -> float | None:
    """Return the hours that a study takes from now on, if it was begun and a training was measured."""
    from rfmeta_dist.core.errors import RfmetaError
    from rfmeta_dist.tuning.study import look

    try:
        return look(f"{plan.study.folder.rstrip('/')}/{plan.study.name}").hours_left(together)
    except RfmetaError:  # it was not begun yet, or its folder cannot be reached
        return None


def columns(plan: Plan) -> list[str]:
    """Return the fields of the space without their sections, where that is enough to tell them apart."""
    last = [field.rpartition(".")[2] for field in plan.study.space]
    return [
        name if last.count(name) == 1 else field for name, field in zip(last, plan.study.space, strict=True)
    ]


def cell(value: object) -> str:
    """Return a candidate's value of a field as a text."""
    if value is None:
        return "as in the base"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
