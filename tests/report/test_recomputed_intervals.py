"""Every end of an interval of a page follows from the stored scores: a second program computes it again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rfmeta_dist.evaluation import given, given_figures
from rfmeta_dist.evaluation.given_rows import Reading
from rfmeta_dist.report import comparison, comparison_page, contestants, given_page, page, records
from tests import figures_reference as reference
from tests import intervals_reference as again
from tests.compared import write_run
from tests.report.test_recomputed import Rows, stored

CLOSE = {"rel": 1e-9, "abs": 1e-9}
FAMILIES = ("APCER", "BPCER_at_APCER")
ON_PAGE = {"Live rejected BPCER": "BPCER", "Mean of worst APCER and BPCER ACER": "ACER"}


def ends(figure: dict) -> tuple[float, float]:
    return figure["low"], figure["high"]


def given_ends(figures: dict) -> dict[str, tuple[float, float]]:
    """All intervals of one unit, by the name of the figure."""
    one = {name: ends(f) for name, f in figures.items() if isinstance(f, dict) and "low" in f}
    more = {f"{name} {key}": ends(f) for name in FAMILIES for key, f in figures[name].items()}
    return one | more


def intervals_of(html: str) -> dict[str, list[str]]:
    """The intervals in each row of each table, by the text of the row's first cell."""
    found = {}
    for row in Rows(html.replace("\N{NARROW NO-BREAK SPACE}", " ")).rows:
        cells = [re.findall(r"\[[^\]]*\]", cell) for cell in row[1:]]
        if row and any(cells):
            found[" ".join(row[0].split())] = [cell for some in cells for cell in some]
    return found


def shown(pair: tuple[float, float]) -> str:
    low, high = (f"{round(100 * end, 1) + 0.0:.1f}".replace("-", "−") for end in pair)
    return f"[{low}, {high}]"


@pytest.fixture(scope="module")
def frames(run_files) -> dict[str, np.ndarray]:
    """The stored frames of the target."""
    rows = stored(run_files["scores.parquet"])
    return reference.select(rows, rows["domain"] == "M")


@pytest.fixture(scope="module")
def target(frames) -> dict[str, np.ndarray]:
    """The videos of the target."""
    return reference.of_videos(frames)


def test_every_interval_of_a_run_follows_from_its_stored_scores(evaluation, run_files, frames, target):
    video = evaluation["figures"]["video"]
    expected = again.intervals(target, video["threshold"]["value"], seed=0, resamples=200)
    found = given_ends(video)
    assert found.keys() == expected.keys()
    for name, pair in expected.items():
        assert found[name] == pytest.approx(pair, **CLOSE), name
    for name, point in video["operating_points"].items():
        at = again.intervals(target, point["threshold"], 0, 200, again.at_threshold)
        for rate in ("BPCER", "FAR", "HTER", "APCER_worst"):
            assert ends(point[rate]) == pytest.approx(at[rate], **CLOSE), (name, rate)
    frame = evaluation["figures"]["frame"]
    at = again.intervals(frames, frame["threshold"]["value"], 0, 200, again.at_threshold)
    for name, pair in at.items():
        assert given_ends(frame)[name] == pytest.approx(pair, **CLOSE), name
    rows = intervals_of(page.render(records.read_record(run_files.__getitem__)))
    for words, name in ON_PAGE.items():
        assert rows[words][0] == shown(expected[name])
    assert rows["per video"] == [shown(expected[name]) for name in ("HTER", "oracle_EER", "optimism_gap")]


def test_every_interval_of_a_judged_table_follows_from_it(run_files, target):
    table = given.read(run_files["scores.parquet"], "scores.parquet", Reading())
    scores = given.understand(table, reading=Reading(target="M"))
    fixed = {unit: given_figures.Fixed(0.9, "given with --threshold") for unit in ("frame", "video")}
    found = given_figures.compute(scores, None, fixed, seed=3, resamples=200)
    expected = again.intervals(target, 0.9, seed=3, resamples=200)
    for name, pair in given_ends(found["video"]).items():
        assert pair == pytest.approx(expected[name], **CLOSE), name
    result = {"table": "scores.parquet", "target": "M", "higher_is": "live", "polarity": "", "notes": []}
    rows = intervals_of(given_page.render(scores, {**result, "figures": found}))
    for words, name in ON_PAGE.items():
        assert rows[words][0] == shown(expected[name])


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_difference_of_a_comparison_follows_from_the_stored_scores(tmp_path: Path, seeds: int) -> None:
    quality = {"no_meta": 0.6, "rfmeta": 0.9}
    runs = {
        (method, name, seed): write_run(tmp_path / f"{method}-{name}-{seed}", method, name, seed, good)
        for method, good in quality.items()
        for name in "CM"
        for seed in range(seeds)
    }
    found = contestants.read([str(run) for run in runs.values()], [])
    made = comparison.compare(found, ["HTER", "AUC"])
    decided = {d.figure: d for d in made.differences if d.target == comparison.MEAN}

    judged = {}
    for run, folder in runs.items():
        rows = stored((folder / "scores.parquet").read_bytes())
        sides = [reference.select(rows, (rows["domain"] == run[1]) == own) for own in (False, True)]
        validation, test = map(reference.of_videos, sides)
        judged[run] = test, reference.equal_error(validation)[1]
    people = {name: sorted(set(judged["rfmeta", name, 0][0]["subject"].tolist())) for name in "CM"}
    told = {}
    for figure in ("HTER", "AUC"):

        def of(method: str, name: str, seed: int, figure: str = figure) -> tuple[np.ndarray, float]:
            rows, threshold = judged[method, name, seed]
            value = again.all_figures(rows, threshold)[figure]
            return again.contributions(rows, threshold, figure, people[name]), value

        pairs = {
            name: [
                tuple(x - y for x, y in zip(of("rfmeta", name, s), of("no_meta", name, s), strict=True))
                for s in range(seeds)
            ]
            for name in "CM"
        }
        told[figure] = again.difference(pairs)
    sign = 1 if decided["HTER"].method == "rfmeta" else -1
    html = comparison_page.page(made, found)
    for figure, (value, error, freedom) in told.items():
        difference = decided[figure]
        assert difference.estimate.value == pytest.approx(sign * value, **CLOSE)
        assert difference.estimate.p == pytest.approx(2 * stats.t.sf(abs(value / error), freedom), rel=1e-7)
        half = (
            stats.t.isf(0.025, freedom) * error
        )  # one difference of each figure decides, so Holm changes nothing
        expected = max(-1.0, sign * value - half), min(1.0, sign * value + half)
        assert difference.interval == pytest.approx(expected, **CLOSE)
        assert shown(expected) in html
