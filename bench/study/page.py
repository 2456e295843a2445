"""The study's page in Markdown. Every sentence about a result is made from the numbers it speaks of."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from bench.study.collect import BASELINES, Results, hours, machines
from bench.study.design import ADAPTING, ALPHAS, Question
from bench.study.statistics import LEVEL, RESAMPLES, Comparison, Estimate
from rfmeta_dist.report.words import number

LOWER_IS_BETTER = {"HTER", "oracle_EER", "optimism_gap"}


def page(results: Results, plots: Sequence[str]) -> str:
    """The whole page. Args: results: what there is. plots: paths of the plots, relative to the page."""
    parts = [
        "# Study: learning rules on generated domains",
        _missing(results),
        _wrapped(verdict(results)),
        _what(results),
        *(f"![{path.rpartition('/')[2].removesuffix('.svg')}]({path})" for path in plots),
        "## Differences",
        *(_differences(results, figure) for figure in ("AUC", "HTER")),
        "## Figures on the target",
        *(_figures(results, rho) for rho in results.grid.rhos),
        "## On the sources",
        _sources(results),
        "## Chosen inner rates",
        _alphas(results),
        "## What it cannot say",
        _limits(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(results: Results) -> str:
    """What the comparisons of AUC come to, in sentences."""
    family = [c for c in results.comparisons if c.figure == "AUC"]
    if not family:
        return "Nothing can be compared yet."
    found = [c for c in family if c.significant]
    rest = len(family) - len(found)
    if not found:
        lines = [f"**None of {len(family)} comparisons of AUC is significant** after Holm's correction."]
    else:
        lines = [
            f"**{len(found)} of {len(family)} comparisons of AUC are significant** after Holm's correction:"
        ]
        lines[0] += (
            " " + "; ".join(f"at rho = {c.rho:g}, {c.method} {_away(c)} {c.baseline}" for c in found) + "."
        )
        lines += [f"The other {rest} are not significant."] if rest else []
    lines += [sentence(c) for c in family if (c.method, c.baseline) == ("rfmeta", "no_meta")]
    return " ".join(lines)


def sentence(c: Comparison) -> str:
    """One comparison in words."""
    d = c.difference
    says = "significant" if c.significant else "not significant"
    return (
        f"At rho = {c.rho:g}, {c.method} is {_away(c)} {c.baseline} in {c.figure} "
        f"[{number(d.low)}, {number(d.high)}], corrected p = {_p(c.holm)}: {says}."
    )


def _away(c: Comparison) -> str:
    points = number(abs(c.difference.value))
    return f"{points} points {'above' if c.difference.value >= 0 else 'below'}"


def _missing(results: Results) -> str:
    if not results.untrained and not results.unjudged:
        return ""
    return (
        f"**Incomplete**: {results.untrained} trainings and {results.unjudged} looks at targets are missing. "
        "What follows is of those that are there; a mean over targets is given where no target is missing."
    )


def _what(results: Results) -> str:
    grid, s = results.grid, results.settings
    rows, took = results.rows, hours(results.rows)
    seconds = [row["training_s"] for row in rows if "training_s" in row]
    each = f"{sum(seconds) / len(seconds):.0f} s each on one core" if seconds else "none yet"
    failed = sum("failed" in row for row in rows)
    diverged = f" {failed} diverged (a loss that is not finite) and count as the worst α." if failed else ""
    return "\n\n".join(
        [
            f"`{results.command}`, again to go on where it was interrupted, `--report` for this page alone.",
            _bullets(
                f"""**Data**: `rfmeta synth`'s four domains, scale {s.scale}, {s.size}×{s.size}, at rho =
                {_list(grid.rhos)}: how strongly each domain's spurious cues follow the label, 0 not at all, 1
                wholly. The people are the same at every rho, and no person is in two domains or two
                splits. The manifests' fingerprints are among the results: another version of the generator
                makes other data, and other figures.{_made_by(results)}""",
                f"""**Rules**: {_list(grid.methods)}. `plain` is a binary classifier on all sources, without
                depth and meta-learning; `no_meta` adds depth; the others are as in [engine](engine.md).""",
                f"""**Trainings**: targets {_list(grid.targets)} in turn, seeds {_list(grid.seeds)}; width
                {s.width:g}, {s.steps} steps of {s.batch} images a domain, Adam at {s.rate:g}, {s.precision};
                the last step is judged. The same seed means the same initial weights and the same batches for
                every rule. {len(rows)} trainings, {each}.{diverged}""",
                f"""**Inner rate** α of {_list(ADAPTING)}: {_list(ALPHAS)}; for each rho, rule and target,
                that with the best mean AUC (per frame) over the *sources'* validation splits with seed
                {grid.seeds[0]}, kept for the other seeds. Nothing else differs
                between the rules; [the log](log.md) says what was tried before.""",
                """**Judging**: batch-norm statistics recalibrated on the sources, threshold from the sources'
                validation, then the sealed target, all its people, once, for the chosen training only;
                [why](why.md), which looks for causes, opened others of an earlier study. Figures are per
                video, in percent.""",
                f"""**[ ]**: 95 % interval, {RESAMPLES} resamples of the target's subjects (the same ones for
                all rules) and of seeds; targets are fixed. **p**: Wilcoxon's signed-rank test over pairs of
                target and seed, then Holm's correction over all comparisons of that figure on this page.
                *Significant* is a corrected p below {LEVEL:g} and an interval without 0.""",
                f"""**Machine**: {"; ".join(machines(rows)) or "none yet"}. Trainings took {took:.1f} hours.""",
            ),
        ]
    )


def _made_by(results: Results) -> str:
    return f" These are of commit {results.commit}: check it out to make them again." if results.commit else ""


def _figures(results: Results, rho: float) -> str:
    grid, parts = results.grid, [f"### rho = {rho:g}"]
    for figure, title in (("AUC", "AUC"), ("HTER", "HTER")):
        head = [title, *(f"→ {t}" for t in grid.targets), "mean"]
        body = [
            [method, *(_cell(results.mean(rho, method, figure, t)) for t in (*grid.targets, None))]
            for method in grid.methods
        ]
        parts.append(_table(head, body))
    return "\n\n".join(parts)


def _differences(results: Results, figure: str) -> str:
    better = "less is better" if figure in LOWER_IS_BETTER else "more is better"
    head = ["rho", "rule", "less", f"{figure}, points ({better})", "pairs above", "p", "corrected", ""]
    body = [
        [
            f"{c.rho:g}",
            c.method,
            c.baseline,
            _cell(c.difference),
            f"{c.above} of {c.pairs}",
            _p(c.p),
            _p(c.holm),
            "significant" if c.significant else "not significant",
        ]
        for rho in results.grid.rhos
        for c in results.compared(rho, figure)
    ]
    return _table(head, body) if body else ""


def _sources(results: Results) -> str:
    """Whether the sources are learnt out, and what knowing the target's threshold would gain."""
    grid = results.grid
    head = ["", *(f"rho = {rho:g}" for rho in grid.rhos)]
    inside = [[m, *(_number(results.in_source(rho, m)) for rho in grid.rhos)] for m in grid.methods]
    gap = [[m, *(_cell(results.mean(rho, m, "optimism_gap")) for rho in grid.rhos)] for m in grid.methods]
    return (
        "AUC per video on the sources' validation people, mean over targets and seeds:\n\n"
        f"{_table(head, inside)}\n\n"
        "Optimism gap: HTER less the target's own equal error rate, which nobody could know:\n\n"
        f"{_table(head, gap)}"
    )


