"""Make the page of one attempt to retrain: what was new, how both models do, what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.interval import LEVEL, of_effective
from rfmeta_dist.report.page import environment
from rfmeta_dist.report.plots import BLUE, GREY, ORANGE, as_svg, new_figure, styled
from rfmeta_dist.report.words import number, percent
from rfmeta_dist.retrain.decisions import EQUAL, OWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Row = dict[str, Any]

# What an outcome means for the one who uses the model, by its name in outcome.json.
OUTCOMES = {
    "promoted": "The challenger is the new champion",
    "approve": "The challenger may be promoted, and waits for a person to do it",
    "refused": "The challenger was refused, and the champion stays",
    "undecided": "Nothing was decided, and the champion stays",
    "stopped": "The new data was refused before training, and the champion stays",
    "abandoned": "The attempt could not go on, and the champion stays",
    "overtaken": "Another champion was promoted in the meantime, and it stays",
    "": "The attempt has not ended",
}
SHOWN = 12  # rows of harm tests that are not folded
_PARTS = {"frozen": "frozen test sets", "new": "new test videos", "new, counted": "new, reviewed batches only"}
_MODELS = (("champion", BLUE, "o", -0.14), ("challenger", ORANGE, "s", 0.14))


def render(attempt: Mapping[str, Any]) -> str:
    """Return the page of an attempt as HTML, which needs no other file, no network and no script.

    Args:
        attempt: what is known, as JSON can hold it. Everything except `asked` may be missing or None:
            `name` of the model; `folder`, the attempt's place; `asked`, the content of attempt.json; `intake`,
            of intake.json (`findings`, and `before`: by type, videos and those that the champion gets wrong);
            `verdict`, of verdict.json; `drift`, as retrain/drift.py gives it; `audit`, the head of the audit
            log; `outcome`, of outcome.json; `traces`, the trace ids of the processes that worked on it.
    """
    asked = attempt["asked"]
    outcome = {"outcome": "", "why": "", "ended": "", "version": None} | (attempt.get("outcome") or {})
    intake, verdict = attempt.get("intake") or {}, attempt.get("verdict")
    name = str(outcome["outcome"])
    page = environment()
    page.filters["difference"] = difference
    return page.get_template("retraining.html.jinja").render(
        version=__version__,
        traces=attempt.get("traces") or [],
        name=attempt.get("name", ""),
        folder=attempt.get("folder", ""),
        asked=asked,
        outcome=outcome,
        headline=OUTCOMES.get(name, name),
        batches=_batches(asked),
        findings=[_capital(finding) for finding in intake.get("findings", [])],
        checked=attempt.get("intake") is not None,
        before=_before(intake.get("before") or {}),
        verdict=verdict,
        harmed=_harmed(verdict, OWN),
        harmed_equal=_harmed(verdict, EQUAL),
        own=OWN,
        harm_shown=SHOWN,
        parts=_parts(verdict["rates"]) if verdict else [],
        drift=attempt.get("drift"),
        audit=attempt.get("audit"),
    )


def _harmed(verdict: Mapping[str, Any] | None, at: str) -> list[Row]:
    """Return the cells with significant harm at one kind of threshold."""
    return [row for row in verdict["harm"] if row["harm"] and row["at"] == at] if verdict else []


def _batches(asked: Mapping[str, Any]) -> list[Row]:
    """Return all batches, the new ones first."""
    new = asked.get("new_batches") or {}
    rows = [
        {"domain": domain, "batch": batch, "new": batch in new.get(domain, ())}
        for domain, names in sorted((asked.get("batches") or {}).items())
        for batch in names
    ]
    return sorted(rows, key=lambda row: not row["new"])


def _capital(finding: Mapping[str, Any]) -> Row:
    words = str(finding["words"])
    return {**finding, "words": words[:1].upper() + words[1:]}


def _before(found: Mapping[str, Mapping[str, int]]) -> list[Row]:
    """Return the champion's errors on the new test videos before training, live videos first."""
    return [
        {"type": kind, **counts, "share": counts["wrong"] / counts["videos"]}
        for kind, counts in sorted(found.items(), key=lambda item: (item[0] != LIVE, item[0]))
        if counts["videos"]
    ]


def _parts(rates: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return each part of the test videos: its title, its rows with intervals, and its plot."""
    found: list[Row] = []
    for number_, (part, title) in enumerate(_PARTS.items()):
        rows = [_with_ends(row) for row in rates if row["part"] == part]
        if rows and not (part == "new, counted" and rows == _like(found, rows)):
            rows.sort(key=lambda row: (row["type"] != LIVE, row["type"]))
            said = "; ".join(
                f"{row['type']}: champion {percent(row['champion'])}, challenger {percent(row['challenger'])}"
                for row in rows
            )
            svg = _plot(rows, title, f"rates-{number_}")
            found.append({"title": title, "rows": rows, "svg": svg, "words": f"{title}: {said}"})
    return found


def _like(found: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the part before as they would be if it had the same videos as `rows`."""
    return [{**one, "part": rows[0]["part"]} for one in (found[-1]["rows"] if found else [])]


def _with_ends(row: Mapping[str, Any]) -> Row:
    """Return a row of error rates with the 95 % interval of each, for which each person counts once."""
    import numpy as np

    found = dict(row)
    for model, *_ in _MODELS:
        low, high = 0.0, 1.0
        if row["subjects"] >= 2:  # an interval of one person would reach from 0 to 1
            people = np.array([row["subjects"]], np.float64)
            ends = of_effective(
                np.array([row[model]], np.float64),
                np.array([row["videos"]], np.float64),
                people,
                people,
                1 - LEVEL,
            )
            low, high = (float(end[0]) for end in ends)
        found[f"{model}_ends"] = {
            "value": row[model],
            "low": min(low, row[model]),
            "high": max(high, row[model]),
        }
    return found


def _plot(rows: Sequence[Mapping[str, Any]], title: str, name: str) -> str:
    """Draw the error rates of both models by type, with their intervals."""
    with styled(name):
        figure = new_figure(5, 0.9 + 0.45 * len(rows))
        axes = figure.subplots()
        for model, colour, marker, shift in _MODELS:
            for place, row in enumerate(rows):
                ends = row[f"{model}_ends"]
                y = place + shift
                axes.plot([100 * ends["low"], 100 * ends["high"]], [y, y], color=colour, linewidth=1.5)
                value = 100 * ends["value"]
                label = model if place == 0 else None
                axes.plot(value, y, marker, color=colour, markersize=6, label=label, clip_on=False)
        axes.set_yticks(range(len(rows)), [f"{row['type']} ({row['videos']})" for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, _round_up(rows))
        axes.set_xlabel("videos judged wrongly, in percent")
        axes.set_title(title)
        axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.5)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return as_svg(figure, name)


def _round_up(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the end of the axis in percent, a multiple of 10 beyond all ends of intervals."""
    most = max(100 * row[f"{model}_ends"]["high"] for row in rows for model, *_ in _MODELS)
    return min(100, 10 * (int(most) // 10 + 1))


def difference(value: float) -> str:
    """Format a difference that is in percentage points already: 5.0 → `+5.0`, −2.0 → `−2.0`."""
    text = number(value / 100)
    return f"+{text}" if value > 0 and text != "0.0" else text
