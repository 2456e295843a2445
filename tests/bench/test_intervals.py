"""The simulation of intervals: its truth, its fast resampling, and what is said of its result elsewhere."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.intervals import simulate, table
from bench.intervals.__main__ import SUBJECTS
from bench.intervals.methods import AFTER, BEFORE, METHODS, Drawn
from bench.intervals.model import KINDS, MODELS
from bench.result import one_line_a_row
from rfmeta_dist.evaluation import bootstrap, figures
from rfmeta_dist.evaluation.scores import Scores

ROOT = Path(__file__).parents[2]
UNRESOLVED = "BPCER_at_APCER 0.01"
PROMISE = 93


@pytest.fixture(scope="module")
def result() -> dict:
    return json.loads((ROOT / "bench/results/intervals.json").read_text())


def as_scores(counts) -> Scores:
    """One row per recording of S×kinds×(levels + 1) accepted counts; its score is the number of its level."""
    at = -np.diff(counts, axis=-1).astype(int)
    subject, kind, level = (np.repeat(index, at[at > 0]) for index in np.nonzero(at))
    rows = np.arange(len(level))
    domain, split = np.full(len(rows), "M"), np.full(len(rows), "test")
    names = [f"M/{s:03d}" for s in subject]
    key = [f"M-{row}" for row in rows]
    return Scores(key, domain, split, names, rows.astype(str), np.array(KINDS)[kind], kind == 0, level)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_truth_is_what_very_many_subjects_have(model):
    counts = model.counts(np.random.default_rng(0), 1, 6000)[0].sum(axis=0)
    found, true = simulate.figures(counts[None], model.operating), simulate.truth(model)
    for name, (value,) in found.items():
        if not name.startswith("BPCER_at"):  # these vary more
            assert value == pytest.approx(true[name], abs=0.02 * max(true[name], 0.25) + 0.003), name


def test_figures_and_what_they_are_counted_on_are_those_of_the_product():
    model = MODELS[4]
    counts = model.counts(np.random.default_rng(1), 1, 25)
    scores = as_scores(counts[0])
    found = simulate.figures(counts.sum(axis=1), model.operating)
    expected = figures.points(scores, model.operating)
    assert {name: value[0] for name, value in found.items()} == pytest.approx(expected, abs=1e-6)
    drawn = bootstrap.resample(scores, model.operating, 0, 5)
    for name in found:
        people, recordings = simulate._counted(name, counts[..., 0])
        assert (people[0], recordings[0]) == drawn.counted[name], name


def test_the_products_interval_is_the_one_that_is_measured():
    model = MODELS[7]
    scores = as_scores(model.counts(np.random.default_rng(2), 1, 25)[0])
    drawn = bootstrap.resample(scores, model.operating, 0, 200)
    for name, values in drawn.values.items():
        people, recordings = (np.array([number], float) for number in drawn.counted[name])
        one = Drawn(
            name, np.array([drawn.point[name]]), np.sort(values)[None], values[None], 25, people, recordings
        )
        low, high = METHODS[AFTER](one)
        assert drawn.interval(name) == pytest.approx((low[0], high[0])), name
        low, high = METHODS[BEFORE](one)
        assert (low[0], high[0]) == pytest.approx(tuple(np.nanpercentile(values, (2.5, 97.5)))), name


def test_a_small_simulation_counts_the_sets_of_every_method():
    found = simulate.coverage(MODELS[8], 35, 20, 60)
    assert set(found) == set(METHODS)
    for method in (BEFORE, AFTER):
        shares = [share for share, width in found[method].values()]
        assert len(shares) == 14
        assert 0.7 < np.mean(shares) <= 1
    assert simulate.coverage(MODELS[8], 35, 20, 60) == found


def test_the_promise_holds_from_35_subjects_on(result):
    assert tuple(result["subjects"]) == SUBJECTS
    for name, by_size in result["coverage"][AFTER].items():
        if name != UNRESOLVED:
            for size in SUBJECTS:
                found = by_size[str(size)]
                assert size < bootstrap.ENOUGH or np.mean(found) >= PROMISE, (name, size)
                assert min(found) >= PROMISE - 1, (name, size)


def test_what_page_and_code_say_of_the_coverage_was_measured(result):
    after = result["coverage"][AFTER]
    few = [v for name, by_size in after.items() if name != UNRESOLVED for v in by_size[str(bootstrap.FEWEST)]]
    assert int(min(few)) == bootstrap.LOWEST
    page = (ROOT / "rfmeta_dist/report/templates/error_rates.html.jinja").read_text()
    (said,) = re.findall(r"contained the true rate in only (\d+)&nbsp;%", page)
    assert int(said) == round(np.mean(after[UNRESOLVED]["35"]))


def test_the_documentation_shows_the_tables_of_the_result(result):
    page = (ROOT / "docs/explanation/honest-evaluation.md").read_text()
    assert table.markdown(result) in page
    assert table.methods(result) in page


def test_a_result_is_written_with_a_line_for_each_list_and_read_back_as_it_was(result):
    strange = {**result, "nested": [[1, 2], {"a": ["b", None, "\0" + "0"]}, []]}
    text = one_line_a_row(strange)
    assert json.loads(text) == strange
    assert len((ROOT / "bench/results/intervals.json").read_text().splitlines()) < 2000
