"""Write a comparison as tables: their rows and captions, and the whole in Markdown and LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.evaluation import paired
from rfmeta_dist.report import published
from rfmeta_dist.report.comparison import CONFIDENCE
from rfmeta_dist.report.words import MINUS, number, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rfmeta_dist.report.comparison import Comparison, CrossCheck, Difference, Figure

LABELS = {"APCER_worst": "worst APCER"}
NONE = "–"
FIGURES_CAPTION = (
    "Per video, in percent. HTER and the other error rates are at the threshold from the sources' validation "
    "splits. ± is the standard deviation over seeds; in the row with the mean over targets, that of this mean."
)
BEST_CAPTION = "Bold: better than each other method, significantly."
DIFFERENCES = ("figure", "method", "baseline", "target", "difference", "confidence", "p", "verdict")
DIFFERENCES_CAPTION = (
    "Differences are in percentage points and paired by subject and seed. [ ] is their interval at the "
    "confidence in the next column. p is corrected by Holm's procedure, over all differences of one figure "
    f"that have a verdict. A difference is significant if p is below {paired.LEVEL:g}, which is exactly when "
    f"the interval excludes 0. Single targets beside a mean are shown at {CONFIDENCE:.0f} % without "
    "correction, and decide nothing."
)
PUBLISHED_CAPTION = f"HTER / AUC in percent. Rows with “published” are {published.LABEL}."
CHECK_CAPTION = (
    "DeLong's test of AUC per video for each pair of runs, as a cross-check. It treats all recordings as "
    "independent, although recordings of one person are not, and it decides nothing."
)


def head(comparison: Comparison) -> list[str]:
    """Return the heads of the table of figures."""
    return ["target split", "method", "seeds", *map(label, comparison.names)]


def label(name: str) -> str:
    """Return how a table calls a figure."""
    return LABELS.get(name, name)


def rows(comparison: Comparison, bold: Callable[[str], str] = str) -> list[list[str]]:
    """Return the rows of the table of figures: the methods on each target, then their means over targets.

    Args:
        comparison: what is shown.
        bold: marks the text of a figure that is significantly better than that of each other method.
    """
    found = []
    for target in comparison.targets:
        for method in comparison.methods:
            figures = [comparison.figure(name, method, target) for name in comparison.names]
            if figures[0] is not None:
                seeds = str(len(figures[0].values) or "")
                cells = [_cell(figure, bold) for figure in figures]
                found.append([split(comparison, target), method, seeds, *cells])
    return found


def split(comparison: Comparison, target: str) -> str:
    """Return the name of a target's split, or `mean`."""
    return comparison.splits.get(target, target)


def _cell(figure: Figure | None, bold: Callable[[str], str]) -> str:
    if figure is None:
        return NONE
    mean = number(figure.value)
    return f"{bold(mean) if figure.best else mean}{'' if figure.std is None else f' ± {number(figure.std)}'}"


def difference_rows(differences: Sequence[Difference], comparison: Comparison) -> list[list[str]]:
    """Return rows of the table of differences, in the order of `DIFFERENCES`."""
    return [
        [
            label(d.figure),
            d.method,
            d.baseline,
            split(comparison, d.target),
            f"{signed(d.estimate.value)} {_interval(d)}",
            f"{d.confidence:.4g} %",
            NONE if d.verdict is None else probability(d.verdict.p),
            d.words or NONE,
        ]
        for d in differences
    ]


def _interval(d: Difference) -> str:
    return f"[{', '.join(map(_end, d.interval))}]"


def _end(fraction: float) -> str:
    """Format an end of an interval in points, with more digits if it would be shown as 0 and is not."""
    digits = next((n for n in (1, 2, 3) if round(100 * fraction, n)), 1)
    return f"{round(100 * fraction, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def probability(p: float) -> str:
    """Format a p-value: two digits, at least 0.0001."""
    if p < 0.0001:
        return "<0.0001"
    return f"{p:.2g}" if p >= 0.001 else f"{p:.1g}"


def check_rows(checks: Sequence[CrossCheck]) -> list[list[str]]:
    """Return the rows of DeLong's tests: method, baseline, target, seed, difference of AUC and p."""
    return [
        [
            c.method,
            c.baseline,
            c.target,
            str(c.seeds[0]) if c.seeds[0] == c.seeds[1] else f"{c.seeds[0]}, {c.seeds[1]}",
            signed(c.result.difference),
            probability(c.result.p),
        ]
        for c in checks
    ]


def check_words(checks: Sequence[CrossCheck]) -> str:
    """Return a sentence about DeLong's tests."""
    ps = [check.result.p for check in checks]
    least, most = probability(min(ps)), probability(max(ps))
    if len(ps) == 1:
        said = f"p = {least}".replace("= <", "< ")
    else:
        said = f"p from {least} to {most} over {len(ps)} pairs of runs"
    return (
        f"cross-check: DeLong's test of AUC per video gives {said}; it treats recordings of one person as "
        "independent, and decides nothing"
    )


def published_rows(comparison: Comparison) -> list[list[str]]:
    """Return rows of HTER / AUC on the papers' splits: the methods of these runs, then those of the papers."""

    def cell(method: str, name: str) -> str:
        target = name.partition("→")[2]
        found = [comparison.figure(figure, method, target) for figure in ("HTER", "AUC")]
        return " / ".join(NONE if figure is None else number(figure.value) for figure in found)

    own = [[f"{m} (these runs)", *(cell(m, name) for name in published.SPLITS)] for m in comparison.methods]
    return own + [[f"{method} (published)", *cells] for method, cells in published.HTER_AUC.items()]


def markdown(comparison: Comparison) -> str:
    """Return the tables as Markdown."""
    parts = [
        _markdown(head(comparison), rows(comparison, lambda text: f"**{text}**")),
        figures_caption(comparison),
        _markdown(DIFFERENCES, difference_rows(comparison.differences, comparison)),
        DIFFERENCES_CAPTION,
        *(f"{note}." for note in comparison.notes),
    ]
    if comparison.published:
        parts += [
            _markdown(("HTER / AUC", *published.SPLITS), published_rows(comparison)),
            PUBLISHED_CAPTION,
        ]
    return "\n\n".join(parts) + "\n"


def figures_caption(comparison: Comparison) -> str:
    """Return the caption of the table of figures."""
    marked = any(figure.best for figure in comparison.figures)
    return f"{FIGURES_CAPTION} {BEST_CAPTION}" if marked else FIGURES_CAPTION


def _markdown(columns: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *body]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def latex(comparison: Comparison) -> str:
    """Return the tables as LaTeX for the package booktabs."""
    parts = [
        _latex(head(comparison), rows(comparison, lambda text: f"\x02{text}\x03"), figures_caption(comparison)),
        _latex(DIFFERENCES, difference_rows(comparison.differences, comparison), DIFFERENCES_CAPTION),
    ]
    if comparison.published:
        columns = ("HTER / AUC", *published.SPLITS)
        parts.append(_latex(columns, published_rows(comparison), PUBLISHED_CAPTION))
    notes = "".join(f"% {note}.\n" for note in comparison.notes)
    return "\n\n".join(parts) + f"\n{notes}"


def _latex(columns: Sequence[str], body: Sequence[Sequence[str]], caption: str) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(_escaped, cells)) + r" \\"

    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_escaped(caption)}}}",
            rf"\begin{{tabular}}{{{'l' * len(columns)}}}",
            r"\toprule",
            line(columns),
            r"\midrule",
            *map(line, body),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\to$",
    "±": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "–": "--",
    "<": "$<$",
    "\x02": r"\textbf{",
    "\x03": "}",
}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
