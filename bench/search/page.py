"""Write the page about a search, from what `collect` found."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.report.words import number, signed

FIELDS = {
    "method.inner_learning_rate": "inner rate",
    "method.depth_weight": "depth weight",
    "training.learning_rate": "rate",
    "data.augmentation.blur": "blur",
}
MARKS = "- **±** is the standard deviation over the fresh seeds; **[ ]** is the"
HEAD = """# Search: is a configuration that was chosen without the target better than the default?

{answer}

Made by `rfmeta tune bench/search/study.yaml`, `rfmeta tune regret runs/search/small` and
`python -m bench.search runs/search/small`.

- **Data**: the four generated domains in `shards/demo` (rho 0), patches of 64×64 pixels. A domain that is left
  out is judged on its validation people: 120 to 200 videos of 20 to 30 people.
- **Search**: {candidates} candidates (Sobol; candidate 0 is the default) over inner rate, depth weight, rate
  and blur; RFMeta, width 1/8, {steps} steps, one seed. After steps {rungs} the better half goes on. For
  each target, every source in turn is left out and judged on, so nothing of the target is read.
- **Comparison**, after the choices were sealed: every candidate was trained on all three sources and judged on
  the target. The best one there is the *oracle*, which nobody knows beforehand. Then oracle, choice and default
  were trained with the fresh seeds {fresh}, of which no decision knew. Only these figures are compared.
{marks}
- **Machine**: AMD EPYC, 2 logical cores, torch 2.13.0+cpu, beside other work, so times are upper bounds.

## What was saved

| | trainings | steps |
| --- | --- | --- |
| each target by itself, all to the end | {asked} | {asked_steps:,} |
| targets share trainings | {trainings} | {shared_steps:,} |
| and worse candidates stop early | {trainings} ({ended}) | {trained_steps:,} |

So the search took {share:.0f} % of the steps. Training and judging took {hours} hours, summed over two lanes.
"""


def render(found: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    search, steps = found["search"], found["steps"]
    text = HEAD.format(
        answer=_wrapped(_answer(found)),
        candidates=found["candidates"],
        steps=steps,
        rungs=" and ".join(map(str, found["rungs"])),
        fresh=", ".join(map(str, found["fresh_seeds"])),
        marks=_wrapped(f"{MARKS} {found['interval']}.", "  "),
        asked=search["trainings_without_sharing"],
        asked_steps=search["trainings_without_sharing"] * steps,
        trainings=search["trainings"],
        shared_steps=search["trainings"] * steps,
        trained_steps=search["steps_trained"],
        ended=", ".join(f"{n} ended at step {step}" for step, n in search["ended_at_step"].items()),
        share=100 * search["steps_trained"] / (search["trainings_without_sharing"] * steps),
        hours=search["hours"],
    )
    return text + "\n".join(["", *_chosen(found), "", *_compared(found), "", *_folds(found), ""])


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 110, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _answer(found: Mapping[str, Any]) -> str:
    difference, regret = found["mean"]["worse_than_base"], found["mean"]["regret"]
    low, high = 100 * difference["low"], 100 * difference["high"]
    if high < 0:
        verdict = "**The choices are better than the default.**"
    elif low > 0:
        verdict = "**The choices are worse than the default.**"
    else:
        verdict = "**No difference to the default is shown.**"
    return (
        f"{verdict} In the mean over the four targets, HTER of the choice less that of the default is "
        f"{_points(difference)} points over {len(found['fresh_seeds'])} fresh seeds (less is better). HTER of "
        f"the choice less that of the oracle is {_points(regret)} points: the oracle is the best of "
        f"{found['candidates']} single trainings on the target, so it is partly luck, which fresh seeds do not "
        "repeat."
    )


def _chosen(found: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            str(target["choice"]["candidate"]),
            *(_value(target["values"].get(field)) for field in FIELDS),
            _percent(target["folds_choice"]),
            _percent(target["folds_base"]),
        ]
        for name, target in found["targets"].items()
    ]
    head = ["target", "candidate", *FIELDS.values(), "HTER over folds", "of the default"]
    flatter = "Figures over folds flatter the choice, because it is the best of many."
    return ["## What was chosen", "", *_table(head, rows), "", flatter]


def _compared(found: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            name,
            *(_figure(target[which]) for which in ("choice", "oracle", "base")),
            _points(target["worse_than_base"]),
            _points(target["regret"]),
        ]
        for name, target in found["targets"].items()
    ]
    mean = found["mean"]
    rows.append(["mean", "", "", "", _points(mean["worse_than_base"]), _points(mean["regret"])])
    head = ["target", "choice", "oracle", "default", "choice − default", "choice − oracle (regret)"]
    return [
        "## On the target, with fresh seeds",
        "",
        *_table(head, rows),
        "",
        "HTER by video in percent, with the candidate's number in parentheses; differences in points, negative "
        "if the choice is better.",
    ]


def _folds(found: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, target in found["targets"].items():
        known = {int(number): value for number, value in target["first_seed"].items() if value is not None}
        order = sorted(known, key=lambda number: (known[number], number))
        place = order.index(target["choice"]["candidate"]) + 1
        rows.append([name, str(place), str(order.index(0) + 1), str(len(order))])
    head = ["target", "place of the choice", "of the default", "of so many candidates"]
    return [
        "## Where the choice stands among all candidates",
        "",
        *_table(head, rows),
        "",
        "All candidates were ranked on the target with the search's own seed, which is one training each: "
        "a rough order.",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _figure(found: Mapping[str, Any]) -> str:
    return f"{number(found['mean'])} ± {number(found['std'])} ({found['candidate']})"


def _points(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "–"
    return f"{signed(difference['mean'])} [{number(difference['low'])}, {number(difference['high'])}]"


def _percent(fraction: float) -> str:
    return f"{number(fraction)} %"


def _value(value: Any) -> str:
    return "default" if value is None else f"{value:.3g}"
