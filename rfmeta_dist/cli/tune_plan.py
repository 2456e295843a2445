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
    say(*notes(plan))
    training, steps = study.base.training, f"{plan.steps_of(plan.total):,}"
    early = (
        f"at most {steps} steps in all: fewer if both targets of a training stop it"
        if study.search.rungs
        else f"{steps} steps in all"
    )
    say(
        f"{counted(plan.total, 'candidate')} × {counted(len(study.seeds), 'seed')} need "
        f"{counted(plan.trainings, 'training')} for the targets {', '.join(plan.targets)}, {early} (one of "
        f"the base has {training.steps:,}). Trainings that are done already are not subtracted",
        f"on this machine {together} at once, each with {counted(training.workers, 'worker')}; "
        + (f"about {hours:.1f} h left at most" if hours else "hours are known when a training was measured"),
    )


def counted(number: int, what: str) -> str:
    """Return a number with its noun, such as "1 seed" or "1,200 trainings"."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def notes(plan: Plan) -> list[str]:
    """Return what a user may not expect of the number of candidates."""
    from rfmeta_dist.tuning.proposals import count

    study, found = plan.study, []
    limits = [f"budget.{name}" for name in ("trainings", "steps") if getattr(study.budget, name)]
    if limits and study.search.kind != "grid" and plan.total < count(study):
        found.append(
            f"{' and '.join(limits)} may lower the candidates, from {count(study)} to {plan.total} here; for "
            "more, raise the budget"
        )
    if plan.total == 1:
        found.append("only the base is left, so nothing is searched")
    if study.search.learns and plan.total <= len(plan.shared):
        found.append(
            f"search.kind={study.search.kind} never learns here: all {counted(plan.total, 'candidate')} are "
            f"among the first search.startup={study.search.startup}, which are proposed without scores. Raise "
            "search.candidates, or lower search.startup"
        )
    return found


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
