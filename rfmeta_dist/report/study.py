"""Make the page of a study: what was chosen for each target, what that is worth, and how it came about."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import mean
from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.core.digests import digest
from rfmeta_dist.report import study_plots as plots
from rfmeta_dist.report.importance import Importance, importance
from rfmeta_dist.report.page import environment
from rfmeta_dist.runs import starts
from rfmeta_dist.tuning import deploy, folds, opening
from rfmeta_dist.tuning.results import SOURCES
from rfmeta_dist.tuning.standing import short_names
from rfmeta_dist.tuning.study import DEPLOY
from rfmeta_dist.tuning.translate import ABSENT, at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfmeta_dist.config.study import Study
    from rfmeta_dist.tuning.standing import Standing
    from rfmeta_dist.tuning.view import Entry, View

    Row = dict[str, Any]

FILE = "study.html"
SHOWN_ROWS = 16  # of a target's candidates; the others are folded away
STRONGEST = 40  # percent of colour behind the best figure, so that text on it stays readable
NO_OPTUNA = "The package optuna is not installed; it comes with: pip install 'rfmeta_dist[train]'"


def render(standing: Standing) -> str:
    """Return the page of a study as HTML. It can be made while the study runs, too.

    Args:
        standing: from `standing.stand`.
    """
    study, plan = standing.study, standing.known.plan
    names, base = short_names(study), study.base.model_dump(mode="json")
    return (
        environment()
        .get_template("study.html.jinja")
        .render(
            version=__version__,
            traces=starts.traces(standing.known.folder),
            study=study,
            plan=plan,
            standing=standing,
            metric=study.metric.upper(),
            fields=names,
            targets=[_target(standing, target, names) for target in standing.views],
            base_values={field: _text(at(base, field)) for field in study.space},
            two_sources=study.selection == "nested" and len(study.domains) == 4,
            hours=standing.known.state.seconds / 3600,
            deployed=_deployed(standing),
            regret=_regret(standing),
            deploy_file=DEPLOY,
            effort=standing.effort(),
            most_steps=plan.steps_of(plan.total),
            configuration=_configuration(study),
        )
    )


def _target(standing: Standing, target: str, names: Mapping[str, str]) -> Row:
    study, view, chosen = standing.study, standing.views[target], standing.chosen(target)
    order = _ranked(study, view, chosen)
    of_target = folds.of_target(study, target)
    tints = {fold: _tints(study, view, fold) for fold in of_target}
    rows = [_row(standing, target, entry, tints) for entry in order]
    return {
        "name": target,
        "view": view,
        "looked_at": standing.known.looked_at(view),
        "chosen": chosen,
        "base": view.entries[0],
        "gain": _gain(study, view, chosen),
        "better_folds": _better_folds(study, view, chosen),
        "changed": {} if chosen is None else _values(chosen),
        "complete": sum(entry.value is not None for entry in view.entries),
        "folds": [fold_name(fold) for fold in of_target],
        "shown": rows[:SHOWN_ROWS],
        "hidden": rows[SHOWN_ROWS:],
        "decided": _decided(study, view),
        **_plots(study, view, chosen, names),
    }


def _regret(standing: Standing) -> Row | None:
    """Return what `rfmeta tune regret` found; None before, and if other choices have been made since."""
    found, known = opening.read(standing.known), standing.known
    if found is None or not standing.over:
        return None
    for target, told in found["targets"].items():
        if standing.chosen(target) is None:
            return None
        if digest(known.choice_file(standing.views[target]).encode()) != told["choice_sha256"]:
            return None
    return found


def fold_name(fold: str) -> str:
    """Return the heading of a fold."""
    return "sources’ validation splits" if fold == SOURCES else fold


def _ranked(study: Study, view: View, chosen: Entry | None) -> list[Entry]:
    """Return the chosen candidate, then those that came to the end, the best first; then the others."""
    sign = 1 if study.metric == "hter" else -1

    def place(entry: Entry) -> tuple[bool, bool, int, float, int]:
        score = mean(entry.folds.values()) if entry.rungs else math.inf
        step, number = max(entry.rungs, default=0), entry.candidate.number
        return entry is not chosen, bool(entry.failed), -step, sign * score, number

    return sorted(view.entries, key=place)


def _row(
    standing: Standing, target: str, entry: Entry, tints: Mapping[str, Callable[[float | None], int]]
) -> Row:
    state = standing.state(target, entry)
    in_words = {
        "stopped": f"stopped at step {entry.stopped}",
        "failed": f"failed: {entry.kind or entry.failed}",
        "waiting": "waits for its cohort",
        "left": "not trained on",
    }
    figures = {fold: entry.folds.get(fold) for fold in tints}
    return {
        "number": entry.candidate.number,
        "chosen": entry is standing.chosen(target),
        "values": _values(entry),
        "figures": [(figure, tints[fold](figure)) for fold, figure in figures.items()],
        "mean": mean(entry.folds.values()) if entry.folds else None,
        "state": in_words.get(state, state),
    }


def _values(entry: Entry) -> dict[str, str]:
    return {field: _text(value) for field, value in entry.candidate.values.items()}


def _text(value: Any) -> str:
    if value is ABSENT:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _tints(study: Study, view: View, fold: str) -> Callable[[float | None], int]:
    """Return a function from a figure of a fold to the percent of colour behind it: the better, the more.

    Each fold has its own scale, because domains differ in how hard they are.
    """
    figures = [entry.folds[fold] for entry in view.entries if math.isfinite(entry.folds.get(fold, math.nan))]
    low, high = min(figures, default=0.0), max(figures, default=0.0)

    def tint(figure: float | None) -> int:
        if figure is None or not math.isfinite(figure) or high == low:
            return 0
        share = (figure - low) / (high - low)
        return round(STRONGEST * (1 - share if study.metric == "hter" else share))

    return tint


def _gain(study: Study, view: View, chosen: Entry | None) -> float | None:
    """Return by how much the chosen candidate is better than the base; None if one of them has no score."""
    base = view.entries[0].value
    if chosen is None or chosen.value is None or base is None:
        return None
    return base - chosen.value if study.metric == "hter" else chosen.value - base


def _better_folds(study: Study, view: View, chosen: Entry | None) -> tuple[int, int] | None:
    """Return in how many folds the chosen candidate is better than the base, and the number of folds."""
    if _gain(study, view, chosen) is None or chosen is None:
        return None
    base, sign = view.entries[0].folds, 1 if study.metric == "hter" else -1
    return sum(sign * value < sign * base[fold] for fold, value in chosen.folds.items()), len(base)


def _decided(study: Study, view: View) -> list[Row]:
    """Return for each rung how many candidates came to it, and how many of them train on."""
    steps = [*study.search.rungs, study.base.training.steps]
    rows = []
    for step, following in pairwise(steps):
        made = [decision for decision in view.decisions if decision.step == step]
        came = [entry for entry in view.entries if step in entry.rungs]
        on = sum(len(decision.going) for decision in made)
        stopped = sum(entry.stopped == step for entry in view.entries)
        rows.append({"step": step, "came": len(came), "stopped": stopped, "on": on, "following": following})
    return rows


def _plots(study: Study, view: View, chosen: Entry | None, names: Mapping[str, str]) -> Row:
    """Return the SVG plots of a target. One that would show nothing is an empty text."""
    judged = any(entry.rungs for entry in view.entries)
    id_ = "".join(char if char.isalnum() else f"_{ord(char)}_" for char in view.target)
    mattered = _importance(study, view)
    return {
        "history": plots.history(study, view, chosen, f"history-{id_}") if judged else "",
        "rungs": plots.rungs(study, view, chosen, f"rungs-{id_}") if judged and study.search.rungs else "",
        "parallel": plots.parallel(study, view, chosen, names, f"parallel-{id_}") if judged else "",
        "unknown": mattered if isinstance(mattered, str) else "",
        "importance": plots.importance(view.target, mattered, names, f"importance-{id_}")
        if isinstance(mattered, Importance)
        else "",
    }


def _importance(study: Study, view: View) -> Importance | str:
    try:
        return importance(study, view)
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        return NO_OPTUNA


def _deployed(standing: Standing) -> Row | None:
    """Return the candidate that is best over all folds of all targets; None if there is no such choice yet."""
    study, views = standing.study, list(standing.views.values())
    if study.selection != "nested" or not standing.over or set(standing.views) != set(study.domains):
        return None
    order = deploy.ranked(study, views)
    if not order:
        return None
    base = next((one for one in order if not one.candidate.values), None)
    return {"best": order[0], "base": base, "of": len(order)}


def _configuration(study: Study) -> str:
    import yaml

    tree = study.model_dump(mode="json", exclude_none=True)
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
