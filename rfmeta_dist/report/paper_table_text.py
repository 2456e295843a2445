"""Write the tables that are compared with the RFMeta paper: their rows, captions and notes, and Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.methods.tables import CAPTIONS, PAPERS_OWN, TABLES, title_of
from rfmeta_dist.report import published, table
from rfmeta_dist.report.comparison import MEAN
from rfmeta_dist.report.comparison_text import DIFFERENCES_CAPTION, probability
from rfmeta_dist.report.paper_table import FIGURES, OTHERS
from rfmeta_dist.report.words import interval, number, signed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfmeta_dist.report.comparison import Difference, Figure
    from rfmeta_dist.report.paper_table import Line, Results

NONE = "–"
POWER_80 = 0.8416  # the normal quantile of 0.8
OWN = title_of(PAPERS_OWN)
PROTOCOLS = {"leave-one-out": "Leave one domain out", "limited-source": "Limited sources"}
CAPTION = (
    "HTER / AUC per video, in percent. HTER is at the threshold from the sources' validation splits, so no "
    "label of the target is used. ± is the standard deviation over seeds. Hours are those of training, summed "
    "over the method's runs."
)
PUBLISHED = f"Rows with “published” are {published.LABEL}."
DIFFERENCES = ("method", "figure", f"less {OWN}", "confidence", "p, uncorrected", "p", "verdict")


def heads(results: Results) -> list[str]:
    """Return the heads of the paper's tables."""
    names = [results.splits.get(target, target) for target in results.targets]
    return ["method", "seeds", *names, "hours", "note"]


def rows(results: Results, lines: Sequence[Line]) -> list[list[str]]:
    """Return the rows of a table, in the order of `heads`: each method, and below it what papers report."""
    found = []
    for line in lines:
        cells = [_cell(line, target) for target in results.targets]
        hours = NONE if line.hours is None else f"{line.hours:.2f}"
        found.append([line.title, line.seeds or NONE, *cells, hours, line.reason])
        for name, theirs in line.published.items():
            shown = [theirs.get(results.splits.get(target, ""), NONE) for target in results.targets]
            found.append([name, "", *shown, "", ""])
    return found


def _cell(line: Line, target: str) -> str:
    """Return HTER and AUC of a method on a target, as `38.7 ± 0.4 / 66.0 ± 1.0`."""
    shown = [_figure(line.figures.get((name, target))) for name in FIGURES]
    return NONE if set(shown) == {NONE} else " / ".join(shown)


def mean_words(results: Results, line: Line) -> str:
    """Return HTER and AUC of a method, as mean over targets or on the only target."""
    return _cell(line, results.targets[-1])


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return NONE
    return number(figure.value) + ("" if figure.std is None else f" ± {number(figure.std)}")


def tables(results: Results, protocol: str) -> dict[str, list[list[str]]]:
    """Return the rows of all tables of a protocol by their titles, without tables that have no row.

    Args:
        results: what is shown.
        protocol: `leave-one-out`, whose tables are the paper's; or `limited-source`, which has one table.
    """
    if protocol == "limited-source":
        return {"All methods": rows(results, results.lines)}
    named = {f"{name}: {CAPTIONS[name]}": results.of(name) for name in TABLES} | {OTHERS: results.of(OTHERS)}
    return {title: rows(results, lines) for title, lines in named.items() if lines}


def decided(results: Results) -> list[Difference]:
    """Return the differences from the paper's own method that have a verdict."""
    found = results.comparison.differences if results.comparison else ()
    return [d for d in found if d.verdict]


def difference_rows(results: Results) -> list[list[str]]:
    """Return the rows of the differences from the paper's own method, in the order of DIFFERENCES."""
    found = []
    for d in decided(results):
        low, high = d.interval
        shown = f"{signed(d.estimate.value)} {interval({'low': low, 'high': high})}"
        ps = probability(d.estimate.p), probability(d.verdict.p) if d.verdict else NONE
        found.append([title_of(d.method), d.figure, shown, f"{d.confidence:.4g} %", *ps, d.words])
    return found


def figure_rows(results: Results) -> list[table.Row]:
    """Return the rows of all figures: leak-free beside oracle, with intervals, for each method and target."""
    order = {line.method: position for position, line in enumerate(results.lines)}
    evaluations = [{**one.record.evaluation, "method": one.method} for one in results.found]
    evaluations.sort(
        key=lambda found: (order.get(found["method"], 0), list(results.splits).index(found["target"]))
    )
    return table.rows(evaluations, missing=results.missing)


def notes(results: Mapping[str, Results]) -> list[str]:
    """Return sentences about what limits the tables, without full stops."""
    found = [
        f"{PROTOCOLS[protocol]}: {note}"
        for protocol, some in results.items()
        for note in (some.comparison.notes if some.comparison else ())
    ]
    found += [text for protocol, some in results.items() if (text := _equal(some, PROTOCOLS[protocol]))]
    found += [text for protocol, some in results.items() if (text := _smallest(some, PROTOCOLS[protocol]))]
    return [*found, *published.NOTES]


