"""Compare a study with its earlier start: which fields may grow, and what else must stay the same."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.runs.folder import MAY_DIFFER
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tuning.plan import Plan

# More of these may be asked for later. What was trained for the earlier ones is found again.
MAY_GROW = ("search.candidates", "seeds", "targets", "budget.trainings", "budget.steps", "budget.hours")


def require_same(folder: Store, before: Study, plan: Plan) -> None:
    """Check that a study asks for as much as its earlier start did, or for more, and changes nothing else.

    Args:
        folder: the study's folder.
        before: the study as it was given before.
        plan: the study as it is given now.

    Raises:
        RunError: another field differs, which is named, or the study asks for less.
    """
    left, right = _flat(before.model_dump(mode="json")), _flat(plan.study.model_dump(mode="json"))
    differing = [name for name in sorted(left.keys() | right.keys()) if left.get(name) != right.get(name)]
    differing = [name for name in differing if not _may_differ(name)]
    if not set(before.targets or before.domains) <= set(plan.targets):
        differing.append("targets")
    if before.domains != plan.study.domains and "base.data.sources" not in differing:
        differing.append("base.data.target")  # a run may get another target, but here it is one of the domains
    earlier = Plan(before)
    if not differing and plan.total < earlier.total:
        differing.append(
            f"search.candidates or the budget ({earlier.total} candidates before, {plan.total} now)"
        )
    elif not differing and plan.shared[: len(earlier.shared)] != earlier.shared:
        differing.append("the order of space")
    if plan.study.seeds[: len(before.seeds)] != before.seeds:
        differing.append("seeds")
    if differing:
        raise RunError(
            f"{folder.url} holds a study that differs in {', '.join(differing)}; candidates, seeds, targets "
            "and the budget may grow, but nothing else may change",
            "set these fields as they were, also with --set if they were given so, or start a new study with "
            "--set name=NEW",
        )


def _may_differ(name: str) -> bool:
    run_field = name.removeprefix("base.")
    if run_field == "evaluation.target_split":  # figures would be of other people
        return False
    return name in MAY_GROW or name == "folder" or run_field.startswith("run.") or run_field in MAY_DIFFER


def _flat(tree: Mapping[str, object], above: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and value and above != "space.":
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat
