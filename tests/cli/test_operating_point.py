"""`--operating-point` says at which threshold `evaluate` and `report` tell figures; all are in the files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import operating
from rfmeta_dist.evaluation.scores import Scores
from tests.stored import BEFORE, SHARDS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of a version without operating points, whose data are where this checkout has them."""
    place = Path(shutil.copytree(BEFORE / "runs/finished", tmp_path / "finished"))
    config = place / "config.yaml"
    config.write_text(re.sub(r"prefix: .*", f"prefix: {SHARDS}", config.read_text()))
    return place


def percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}\N{NARROW NO-BREAK SPACE}%"


def test_table_and_page_tell_the_figures_at_the_named_point(rfmeta, run: Path, tmp_path: Path) -> None:
    told = rfmeta("evaluate", run, "--operating-point", "bpcer@apcer10")
    assert told.code == 0, told.err
    figures = json.loads((run / "evaluation.json").read_text())["figures"]
    validation = Scores.from_parquet((run / "validation.parquet").read_bytes())
    for unit in UNITS:  # computed from validation.parquet, because the package of this version has no points
        found = {name: at["threshold"] for name, at in figures[unit]["operating_points"].items()}
        assert found == operating.choose_some(validation.per(unit))
    point = figures["video"]["operating_points"]["bpcer@apcer10"]
    row = next(line for line in told.out.splitlines() if "per video" in line)
    assert f"{point['threshold']:.4f}" in row
    assert percent(point["BPCER"]["value"]) in row
    assert "on the sources: At most 10 % of each attack type is accepted" in told.err
    assert "too few recordings for this point: a limit of 10 % needs at least 10 recordings" in told.err

    page = rfmeta("report", run, "--operating-point", "bpcer@apcer10")
    assert page.code == 0, page.err
    html = (run / "report.html").read_text()
    verdict = re.sub(r"<[^>]*>", "", html[html.index('class="verdict"') : html.index('class="plain"')])
    assert f"live faces rejected\n{percent(point['BPCER']['value'])}" in verdict
    assert "per video at the threshold bpcer@apcer10 from the sources" in verdict
    assert f"of attacks, it would accept {100 * point['FAR']['value']:.0f}." in html

    # The scores name their model, so this command is sure that they are the model's.
    own = rfmeta("threshold", run, run / "scores.parquet", "--domain", "M", "--out", tmp_path / "new", "--json")
    assert json.loads(own.out)["notices"] == []


def test_an_earlier_evaluation_is_shown_and_says_how_to_get_the_points(rfmeta, run: Path) -> None:
    shown = rfmeta("report", run)
    assert shown.code == 0, shown.err
    html = (run / "report.html").read_text()
    assert "judge the run again: <code>rfmeta evaluate</code>" in html
    refused = rfmeta("report", run, "--operating-point", "tpr@fpr1")
    assert refused.code == 5
    assert refused.error == (
        f"error {run}/evaluation.json has no figures at the operating point tpr@fpr1, because an earlier "
        f"version wrote it; judge the run again: rfmeta evaluate {run}"
    )


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_wrong_name_stops_before_anything_is_read(rfmeta, run: Path, command: str) -> None:
    ledger = (run / "ledger.jsonl").read_bytes()
    told = rfmeta(command, run, "--operating-point", "apcer1")
    assert told.code == 2
    assert told.error == (
        f"error there is no operating point 'apcer1'; choose one of: {', '.join(operating.NAMES)}"
    )
    assert (run / "ledger.jsonl").read_bytes() == ledger


def test_the_page_of_a_run_without_a_target_tells_what_its_sources_got(rfmeta, run: Path) -> None:
    config = run / "config.yaml"
    config.write_text(re.sub(r" *target: M\n", "", config.read_text()))
    assert rfmeta("report", run, "--operating-point", "apcer@bpcer5").code == 0
    html = (run / "report.html").read_text()
    assert "per video at the threshold apcer@bpcer5; AUC" in html
    for name in operating.NAMES:
        assert f'<span class="num">{name}' in html
    assert "Limit kept" not in html
