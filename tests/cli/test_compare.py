"""`rfmeta compare`: what it says of many runs in each form, and how it refuses runs that are not comparable."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.evaluation.scores import Scores
from tests.compared import scores, write_run


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of two methods on four targets with three seeds; rfmeta separates the classes better."""
    place = tmp_path_factory.mktemp("grid")
    return [
        write_run(place / f"demo-{method}-to_{target}-s{seed}", method, target, seed, quality)
        for method, quality in (("no_meta", 0.6), ("rfmeta", 1.3))
        for target in "OCIM"
        for seed in range(3)
    ]


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of two methods that are equally good."""
    one = write_run(tmp_path / "runs/a", "no_meta")
    return one, write_run(tmp_path / "runs/b", "rfmeta", quality=1.01)


def test_four_targets_two_methods_and_three_seeds(rfmeta, grid, tmp_path):
    ended = rfmeta("compare", *grid, "--json", "--out", tmp_path / "page.html")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert (found["methods"], found["targets"]) == (["no_meta", "rfmeta"], list("OCIM"))
    whole = next(d for d in found["differences"] if d["target"] == "mean" and d["figure"] == "HTER")
    assert (whole["method"], whole["baseline"], whole["pairs"], whole["confidence"]) == (
        "rfmeta",
        "no_meta",
        12,
        0.95,
    )
    assert whole["verdict"] == "better, significant at 95 %"
    assert whole["high"] < 0
    assert whole["p"] < 0.05
    # The figures are those of evaluation.json, and means and deviations are theirs.
    values = np.array(
        [[read(run)["HTER"]["value"] for run in grid if f"rfmeta-to_{target}" in run.name] for target in "OCIM"]
    )
    mean = next(
        f for f in found["figures"] if (f["method"], f["figure"], f["target"]) == ("rfmeta", "HTER", "mean")
    )
    assert mean["value"] == pytest.approx(values.mean())
    assert mean["std"] == pytest.approx(values.mean(axis=0).std(ddof=1))
    assert mean["best"]
    assert {d["verdict"] for d in found["differences"] if d["target"] != "mean"} == {None}
    assert len(found["delong"]) == 12
    assert found["published"]["figures"]["RFMeta"]["O&C&I→M"] == [0.1389, 0.9398]
    html = (tmp_path / "page.html").read_text()
    assert "not comparable with generated domains" in html
    assert html.count("<svg") == 4
    assert "<script" not in html


def read(run: Path) -> dict:
    return json.loads((run / "evaluation.json").read_text())["figures"]["video"]


def test_all_forms_say_the_same(rfmeta, grid, tmp_path):
    out = ("--out", tmp_path / "page.html")
    found = json.loads(rfmeta("compare", *grid, "--format", "json", *out).out)
    markdown = rfmeta("compare", *grid, "--format", "md", *out).out
    latex = rfmeta("compare", *grid, "--format", "latex", *out).out
    rows = list(csv.DictReader(io.StringIO(rfmeta("compare", *grid, "--format", "csv", *out).out)))
    mean = next(
        f for f in found["figures"] if (f["method"], f["figure"], f["target"]) == ("rfmeta", "HTER", "mean")
    )
    shown = f"{100 * mean['value']:.1f}", f"{100 * mean['std']:.1f}"
    assert f"| mean | rfmeta | 3 | **{shown[0]}** ± {shown[1]} |" in markdown
    assert rf"mean & rfmeta & 3 & \textbf{{{shown[0]}}} $\pm$ {shown[1]} &" in latex
    assert r"no\_meta" in latex
    assert "no_meta" not in latex
    row = next(
        r
        for r in rows
        if (r["row"], r["method"], r["figure"], r["target"]) == ("figure", "rfmeta", "HTER", "mean")
    )
    assert float(row["value"]) == mean["value"]
    assert {r["row"] for r in rows} == {"figure", "difference", "published on other data"}


def test_equal_methods_are_not_called_different_and_the_page_lies_beside_the_runs(rfmeta, two):
    one, other = two
    ended = rfmeta("compare", one, other)
    assert ended.code == 0, ended.err
    page = one.parent / "comparison.html"
    assert f"wrote the page {page}" in ended.err
    assert page.exists()
    assert ended.out.count("not significant at 95 %") == 2
    assert "these trained models on other people" in ended.err
    assert "DeLong" in ended.err
    assert "**" not in rfmeta("compare", one, other, "--format", "md").out  # nothing is marked as best


def test_runs_of_one_method_are_named_by_the_fields_in_which_they_differ_or_by_labels(rfmeta, tmp_path):
    runs = [
        write_run(
            tmp_path / f"runs/{name}-s{seed}",
            seed=seed,
            quality=1 + rate,
            fields={"method.inner_learning_rate": rate},
        )
        for name, rate in (("r1", 0.01), ("r2", 0.1))
        for seed in (0, 1)
    ]
    ended = rfmeta("compare", *runs, "--json")
    assert ended.code == 0, ended.err
    plain = json.loads(ended.out)
    assert plain["methods"] == [
        "rfmeta (method.inner_learning_rate=0.01)",
        "rfmeta (method.inner_learning_rate=0.1)",
    ]
    labels = ("--label", f"{tmp_path}/runs/r1-*=slow", "--label", f"{tmp_path}/runs/r2-*=fast")
    named = json.loads(rfmeta("compare", *runs, "--json", *labels, "--baseline", "fast").out)
    assert [(d["method"], d["baseline"]) for d in named["differences"]] == [("slow", "fast")] * 2


def test_three_methods_are_corrected_together_and_in_all_pairs_if_asked(rfmeta, tmp_path):
    runs = [
        write_run(tmp_path / f"runs/{method}", method, quality=quality)
        for method, quality in (("no_meta", 0.5), ("first_order", 1.0), ("rfmeta", 1.5))
    ]
    few = json.loads(rfmeta("compare", *runs, "--figures", "AUC", "--json").out)["differences"]
    every = json.loads(rfmeta("compare", *runs, "--figures", "AUC", "--all-pairs", "--json").out)["differences"]
    assert (len(few), len(every)) == (2, 3)
    least = min(every, key=lambda d: d["p_uncorrected"])
    assert least["p"] == pytest.approx(min(1, 3 * least["p_uncorrected"]))
    assert least["confidence"] == pytest.approx(1 - 0.05 / 3)
    for d in few + every:
        assert d["significant"] == (d["p"] < 0.05) == (not d["low"] <= 0 <= d["high"])


def test_a_missing_seed_is_left_out_and_said(rfmeta, grid, tmp_path):
    ended = rfmeta("compare", *grid[:-1], "--json", "--out", tmp_path / "page.html")
    found = json.loads(ended.out)
    assert {d["pairs"] for d in found["differences"] if d["target"] == "mean"} == {11}
    assert found["notes"][0].startswith("1 of 23 runs of rfmeta and no_meta have no partner")


def refused(ended, code: int, *said: str) -> None:
    assert ended.code == code, ended.err
    for words in said:
        assert words in ended.error
    assert ended.out == ""


def test_one_run_a_run_twice_and_one_method_are_refused(rfmeta, two, tmp_path):
    one, _ = two
    refused(rfmeta("compare", one), 2, "a comparison needs two")
    refused(rfmeta("compare", one, f"{one}/"), 2, "is given twice")
    more = write_run(tmp_path / "runs/c", "no_meta", seed=1)
    refused(rfmeta("compare", one, more), 2, "all runs are of one method, no_meta", "--label RUN=NAME")
    again = write_run(tmp_path / "runs/d", "no_meta")
    refused(rfmeta("compare", one, again), 5, "have the same method no_meta, target M and seed 0", "--label")
    refused(rfmeta("compare", one, tmp_path), 5, "there is no run at")
    page = f"{one.parent}/demo-leave_one_out.html"  # runs/demo-* names it too
    refused(rfmeta("compare", one, page), 2, "is a page, and not the folder of a run", "fits folders only")
    assert not (one.parent / "comparison.html").exists()


def test_runs_that_were_not_judged_or_on_other_targets_are_refused(rfmeta, two, tmp_path):
    one, other = two
    elsewhere = write_run(tmp_path / "runs/c", "rfmeta", target="C")
    refused(rfmeta("compare", one, elsewhere), 5, "rfmeta and no_meta have no target and seed in common")
    (other / "evaluation.json").unlink()
    refused(rfmeta("compare", one, other), 5, "evaluation.json", "rfmeta evaluate")


def test_files_of_two_judgements_in_one_folder_are_refused(rfmeta, two):
    one, other = two
    (other / "scores.parquet").write_bytes((one / "scores.parquet").read_bytes())
    refused(rfmeta("compare", one, other), 5, "the files are of two judgements", f"rfmeta evaluate {other}")


def test_other_samples_labels_and_states_of_the_target_are_refused_with_what_differs(rfmeta, two, tmp_path):
    one, _ = two
    whole = scores("M", "test", 1.2, 0)
    fewer = write_run(tmp_path / "runs/c", judged=whole.select(np.arange(len(whole)) < len(whole) - 12))
    refused(rfmeta("compare", one, fewer), 5, f"12 of 150 samples are in {one} only")
    kind = np.where(whole.attack_type == "print", "mask", whole.attack_type)
    other = write_run(tmp_path / "runs/d", judged=scores("M", "test", 1.2, 0, attack_type=kind))
    refused(rfmeta("compare", one, other), 5, "the attack type of 50 of 150 samples differs")
    newer = write_run(tmp_path / "runs/e", manifest="b" * 64)
    refused(rfmeta("compare", one, newer), 5, "another state of target M (manifest aaaaaaaa)", "bbbbbbbb")
    assert not (one.parent / "comparison.html").exists()


def test_a_class_of_one_person_is_not_enough(rfmeta, tmp_path):
    plain = scores("M", "test", 1.0, 0)
    alone = np.where(plain.label == 1, "M/p00", plain.subject)
    runs = [
        write_run(tmp_path / f"runs/{m}", m, judged=scores("M", "test", q, 0, subject=alone))
        for m, q in (("no_meta", 1.0), ("rfmeta", 1.2))
    ]
    refused(rfmeta("compare", *runs), 3, "all live recordings of M are of one person")


def test_wrong_options_are_refused_before_any_run_is_read(rfmeta, tmp_path):
    nothing = tmp_path / "nothing"
    refused(rfmeta("compare", nothing, "--figures", "F1"), 2, "'F1' is no figure", "HTER")
    refused(rfmeta("compare", nothing, "--format", "xml"), 2, "'xml' is no value of --format")
    refused(rfmeta("compare", nothing, "--format", "md", "--json"), 2, "both given")


def test_wrong_labels_and_baselines_are_refused(rfmeta, two):
    refused(rfmeta("compare", *two, "--baseline", "x"), 2, "'x' is no method of these runs", "no_meta, rfmeta")
    refused(rfmeta("compare", *two, "--label", "x=y"), 2, "fits none of the runs")
    refused(rfmeta("compare", *two, "--label", "x"), 2, "not of the form RUN=NAME")


def fold_of(judged: Scores, name: str) -> Scores:
    return replace(judged, domain=np.array([name] * len(judged), object))


def test_the_folds_of_a_protocol_are_targets_of_one_method(rfmeta, tmp_path):
    runs = [
        write_run(
            tmp_path / f"{steps}-{fold}",
            "no_meta",
            f"O/3_{fold}",
            quality=quality,
            sources="O",
            judged=fold_of(scores("O", "test", quality, fold), f"O/3_{fold}"),
            fields={
                "data.within": f"O/3_{fold}",
                "training.steps": steps,
                "training.workers": 1,
                "evaluation.target_split": "test",
            },
        )
        for steps, quality in ((20, 0.6), (30, 1.3))
        for fold in (1, 2)
    ]
    found = json.loads(rfmeta("compare", *runs, "--json").out)
    assert found["methods"] == ["no_meta (training.steps=20)", "no_meta (training.steps=30)"]
    assert found["targets"] == ["O/3_1", "O/3_2"]
    assert next(d for d in found["differences"] if d["target"] == "mean")["pairs"] == 2
    assert not any("data.within" in note for note in found["notes"])


def test_a_target_whose_runs_have_other_sources_has_no_sources_in_its_name(rfmeta, tmp_path):
    one, two = (write_run(tmp_path / pair, "no_meta", "O", sources=pair) for pair in ("CI", "IM"))
    shown = rfmeta("compare", one, two, "--format", "md").out
    assert "→" not in shown
    assert "| O |" in shown


@pytest.mark.parametrize("field", ["seed", "figures"])
def test_an_evaluation_without_its_values_is_called_damaged(rfmeta, two, field):
    path = two[1] / "evaluation.json"
    evaluation = json.loads(path.read_text())
    if field == "seed":
        evaluation["seed"] = None
    else:
        del evaluation["figures"]["video"]["threshold"]
    path.write_text(json.dumps(evaluation))
    ended = rfmeta("compare", *two)
    assert ended.code == 5
    assert "evaluation.json is damaged" in ended.error
