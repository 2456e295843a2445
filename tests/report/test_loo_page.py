"""The page of a leave-one-out: a panel of ROC curves for each target, and what is missing."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from rfmeta_dist.evaluation import figures, rates
from rfmeta_dist.report import leave_one_out, plots
from rfmeta_dist.report.leave_one_out import Judged, of_target
from rfmeta_dist.report.table import Missing

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def judged(scores_of):
    """Make a run with made-up scores, which differ from seed to seed."""

    def make(target: str, method: str = "rfmeta", seed: int = 0) -> Judged:
        sources = [name for name in "OCIM" if name != target]
        validation = scores_of("".join(sources), "validation", 0)
        scores = scores_of(target, "test", 0.4 + seed / 5)
        evaluation = {
            "target": target,
            "sources": sources,
            "method": method,
            "seed": seed,
            "figures": figures.compute(validation, scores, seed=0, resamples=5),
        }
        return Judged(evaluation, of_target(scores, target))

    return make


@pytest.fixture(scope="module")
def runs(judged) -> list[Judged]:
    return [judged(target, seed=seed) for target in "CM" for seed in (0, 1)] + [judged("M", "no_meta")]


def panels(html: str) -> list[str]:
    return re.findall(r"<svg .*?</svg>", html, flags=re.DOTALL)


def test_a_panel_for_each_target_with_each_method_and_its_area(runs):
    html = leave_one_out.page(runs)
    c, m = panels(html)
    assert re.findall("<h3>(.*?)</h3>", html) == ["O&amp;I&amp;M→C", "O&amp;C&amp;I→M"]
    assert ("rfmeta, AUC" in c, "no_meta, AUC" in c) == (True, False)
    assert ("rfmeta, AUC" in m, "no_meta, AUC" in m) == (True, True)
    areas = [100 * run.evaluation["figures"]["video"]["AUC"]["value"] for run in runs[2:4]]
    assert f"rfmeta, AUC {np.mean(areas):.1f} ± {np.std(areas, ddof=1):.1f}" in m
    assert "The band reaches from" in html
    for panel in (c, m):
        ET.fromstring(panel)  # raises an error if the drawing is not well-formed
    ids = re.findall(r'id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_method_keeps_its_line_where_another_is_missing(judged):
    colour = plots.style(1)[0].lower()
    assert plots.style(1) != plots.style(0)
    alone = leave_one_out.page([judged("C"), judged("M", "no_meta")])
    c, m = panels(alone)
    assert (colour in c, colour in m) == (False, True)
    assert "The band" not in alone


def test_twenty_methods_have_lines_that_differ():
    assert len({plots.style(number) for number in range(20)}) == 20


def test_the_area_under_the_mean_curve_is_the_mean_area():
    rng = np.random.default_rng(0)
    curves, areas = [], []
    for size in (7, 40, 300):
        label = rng.permutation(np.arange(size) % 2)
        score = np.round(rng.normal(label * 0.7, 1), 1)  # rounded, so that live and attack samples tie
        curve = rates.roc(label, score, thin=True)
        curves.append((curve.far, curve.tpr))
        areas.append(rates.auc(label, score))
    far, tpr = plots.spread(curves)
    assert np.trapezoid(tpr.mean(axis=0), far) == pytest.approx(np.mean(areas), abs=1e-12)
    assert [np.trapezoid(row, far) for row in tpr] == pytest.approx(areas, abs=1e-12)
    assert (np.diff(tpr, axis=1) > -1e-12).all()


def test_what_is_missing_is_named_with_its_reason(runs):
    gone = Missing("C", ["O", "I", "M"], "no_meta", 0, f"loss is not finite {EVIL}")
    html = leave_one_out.page(runs, [gone])
    assert "1 of 6 runs is missing" in html
    assert "O&amp;I&amp;M→C, no_meta, seed 0: loss is not finite &lt;script&gt;" in html
    assert "mean of 1 of 2" in html
    assert "are missing" not in leave_one_out.page(runs)


def test_a_run_whose_scores_are_gone_is_named_and_keeps_its_row(runs):
    html = leave_one_out.page([*runs[1:], Judged(runs[0].evaluation, None)])
    assert "cannot be read: O&amp;I&amp;M→C, rfmeta, seed 0." in html
    assert len(panels(html)) == 2


def test_names_are_escaped_in_text_and_plots(runs):
    from dataclasses import replace

    evil = [replace(run, evaluation={**run.evaluation, "method": EVIL, "target": EVIL}) for run in runs[:1]]
    html = leave_one_out.page(evil)
    assert "<script" not in html
    assert "&lt;script&gt;" in panels(html)[0]


def test_pages_are_reproducible(runs):
    assert leave_one_out.page(runs) == leave_one_out.page(runs)
