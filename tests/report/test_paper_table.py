"""The tables of the paper from stored results: what failed, what is missing, Holm's test, published figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import config_of, load_settings
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.methods.tables import LACKING, TABLES, in_order, titles
from rfmeta_dist.config.renamed import renamed
from rfmeta_dist.evaluation.decisions import holm
from rfmeta_dist.report import paper_table, paper_table_page, paper_table_text, published
from rfmeta_dist.report.comparison import MEAN
from rfmeta_dist.report.table import Missing
from tests.compared import write_run
from tests.stored import BEFORE

QUALITY = {"rfmeta": 1.3, "no_meta": 0.5, "no_depth": 1.25}
SEEDS = (0, 1)
LIMITED = ("--set", "evaluation.protocol=limited-source", "--sources", "M,I")


def written(place: Path, file: Path, methods: list[str], seeds: tuple[int, ...], *limited: str) -> None:
    """Write the folders of judged runs that a leave-one-out of a file makes."""
    settings = load_settings(file, ["evaluation.protocol=limited-source"] if limited else [])
    for run in targets_of(config_of(settings), methods, seeds, sources=limited, settings=settings).runs:
        name = run.method.name
        sources = "".join(run.data.sources)
        folder = place / run.run.name
        fields: dict[str, object] = {"method.inner_learning_rate": run.method.inner_learning_rate}
        where = str(run.data.target), run.training.seed, QUALITY[name]
        write_run(folder, name, *where, sources=sources, fields=fields)
        (folder / "model").mkdir()
        (folder / "model/package.json").write_text('{"classifier": {"seconds": 90}}')
        if name == "no_depth":  # as if it were a method of hand-made features, which has no steps
            continue
        (folder / "metrics.jsonl").write_text('{"step": 0, "seconds": 900}\n' * 2)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A configuration beside finished runs of three methods, and of one with limited sources."""
    place = tmp_path_factory.mktemp("tables")
    config = renamed(yaml.safe_load((BEFORE / "runs/finished/config.yaml").read_text()), "run")
    config["run"] = {"name": "t", "folder": str(place)}
    path = place / "t.yaml"
    path.write_text(yaml.safe_dump(config))
    written(place, path, list(QUALITY), SEEDS)
    written(place, path, ["rfmeta", "no_meta"], (0,), "M", "I")
    return path


@pytest.fixture(scope="module")
def runs(file) -> list[Any]:
    settings = load_settings(file)
    return list(targets_of(config_of(settings), list(QUALITY), SEEDS, settings=settings).runs)


def test_all_methods_stand_in_the_papers_order_and_own_ones_last():
    assert sorted(in_order()) == sorted(METHODS)
    listed = {title for table in TABLES.values() for title in table}
    own = [METHODS[name].title not in listed for name in in_order()]
    assert own == sorted(own)
    assert titles()[:7] == list(TABLES["Table 1"][:7])
    assert set(LACKING) < set(titles())
    assert listed <= published.HTER_AUC.keys()


def test_the_command_makes_the_tables_of_finished_runs_without_training(rfmeta, file):
    ended = rfmeta("loo", file, "--methods", "all", "--seeds", "0,1", "--report", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)["tables"]
    assert list(found["protocols"]) == ["leave-one-out", "limited-source"]
    lines = {line["title"]: line for line in found["protocols"]["leave-one-out"]["methods"]}
    assert lines["LBP-TOP"]["reason"].startswith("not run: it needs clips")
    assert lines["RFMeta, aggregated"]["reason"] == "no run: the run has not been started"
    assert lines["RFMeta"]["published"]["RFMeta (published)"]["O&C&I→M"] == "13.89 / 93.98"
    assert (lines["RFMeta"]["seeds"], lines["RFMeta"]["hours"]) == ("2", pytest.approx(8 * 0.5))
    assert lines["RFMeta without depth"]["hours"] == pytest.approx(8 * 0.025)
    stored = json.loads((file.parent / "t-rfmeta-to_M-s1/evaluation.json").read_text())["figures"]["video"]
    (figure,) = (f for f in lines["RFMeta"]["figures"] if (f["figure"], f["target"]) == ("HTER", "M"))
    assert figure["values"][1] == pytest.approx(stored["HTER"]["value"])
    limited = found["protocols"]["limited-source"]
    assert limited["splits"] == {"C": "M&I→C", "O": "M&I→O"}
    of_limited = {line["title"]: line for line in limited["methods"]}
    assert of_limited["RFMeta"]["published"] == {
        f"{published.RERUN} (published)": {"M&I→C": "22.56 / 84.37", "M&I→O": "35.73 / 77.65"}
    }
    html = Path(found["page"]).read_text()
    assert html.count("<svg") == 2
    assert "Auxiliary (all) empty" in html
    assert "<script" not in html
    picture, markdown = map(Path, found["files"])
    assert "<svg" in picture.read_text()
    text = markdown.read_text()
    assert f"]({picture.name})" in text
    assert "| RFMeta (published) |" in text
    assert "| M&I→C | M&I→O |" in text


def test_the_tables_are_printed_and_one_method_has_none(rfmeta, file):
    ended = rfmeta("loo", file, "--methods", "rfmeta,no_meta", "--seeds", "0,1", "--report", *LIMITED)
    assert ended.code == 0, ended.err
    assert "Leave one domain out. Table 1" in ended.out
    assert "  RFMeta without depth: not run: it was left out" in ended.out
    assert "RFMeta, aggregated trains" not in ended.err  # it was not judged
    refused = rfmeta("loo", file, "--methods", "rfmeta", "--report")
    assert (refused.code, "one method is given" in refused.error) == (2, True)
    nothing = rfmeta("loo", file, "--methods", "all", "--report", "--set", "run.name=new")
    assert (nothing.code, f"none of the {4 * len(METHODS)} runs is trained and judged" in nothing.error) == (
        5,
        True,
    )