def _equal(results: Results, protocol: str) -> str:
    """Say which methods train the same weights as another one, if an episode has two domains."""
    if any(len(one.sources) != 2 for one in results.found):
        return ""
    judged = dict.fromkeys(one.method for one in results.found)
    equal = {name: METHODS[name].equal_on_one_pair for name in judged if name in METHODS}
    pairs = [f"{title_of(name)} trains the same weights as {title_of(to)}" for name, to in equal.items() if to]
    return f"{protocol}: with two sources, {', and '.join(pairs)}" if pairs else ""


def _smallest(results: Results, protocol: str) -> str:
    """Say how large a true difference must be to be found significant four times out of five.

    This is half of the difference's interval, plus 0.84 standard errors: the estimate is at most that far below
    the true difference four times out of five.
    """
    # A method with the same weights as the paper's own differs by exactly 0, which says nothing about others.
    found = [d for d in decided(results) if d.figure == FIGURES[0] and d.estimate.error]
    needed = [(d.interval[1] - d.interval[0]) / 2 + POWER_80 * d.estimate.error for d in found]
    if not needed:
        return ""
    low, high = number(min(needed)), number(max(needed))
    size = f"{low} points" if low == high else f"{low} to {high} points, depending on the method"
    return (
        f"{protocol}, {results.seeds} seed(s): a true difference from {OWN} in mean HTER must be about {size}, "
        "to be found significant four times out of five. These runs rarely show smaller ones"
    )


def missing_lines(results: Results) -> list[str]:
    """Return a line for each method and reason for which runs are missing, with these runs."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for lost in results.missing:
        of_reason = groups.setdefault((title_of(lost.method), lost.reason), {})
        of_reason.setdefault(lost.split, []).append(str(lost.seed))
    lines = []
    for (title, reason), of_split in groups.items():
        runs = "; ".join(f"{split} seed(s) {', '.join(seeds)}" for split, seeds in of_split.items())
        lines.append(f"{title}, {runs}: {reason}")
    return lines


def markdown(results: Mapping[str, Results], picture: str = "") -> str:
    """Return all tables as Markdown.

    Args:
        results: the results by protocol.
        picture: name of the file with the drawing of Figure 5; empty for none.
    """
    parts = []
    for protocol, some in results.items():
        parts.append(f"## {PROTOCOLS[protocol]}")
        for title, body in tables(some, protocol).items():
            parts += [f"### {title}", _markdown(heads(some), body)]
        parts += [CAPTION, PUBLISHED]
        if picture and protocol == "leave-one-out":
            parts.append(f"![HTER and AUC of the paper's method, and with parts of it left out]({picture})")
        if body := difference_rows(some):
            parts += [f"### Differences from {OWN}", _markdown(DIFFERENCES, body), DIFFERENCES_CAPTION]
        parts += ["### All figures", table.markdown(figure_rows(some)).rstrip()]
        if some.missing:
            parts += ["### Missing runs", "\n".join(f"- {line}" for line in missing_lines(some))]
    parts += ["## Notes", "\n".join(f"- {note}." for note in notes(results))]
    return "\n\n".join(parts) + "\n"


def _markdown(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *body]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def as_dict(results: Mapping[str, Results]) -> dict[str, Any]:
    """Return all tables as values that JSON can represent. Rates are fractions; published figures are texts."""
    return {
        "protocols": {protocol: _values(some) for protocol, some in results.items()},
        "tables": {name: list(some) for name, some in TABLES.items()},
        "published": published.LABEL,
        "notes": notes(results),
    }


def _values(results: Results) -> dict[str, Any]:
    return {
        "splits": dict(results.splits),
        "methods": [
            {
                "title": line.title,
                "method": line.method or None,
                "seeds": line.seeds,
                "hours": line.hours,
                "figures": [
                    {
                        "figure": name,
                        "target": MEAN if target == MEAN else target,
                        "value": figure.value,
                        "std": figure.std,
                        "values": list(figure.values),
                    }
                    for (name, target), figure in line.figures.items()
                ],
                "published": {name: dict(cells) for name, cells in line.published.items()},
                "reason": line.reason or None,
            }
            for line in results.lines
        ],
        "differences": [
            {
                "method": d.method,
                "figure": d.figure,
                "value": d.estimate.value,
                "low": d.interval[0],
                "high": d.interval[1],
                "confidence": d.confidence / 100,
                "p_uncorrected": d.estimate.p,
                "p": d.verdict.p if d.verdict else None,
                "verdict": d.words,
            }
            for d in decided(results)
        ],
        "missing": missing_lines(results),
    }
