"""Prepare the section of a page that shows which checkpoints a run's model was chosen from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = {
    "last": "The model has the weights of the last step",
    "best": "The model is the candidate with the lowest equal error rate on the sources’ validation splits",
    "average": "The model has the average of the weights over the steps",
}


def section(choice: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the variables of the template `checkpoints`; None if the run had one candidate only.

    Args:
        choice: from `checkpoints.judged`, or from `checkpoints.described` if the run was not judged.
    """
    if not choice:
        return None
    rows = [
        {
            **row,
            "name": _name(row),
            "chosen": row["name"] == choice["chosen"],
            "oracle": row["name"] == choice.get("oracle"),
        }
        for row in choice["candidates"]
    ]
    is_judged = "oracle" in choice
    return {
        "why": f"{RULES[choice['rule']]}. The target had no part in the choice.",
        "rows": rows,
        "judged": is_judged,
        "said": sentences(choice) if is_judged else [],
        "left_out": choice["left_out"],
    }


def sentences(choice: Mapping[str, Any]) -> list[str]:
    """Say in sentences how much the candidates differ on the target.

    Args:
        choice: from `checkpoints.judged`.
    """
    names = {row["name"]: _name(row) for row in choice["candidates"]}
    best, model, count = names[choice["oracle"]], names[choice["chosen"]], len(names)
    if choice["oracle"] == choice["chosen"]:
        first = (
            f"None of the {count} candidates has a lower HTER on the target than the model, which is {model}: "
            "regret 0.0 points."
        )
    else:
        first = (
            f"Regret: the HTER of the model, which is {model}, is {words.number(choice['regret'])} points "
            f"above that of the best of {count} candidates on the target, {best}. That one is an oracle: to "
            f"find it, one needs the target’s labels, and the lowest of {count} figures is also low by chance."
        )
    spread = choice["spread"]
    if spread["std"] is None:
        return [first]
    second = (
        f"Spread: the HTER of the last {spread['count']} checkpoints lies between "
        f"{words.percent(spread['lowest'])} and {words.percent(spread['highest'])}, with a standard deviation "
        f"of {words.number(spread['std'])} points. A difference between two methods that is as small as this "
        "can come from the step at which training ended."
    )
    return [first, second]


def _name(row: Mapping[str, Any]) -> str:
    return f"average up to step {row['step']:,}" if row["averaged"] else f"step {row['step']:,}"
