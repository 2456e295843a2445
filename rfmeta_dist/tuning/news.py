"""Say in words what a target has decided since it was looked at last."""

from __future__ import annotations

from collections.abc import Collection

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.choice import best, percent
from rfmeta_dist.tuning.view import Decision, View


def lines(study: Study, before: View | None, now: View) -> list[str]:
    """Return a line for each decision that a target has made since.

    Args:
        study: the study.
        before: what the target knew then; None if it was not looked at yet.
        now: what it knows now.
    """
    said = set(before.decisions) if before else set()
    found = [_line(study, now, decision) for decision in now.decisions if decision not in said]
    if now.problem and not (before and before.problem):
        found.append(f"target {now.target} is stopped: {now.problem}")
    return found


def _line(study: Study, view: View, decision: Decision) -> str:
    members = [entry for entry in view.entries if entry.cohort == decision.cohort]
    where = f"target {view.target}, {_numbers([entry.candidate.number for entry in members])}"
    if not decision.last:
        return f"{where}: after step {decision.step} these go on: {_numbers(decision.going)}"
    if not decision.going:
        return f"{where}: none came to its end, because all failed"
    known = [entry for entry in view.entries if entry.cohort <= decision.cohort]
    chosen = best(study, View(view.target, tuple(known), ()))
    score = f"{study.metric.upper()} {percent(chosen.value)}"
    return f"{where}: decided; the best so far is candidate {chosen.candidate.number}, {score} over its folds"


def _numbers(numbers: Collection[int]) -> str:
    """Return the numbers of candidates as a text, such as "candidates 0, 3, 5"; "no candidate" without any."""
    if not numbers:
        return "no candidate"
    return f"candidate{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"
