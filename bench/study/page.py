"""Write the study's page in Markdown. Every sentence about a result is made from its numbers."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from bench.study.collect import BASELINES, Results, hours, machines
from bench.study.design import ADAPTING, ALPHAS, Arm, Cell, Trained
from bench.study.statistics import LEVEL, RESAMPLES, Comparison, Estimate
from rfmeta_dist.report.words import number

LOWER_IS_BETTER = {"HTER", "oracle_EER", "optimism_gap"}


def page(results: Results, plots: Sequence[str]) -> str:
    """Return the whole page.

    Args:
        results: the results that exist.
        plots: paths of the plots, relative to the page.
    """
    parts = [
        "# Study: learning rules on generated domains",
        _missing(results),
        _wrapped(verdict(results)),
        _what(results),
        *(f"![{path.rpartition('/')[2].removesuffix('.svg')}]({path})" for path in plots),
        "## Differences",
        *(_differences(results, figure) for figure in ("AUC", "HTER")),
        "## Figures on the target",
        *(_figures(results, rho, trained) for rho in results.grid.rhos for trained in results.grid.trained),
        "## On the sources",
        _sources(results),
        "## Chosen inner rates",
        _alphas(results),
        "## What it cannot say",
        _limits(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def verdict(results: Results) -> str:
    """Say in sentences what the comparisons of AUC show."""
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
        each = [f"{_where(c)}, {_named(c)[0]} {_away(c)} {_named(c)[1]}" for c in found]
        lines[0] += f" {'; '.join(each)}."
        lines += [f"The other {rest} are not significant."] if rest else []
    asked = ("rfmeta", "no_meta")
    lines += [sentence(c) for c in family if (c.arm.method, c.baseline.method) == asked]
    return " ".join(lines)


def sentence(c: Comparison[Arm]) -> str:
    """Describe one comparison in words."""
    d = c.difference
    says = "significant" if c.significant else "not significant"
    rule, baseline = _named(c)
    return (
        f"{_where(c).capitalize()}, {rule} is {_away(c)} {baseline} in {c.figure} "
        f"[{number(d.low)}, {number(d.high)}], corrected p = {_p(c.holm)}: {says}."
    )


def _where(c: Comparison[Arm]) -> str:
    """Name what both sides of a comparison have in common."""
    rho = f"at rho = {c.arm.rho:g}"
    return f"{rho} on {c.arm.trained} domains" if c.arm.trained == c.baseline.trained else rho


def _named(c: Comparison[Arm]) -> tuple[str, str]:
    """Name both sides of a comparison by what they differ in."""
    if c.arm.method == c.baseline.method:
        return f"{c.arm.method} on {c.arm.trained} domains", f"{c.baseline.method} on {c.baseline.trained} ones"
    return c.arm.method, c.baseline.method


def _away(c: Comparison[Arm]) -> str:
    points = number(abs(c.difference.value))
    return f"{points} points {'above' if c.difference.value >= 0 else 'below'}"


def _missing(results: Results) -> str:
    if not results.untrained and not results.unjudged:
        return ""
    return (
        f"**Incomplete**: {results.untrained} trainings and {results.unjudged} evaluations on targets are "
        "missing. The page covers the others; a mean over targets is given where no target is missing."
    )


def _what(results: Results) -> str:
    grid, s = results.grid, results.settings
    rows = list(results.rows.values())
    took = hours(rows)
    seconds = [row["training_s"] for row in rows if "training_s" in row]
    each = f"{sum(seconds) / len(seconds):.0f} s each on one core" if seconds else "none yet"
    failed = sum("failed" in row for row in rows)
    diverged = f" {failed} diverged (a loss that is not finite) and count as the worst α." if failed else ""
    return "\n\n".join(
        [
            f"Made by `{results.command}`. Give the command again to resume it, or with `--report` to write "
            "this page alone.",
            _bullets(
                f"""**Data**: `rfmeta synth`'s four named domains, scale {s.scale}, {s.size}×{s.size}, at rho =
                {_list(grid.rhos)}: how strongly each domain's spurious cues follow the label, 0 not at all, 1
                wholly.{_drawn(results)} The people are the same at every rho, and no person is in two domains
                or two splits. The manifests' fingerprints are among the results: another version of the
                generator makes other data, and other figures.{_made_by(results)}""",
                f"""**Rules**: {_list(grid.methods)}. `plain` is a binary classifier on all sources, without
                depth and meta-learning; `no_meta` adds depth; the others are as in
                [engine](explanation/engine.md).""",
                f"""**Trainings**: targets {_list(grid.targets)} in turn, each from the other three named
                domains, seeds {_list(grid.seeds)}; width {s.width:g}, {s.steps} steps of {s.batch} images a
                domain, Adam at {s.rate:g}, {s.precision}; the last step is judged. {_many(results)} The same
                seed means the same initial weights and, on the same sources, the same batches for every rule.
                {len(rows)} trainings, {each}.{diverged}""",
                f"""**Inner rate** α of {_list(ADAPTING)}: {_list(ALPHAS)}; for each rho, rule and set of
                sources, that with the best mean AUC (per frame) over the *sources'* validation splits with
                seed {grid.seeds[0]}, kept for the other seeds. Nothing else differs
                between the rules; [the log](log.md) says what was tried before.""",
                """**Judging**: batch-norm statistics are recalibrated on the sources, and the threshold comes
                from their validation people. Then the sealed target is judged once, on all its people, for the
                chosen training only. ([why](why.md) looks for causes, and opened other targets of an earlier
                study.) Figures are per video, in percent.""",
                f"""**[ ]**: 95 % interval, {RESAMPLES} resamples of the target's subjects (the same ones for
                all rules) and of seeds; targets are fixed. Its ends are the 2.5th and 97.5th
                percentiles of the resamples, as was fixed before the trainings; the intervals of reports are
                made otherwise, and are somewhat wider ([coverage](explanation/honest-evaluation.md)). **p**:
                Wilcoxon's signed-rank test over pairs of target and seed, then Holm's correction over all
                comparisons of that figure on this page. *Significant* is a corrected p below {LEVEL:g} and
                an interval without 0.""",
                f"""**Machine**: {"; ".join(machines(rows)) or "none yet"}. Trainings took {took:.1f} hours.""",
            ),
        ]
    )


def _drawn(results: Results) -> str:
    if "drawn" not in results.grid.trained:
        return ""
    return f" Further {results.settings.drawn} domains were drawn at random (`--drawn`)."


def _many(results: Results) -> str:
    if "drawn" not in results.grid.trained:
        return ""
    return f"""One training on the {results.settings.drawn} *drawn* domains, which have as many people as three
        named ones, serves all targets; an episode takes three of them in turn."""


def _made_by(results: Results) -> str:
    return (
        f" These data were made by commit {results.commit}: check it out to make them again."
        if results.commit
        else ""
    )


def _figures(results: Results, rho: float, trained: Trained) -> str:
    grid, parts = results.grid, [f"### rho = {rho:g}, trained on {trained} domains"]
    for figure in ("AUC", "HTER"):
        head = [figure, *(f"→ {t}" for t in grid.targets), "mean"]
        arms = [Arm(rho, trained, method) for method in grid.methods]
        body = [
            [arm.method, *(_cell(results.mean(arm, figure, t)) for t in (*grid.targets, None))] for arm in arms
        ]
        parts.append(_table(head, body))
    return "\n\n".join(parts)


def _differences(results: Results, figure: str) -> str:
    better = "less is better" if figure in LOWER_IS_BETTER else "more is better"
    head = [
        "rho",
        "domains",
        "rule",
        "less",
        f"{figure}, points ({better})",
        "pairs above",
        "p",
        "corrected",
        "",
    ]
    body = [
        [
            f"{c.arm.rho:g}",
            c.arm.trained,
            c.arm.method,
            c.baseline.method if c.arm.trained == c.baseline.trained else f"{c.baseline.trained} domains",
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
    """Tabulate how well the sources are learnt, and what knowing the target's best threshold would gain."""
    columns, head = _columns(results)
    inside = [[m, *(_number(results.in_source(arm(m))) for arm in columns)] for m in results.grid.methods]
    gap = [[m, *(_cell(results.mean(arm(m), "optimism_gap")) for arm in columns)] for m in results.grid.methods]
    return (
        "AUC per video on the sources' validation people, mean over targets and seeds:\n\n"
        f"{_table(head, inside)}\n\n"
        "Optimism gap: HTER less the target's own equal error rate, which needs the target's labels:\n\n"
        f"{_table(head, gap)}"
    )