def test_each_method_is_tested_against_the_papers_own_with_holms_correction(runs):
    results = paper_table.read(runs)
    assert results is not None
    decided = paper_table_text.decided(results)
    assert [(d.method, d.baseline, d.target) for d in decided if d.figure == "AUC"] == [
        ("no_meta", "rfmeta", MEAN),
        ("no_depth", "rfmeta", MEAN),
    ]
    for figure in paper_table.FIGURES:
        some = [d for d in decided if d.figure == figure and d.verdict]
        corrected = holm([d.estimate.p for d in some])
        assert [d.verdict.p for d in some if d.verdict] == pytest.approx(corrected)
    worse = next(row for row in paper_table_text.difference_rows(results) if row[1] == "AUC")
    assert worse[-1] == "worse, significant at 95 %"
    notes = paper_table_text.notes({"leave-one-out": results})
    assert any("2 seed(s): a true difference from RFMeta in mean HTER must be about" in note for note in notes)


def test_a_failed_cell_stands_with_its_reason_and_costs_no_other(runs):
    gone = next(run for run in runs if run.method.name == "no_meta" and run.data.target == "C")
    lost = replace_name(gone, "t-no_meta-to_C-s9")
    reasons = {"t-no_meta-to_C-s9": "loss is not finite <b>"}
    refused = [Missing("M", ["O", "C", "I"], "aggregate", 0, "strategy 'deepspeed' cannot train it")]
    results = paper_table.read([*(run for run in runs if run is not gone), lost], reasons, refused)
    assert results is not None
    lines = {line.title: line for line in results.lines}
    ablated = lines["RFMeta without meta-learning"]
    assert ablated.reason == "1 of 8 runs missing: loss is not finite <b>"
    assert ablated.seeds == "1 of 2"
    assert lines["RFMeta without depth"].reason == ""
    assert lines["RFMeta, aggregated"].reason == "no run: strategy 'deepspeed' cannot train it"
    table = paper_table_text.tables(results, "leave-one-out")["Table 3: ways to compute the meta-learning step"]
    assert table[0][:3] == ["RFMeta, aggregated", "–", "–"]
    html = paper_table_page.page({"leave-one-out": results})
    assert "seed(s) 0: loss is not finite &lt;b&gt;" in html


def replace_name(run: Any, name: str) -> Any:
    return run.model_copy(update={"run": run.run.model_copy(update={"name": name})})


def test_a_run_that_was_judged_on_other_samples_or_is_damaged_is_missing(runs, tmp_path):
    some = [run for run in runs if run.data.target == "M" and run.training.seed == 0]
    moved = [
        run.model_copy(update={"run": run.run.model_copy(update={"folder": str(tmp_path)})}) for run in some
    ]
    for run in moved:
        write_run(
            tmp_path / run.run.name,
            run.method.name,
            quality=QUALITY[run.method.name],
            sources="CIO",
            fields={"method.inner_learning_rate": run.method.inner_learning_rate},
            manifest=("b" if run.method.name == "no_meta" else "a") * 64,
        )
        (tmp_path / run.run.name / "model").mkdir()
        (tmp_path / run.run.name / "model/package.json").write_text("{}")
    (tmp_path / "t-no_depth-to_M-s0/scores.parquet").write_bytes(b"no parquet")
    results = paper_table.read(moved)
    assert results is not None
    assert results.comparison is None  # there is nothing left to compare with
    reasons = {lost.method: lost.reason for lost in results.missing}
    assert "another state of target M" in reasons["no_meta"]
    assert "scores.parquet is damaged" in reasons["no_depth"]
    assert [line.hours for line in results.lines if line.seeds] == [None]
    assert replace(results, missing=[]).targets == ["M"]


def test_no_finished_run_gives_no_tables(runs):
    assert paper_table.read([replace_name(runs[0], "nothing")]) is None


def test_runs_with_other_sources_than_the_papers_add_no_column_even_if_they_cannot_be_made(file):
    settings = load_settings(file, ["evaluation.protocol=limited-source"])
    runs = targets_of(config_of(settings), ["rfmeta"], (0,), settings=settings).runs
    refused = [Missing(str(run.data.target), run.data.sources, "mmd_aae", 0, "no") for run in runs]
    assert {lost.target for lost in refused} == {"C", "I", "M", "O"}
    results = paper_table.read(runs, {}, refused)
    assert results is not None
    assert results.splits == {"C": "M&I→C", "O": "M&I→O"}
    assert sorted(lost.split for lost in results.missing) == ["I&M→C", "I&M→O"]
    (line,) = (line for line in results.lines if line.method == "rfmeta")
    assert ("HTER", MEAN) in line.figures


def test_a_method_that_cannot_be_trained_has_its_reason_in_the_tables_of_both_protocols(rfmeta, file):
    override = ("--set", "training.strategy=deepspeed")
    ended = rfmeta("loo", file, "--methods", "rfmeta,mmd_aae", "--seeds", "0", "--report", "--json", *override)
    assert ended.code == 0, ended.err
    for some in json.loads(ended.out)["tables"]["protocols"].values():
        (line,) = (line for line in some["methods"] if line["method"] == "mmd_aae")
        assert "strategy 'deepspeed' cannot train mmd_aae" in line["reason"]