def _alphas(results: Results) -> str:
    grid = results.grid
    methods = [m for m in grid.methods if m in ADAPTING]

    def counts(rho: float, method: str) -> str:
        taken = Counter(_alpha(results, q) for q in results.chosen if (q.rho, q.method) == (rho, method))
        return " / ".join(str(taken[alpha]) for alpha in ALPHAS)

    if not methods:
        return "No rule of these has one."
    head = [f"times {' / '.join(f'{a:g}' for a in ALPHAS)}", *(f"rho = {rho:g}" for rho in grid.rhos)]
    return _table(head, [[m, *(counts(rho, m) for rho in grid.rhos)] for m in methods])


def _alpha(results: Results, question: Question) -> float:
    alpha: float = results.chosen[question]["alpha"]
    return alpha


def _limits(results: Results) -> str:
    s = results.settings
    return _bullets(
        f"""Drawn faces at {s.size}×{s.size}, networks of width {s.width:g} and {s.steps} steps: neither the
        paper's data nor its size. The figures compare rules with each other, not with the literature.""",
        f"""Three values of α give {_list(ADAPTING)} three tries at the sources' validation, where
        {_list(BASELINES)} have one.""",
        """The signed-rank test counts a target's seeds as separate pairs, though they share their people.
        Four targets and a few seeds show large differences only: *not significant* is not *equal*.""",
        """The interval holds the targets fixed: it says what other people and seeds would change, not other
        cameras.""",
    )


def _bullets(*items: str) -> str:
    return "\n".join("- " + _wrapped(item, 118).replace("\n", "\n  ") for item in items)


def _wrapped(text: str, width: int = 120) -> str:
    return textwrap.fill(" ".join(text.split()), width, break_on_hyphens=False)


def _list(items: Sequence[object]) -> str:
    return ", ".join(f"{i:g}" if isinstance(i, float) else f"`{i}`" if str(i)[1:] else str(i) for i in items)


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.001 else "< 0.001"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