def _columns(results: Results) -> tuple[list[Callable[[str], Arm]], list[str]]:
    """Return what makes an arm of a rule, and table heads, for each rho and kind of sources; rows are rules."""
    pairs = [(rho, trained) for rho in results.grid.rhos for trained in results.grid.trained]
    return [partial(Arm, rho, trained) for rho, trained in pairs], [
        "", *(f"rho = {rho:g}, {trained}" for rho, trained in pairs),
    ]  # fmt: skip


def _alphas(results: Results) -> str:
    columns, head = _columns(results)
    methods = [m for m in results.grid.methods if m in ADAPTING]

    def counts(arm: Arm) -> str:
        # A training on drawn domains serves all targets, so it counts as one choice.
        chosen = {Cell(q, row["alpha"]).name: row for q, row in results.chosen.items() if Arm.of(q) == arm}
        taken = Counter(row["alpha"] for row in chosen.values())
        return " / ".join(str(taken[alpha]) for alpha in ALPHAS)

    if not methods:
        return "None of these rules has an inner rate."
    head = [f"times {' / '.join(f'{a:g}' for a in ALPHAS)}", *head[1:]]
    return _table(head, [[m, *(counts(arm(m)) for arm in columns)] for m in methods])


def _limits(results: Results) -> str:
    s = results.settings
    draw = f"""The {s.drawn} drawn domains are one draw of many. They are compared with three named ones at
        equal numbers of people and of images a step."""
    return _bullets(
        f"""Painted faces at {s.size}×{s.size}, networks of width {s.width:g} and {s.steps} steps: neither the
        paper's data nor its size. The figures compare rules with each other, not with the literature.""",
        f"""Three values of α give {_list(ADAPTING)} three tries at the sources' validation, where
        {_list(BASELINES)} have one.""",
        """The signed-rank test counts a target's seeds as separate pairs, though they share their people.
        Four targets and a few seeds show large differences only: *not significant* is not *equal*.""",
        """The interval holds the targets fixed: it says what other people and seeds would change, not other
        cameras.""",
        *((draw,) if "drawn" in results.grid.trained else ()),
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
