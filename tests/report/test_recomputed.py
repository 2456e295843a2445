"""Every figure of a page and of its JSON follows from the stored scores: a second program computes it again."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rfmeta_dist.evaluation import figures, given, given_figures
from rfmeta_dist.evaluation.given_rows import Reading
from rfmeta_dist.report import given_page, page, records
from tests import figures_reference as reference

CLOSE = {"rel": 1e-12, "abs": 1e-12}


class Rows(HTMLParser):
    """The text of each cell of each row of each table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += f" {data.strip()}"


def table_of(html: str) -> dict[str, list[str]]:
    """The first number of each cell, by the text of the row's first cell."""
    found = {}
    for row in Rows(html.replace("\N{NARROW NO-BREAK SPACE}", " ")).rows:
        cells = [re.match(r"\s*([+−]?[\d.]+)", cell) for cell in row[1:]]
        if row and all(cells):
            found[" ".join(row[0].split())] = [cell[1] for cell in cells if cell]
    return found


def shown(value: float) -> str:
    """A rate in percent with one decimal, as the page writes it."""
    return f"{round(100 * value, 1) + 0.0:.1f}".replace("-", "−")


def stored(data: bytes) -> dict[str, np.ndarray]:
    table = parquet.read_table(pa.BufferReader(data))
    return {name: np.array(table[name].to_pylist()) for name in table.column_names}


def recomputed(data: bytes, target: str) -> dict[str, dict[str, Any]]:
    rows = stored(data)
    sides = [reference.select(rows, rows["domain"] != target), reference.select(rows, rows["domain"] == target)]
    return {
        "frame": reference.figures(*sides),
        "video": reference.figures(*map(reference.of_videos, sides)),
    }


def require_equal(found: dict[str, Any], again: dict[str, Any]) -> None:
    for name in ("HTER", "FAR", "BPCER", "ACER", "AUC", "oracle_EER", "optimism_gap", "APCER_worst"):
        assert found[name]["value"] == pytest.approx(again[name], **CLOSE), name
    for family in ("APCER", "BPCER_at_APCER"):
        values = {name: figure["value"] for name, figure in found[family].items()}
        assert values == pytest.approx(again[family], **CLOSE)
    assert found["APCER"][found["APCER_worst"]["type"]]["value"] == found["APCER_worst"]["value"]
    assert found["threshold"]["value"] == pytest.approx(again["threshold"], **CLOSE)
    assert found["oracle_EER"]["threshold"] == pytest.approx(again["oracle threshold"], **CLOSE)
    assert found["counts"] == again["counts"]


def require_on_page(html: str, again: dict[str, dict[str, Any]]) -> None:
    rows, units = table_of(html), ("video", "frame")
    for unit in units:
        one = again[unit]
        gap = shown(one["optimism_gap"])
        assert rows[f"per {unit}"] == [shown(one["HTER"]), shown(one["oracle_EER"]), gap]
    expected = {
        "Live rejected BPCER": lambda f: f["BPCER"],
        "Attacks accepted, worst attack type worst APCER": lambda f: f["APCER_worst"],
        "Mean of worst APCER and BPCER ACER": lambda f: f["ACER"],
        "Area under the ROC, any threshold AUC": lambda f: f["AUC"],
    }
    for kind in again["video"]["APCER"]:
        expected[f"Attacks accepted: {kind} APCER"] = lambda f, kind=kind: f["APCER"][kind]
    for limit in ("0.10", "0.05", "0.01"):
        percent = f"{100 * float(limit):.0f} %"
        name = f"ORACLE: live rejected if at most {percent} of each attack type is accepted"
        expected[f"{name} BPCER at APCER {percent}"] = lambda f, limit=limit: f["BPCER_at_APCER"][limit]
    for name, value in expected.items():
        assert rows[name] == [shown(value(again[unit])) for unit in units], name


def test_every_figure_of_a_run_follows_from_its_stored_scores(evaluation, run_files):
    again = recomputed(run_files["scores.parquet"], "M")
    for unit in ("frame", "video"):
        require_equal(evaluation["figures"][unit], again[unit])
        found = evaluation["figures"][unit]["source_validation_EER"]
        assert found == pytest.approx(again[unit]["source_validation_EER"], **CLOSE)
    require_on_page(page.render(records.read_record(run_files.__getitem__)), again)


@pytest.mark.parametrize("seed", range(3))
def test_every_figure_follows_from_scores_with_many_ties(scores_of, seed):
    rng = np.random.default_rng(seed)
    sides = []
    for domain, split in (("A", "validation"), ("B", "test")):
        scores = scores_of(domain, split, rng.normal(), subjects=5, frames=3)
        sides.append(replace(scores, score=np.round(scores.score, 1)))
    found = figures.compute(*sides, seed=0, resamples=20)
    columns = [side.columns() for side in sides]
    require_equal(found["frame"], reference.figures(*columns))
    require_equal(found["video"], reference.figures(*map(reference.of_videos, columns)))


# What the figures of a run say about its model, which a table of scores does not know.
OWN = {"threshold", "source_validation_EER", "counts", "bootstrap", "operating_points"}


def test_judging_a_runs_own_scores_gives_the_runs_own_figures_and_page(evaluation, run_files):
    table = given.read(run_files["scores.parquet"], "scores.parquet", Reading())
    scores = given.understand(table, reading=Reading(target="M"))
    found = given_figures.compute(scores, seed=0, resamples=200)
    for unit in ("frame", "video"):
        ours = evaluation["figures"][unit]
        for name in ours.keys() - OWN:
            assert found[unit][name] == ours[name], name  # intervals too, to the last digit
        assert found[unit]["threshold"]["value"] == ours["threshold"]["value"]
        assert found[unit]["validation"]["HTER"] == pytest.approx(ours["source_validation_EER"], **CLOSE)
        assert found[unit]["counts"] == ours["counts"]
    result = {"table": "scores.parquet", "target": "M", "higher_is": "live", "polarity": "", "notes": []}
    html = given_page.render(scores, {**result, "figures": found})
    require_on_page(html, recomputed(run_files["scores.parquet"], "M"))
