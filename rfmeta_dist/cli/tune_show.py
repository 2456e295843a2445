"""`rfmeta tune show`: look at a study while it runs, or later."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, fits, plain_table, print_json, say, show, show_rich

if TYPE_CHECKING:
    from rich.table import Table

    from rfmeta_dist.tuning.standing import Standing
    from rfmeta_dist.tuning.view import Entry

EXAMPLES = """
[bold]Examples[/]

  rfmeta tune show runs/my-study

  rfmeta tune show runs/my-study --json

  rfmeta tune show runs/my-study --page      [dim]# also write the study's page as it is now[/]

Nothing is claimed, so the study may run meanwhile.
"""
BASE = "base"  # stands for a value that is as in the base
ENDED_BY_HOURS = (
    "budget.hours was spent, so no further cohort is begun: the choice depends on how fast the machines were."
)
SHOWN_STEPS = 4  # the last ones, if the table would not fit into the terminal otherwise


def show_study(
    study: Annotated[
        str,
        typer.Argument(help="The study's folder, local or s3://…, as printed by tune.", show_default=False),
    ],
    page: Annotated[
        bool,
        typer.Option(
            "--page",
            help="Also write the study's page, study.html, and the table of all figures, results.parquet, into "
            "its folder.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Show how a study stands: for each target the candidates, their scores and the best one so far."""
    from rfmeta_dist.tuning.standing import as_dict, stand
    from rfmeta_dist.tuning.study import look

    standing = stand(look(study))
    files = write_page(standing) if page else []
    if json:
        opened = {target: opening["time"] for target, opening in standing.known.state.opened.items()}
        print_json({**as_dict(standing), "opened": opened, "files": files})
        return
    show(*_summary(standing))
    for target in standing.views:
        _show_target(standing, target)
    _say_written(files)


def write_page(standing: Standing) -> list[str]:
    """Write a study's page and its table of figures, and return their places.

    Raises:
        ModuleNotFoundError: a package of the extra `report` is not installed.
    """
    from rfmeta_dist.report import study
    from rfmeta_dist.tuning import compact

    folder = standing.known.folder
    folder.write(compact.FILE, compact.to_parquet(standing))
    folder.write(study.FILE, study.render(standing).encode())
    return [f"{folder.url}/{name}" for name in (study.FILE, compact.FILE)]


def write_page_if_possible(standing: Standing) -> list[str]:
    """Do the same as `write_page`; without the extra `report`, say how to get the page later."""
    from rfmeta_dist.core.extras import missing

    try:
        files = write_page(standing)
    except ModuleNotFoundError as error:
        if (explained := missing(error)) is None:
            raise
        again = f"rfmeta tune show {standing.known.folder.url} --page"
        say(f"the study's page was not written: {explained.problem}. {explained.remedy}; then: {again}")
        return []
    _say_written(files)
    return files


def _say_written(files: list[str]) -> None:
    if files:
        say(f"wrote the page {files[0]}, and all figures as a table: {files[1]}")


def _summary(standing: Standing) -> list[str]:
    study, plan, effort = standing.study, standing.known.plan, standing.effort()
    facts = {
        "study": f"{study.name}: {study.search.kind}, for the targets {', '.join(plan.targets)}",
        "candidates": f"at most {plan.total} for each target, with {len(study.seeds)} seed(s)",
        "trainings": f"{effort.trainings} of at most {plan.trainings} begun; {effort.complete} came to their "
        f"end, {effort.stopped} were stopped early",
        "steps": f"{effort.steps:,} of at most {plan.steps_of(plan.total):,}",
        "wanted now": f"{effort.wanted} training(s)" if effort.wanted else "nothing: the search is over",
        "searched": f"{standing.known.state.seconds / 3600:.1f} hours",
        "budget": ", ".join(
            f"{limit:,g} {name}" for name, limit in study.budget.model_dump(exclude_none=True).items()
        )
        or "no limit",
    }
    lines = [line for name, fact in facts.items() for line in _wrapped(f"{name:<12}{fact}", " " * 12)]
    if standing.ended_by_hours:
        lines += _wrapped(ENDED_BY_HOURS)
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Return a text as lines of at most 79 characters, if no word is longer."""
    return textwrap.wrap(text, 79, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _show_target(standing: Standing, target: str) -> None:
    table = _table(standing, target, columns=True)
    if not fits(table):
        table = _table(standing, target, columns=False)
    show("", f"target {target}: {standing.study.metric.upper()} in %, mean over its folds and seeds")
    show_rich(table)
    show(*_wrapped(_best(standing, target, standing.chosen(target))))
    if opening := standing.known.state.opened.get(target):
        show(*_wrapped(_opened(opening["time"], standing.known.looked_at(standing.views[target]))))


def _table(standing: Standing, target: str, *, columns: bool) -> Table:
    """Return the table of a target's candidates, with a column for each field or with one for all of them."""
    from rich.table import Column

    from rfmeta_dist.tuning.standing import short_names

    space, view, chosen = list(standing.study.space), standing.views[target], standing.chosen(target)
    steps = sorted({step for entry in view.entries for step in entry.rungs})
    names = list(short_names(standing.study).values())
    if not columns:
        steps = steps[-SHOWN_STEPS:]
    heads: list[str | Column] = [
        Column("number", justify="right"),
        *([name.replace("_", "_\n") for name in names] if columns else ["values"]),
        *(Column(f"step\n{step}", justify="right", no_wrap=True) for step in steps),
        "state",
    ]
    rows = []
    for entry in view.entries:
        values, scores = [shown(entry.candidate.values, field) for field in space], entry.told.rungs
        if not columns:
            own = [f"{name} {text}" for name, text in zip(names, values, strict=True) if text != BASE]
            values = ["\n".join(own) or BASE]
        cells = [f"{100 * scores[step]:.1f}" if step in scores else "" for step in steps]
        rows.append([str(entry.candidate.number), *values, *cells, _state(standing, target, entry, chosen)])
    return plain_table(heads, rows, padding=(0, 1, 0, 0), collapse_padding=True)


def shown(values: Mapping[str, Any], field: str) -> str:
    """Return a candidate's value of a field as a text; `BASE` if the candidate does not set it."""
    if field not in values:
        return BASE
    value = values[field]
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _state(standing: Standing, target: str, entry: Entry, chosen: Entry | None) -> str:
    state = standing.state(target, entry)
    if entry is chosen:
        return "best"
    if state == "failed":
        return f"failed: {entry.kind or entry.failed}"
    return f"stopped at {entry.stopped}" if state == "stopped" else state


def _best(standing: Standing, target: str, chosen: Entry | None) -> str:
    from rfmeta_dist.tuning.choice import percent

    view = standing.views[target]
    if view.problem:
        return f"this target was stopped: {view.problem}"
    if chosen is None:
        return "no candidate has come to its end yet" if view.wanted else "all candidates failed"
    base = view.entries[0]
    compared = f"the base failed: {base.failed}" if base.failed else f"the base has {percent(base.value)}"
    so_far = " so far" if view.wanted else ""
    return f"best{so_far}: candidate {chosen.candidate.number} with {percent(chosen.value)}; {compared}"


def _opened(time: str, before: str) -> str:
    looked = f"the labels of this target were looked at by `rfmeta tune regret` ({time})"
    if before:
        return f"{looked} before this was chosen, so the choice may depend on them"
    return f"{looked} after this was chosen; a study that goes on is marked as opened"
