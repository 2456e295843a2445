"""Runs by the protocols of the field, as typed: within one domain by official lists, or with two sources."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, stdev

import pytest
import yaml

from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import ConfigError, DataError, RunError
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.evaluation import rates
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.report.records import read_record
from rfmeta_dist.storage.store import open_store
from tests.official import recordings, samples


@pytest.fixture(scope="module")
def oulu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the domain O, of six people, and two folds of protocol 3."""
    prefix = tmp_path_factory.mktemp("oulu")
    found = recordings(tmp_path_factory.mktemp("tree"))
    pack(samples(found, ("1", "3_1", "3_2")), open_store(str(prefix)), "O", contract={})
    return prefix


@pytest.fixture
def within(oulu: Path, tmp_path: Path) -> Path:
    tree = {
        "run": {"name": "w", "folder": str(tmp_path / "runs")},
        "data": {"prefix": str(oulu), "within": "O/3", "image_size": 32, "batch": 4},
        "model": {"width": 0.05},
        "method": {"name": "no_meta"},
        "training": {"steps": 3, "checkpoint_every": 2, "workers": 1},
        "evaluation": {"recalibration_batches": 1},
    }
    path = tmp_path / "within.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.mark.drill
def test_all_folds_are_trained_and_judged_each_on_its_own_test_part(rfmeta, within: Path, tmp_path: Path):
    ending = rfmeta("leave-one-out", within, "--slots", 2, "--json")
    assert ending.code == 0, ending.err
    found = json.loads(ending.out)
    runs = {f"O/3_{fold}": tmp_path / f"runs/w-no_meta-O-3_{fold}-s0" for fold in (1, 2)}
    assert [cell["target"] for cell in found["cells"]] == list(runs)
    expected: dict[str, list[float]] = {"APCER": [], "BPCER": [], "ACER": []}
    for target, folder in runs.items():
        scores = Scores.from_parquet((folder / "scores.parquet").read_bytes())
        tested = scores.select(scores.domain == target)
        validated = scores.select(scores.domain == "O")
        # Fold k of protocol 3 tests phone k, and trains and chooses its threshold on the other five.
        assert {video.split("-")[1][0] for video in tested.video} == {target[-1]}
        assert {video.split("-")[1][0] for video in validated.video} == set("123456") - {target[-1]}
        assert set(tested.subject) == {"O-36", "O-37"}
        assert set(validated.subject) == {"O-21", "O-22"}
        threshold = rates.eer(validated.per_video().label, validated.per_video().score).threshold
        videos = tested.per_video()
        apcer = max(rates.apcer(videos.attack_type, videos.score, threshold).values())
        bpcer = rates.bpcer(videos.label, videos.score, threshold)
        for name, value in zip(expected, (apcer, bpcer, (apcer + bpcer) / 2), strict=True):
            expected[name].append(value)
        ledger = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
        fold = target.removeprefix("O/")
        assert [(line["purpose"], line["domain"], line["split"], line["sealed"]) for line in ledger] == [
            ("training", "O", f"{fold}/train", False),
            ("threshold", "O", f"{fold}/validation", False),
            ("evaluation", target, "test", True),
        ]
        assert [line["samples"] for line in ledger] == [2 * 5 * 15, 2 * 5 * 15, 2 * 15]
        assert list(json.loads((folder / "manifests.json").read_text())) == ["O"]
        assert len(read_record(open_store(str(folder)).read).target) == 2 * 15
    (of_protocol,) = found["protocol"]
    assert of_protocol["protocol"] == "O/3"
    assert of_protocol["folds"] == list(runs)
    for name, values in expected.items():
        assert of_protocol[name]["values"] == pytest.approx(values)
        assert of_protocol[name]["mean"] == pytest.approx(mean(values))
        assert of_protocol[name]["std"] == pytest.approx(stdev(values))
    page = (tmp_path / "runs/w-O-3.html").read_text()
    assert "O/3, no_meta, 2 fold(s): APCER" in page
    assert "Published figures" not in page

    again = rfmeta("leave-one-out", within, "--dry-run", "--json")
    assert json.loads(again.out)["finished"] == 2
    page = rfmeta("report", runs["O/3_1"])
    assert page.code == 0
    assert "O/3_1" in (runs["O/3_1"] / "report.html").read_text()
    other = rfmeta("train", within, "--set", "data.within=O/3_2", "--set", "run.name=w-no_meta-O-3_1-s0")
    assert other.code == RunError.exit_code
    assert "different: data.within" in other.error


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ((), DataError, "has 2 folds, each for a run: 3_1, 3_2; set data.within=O/3_1, or run all folds with"),
        (("data.within=O/7",), DataError, "has no protocol 7; it has 1, 3_1, 3_2, and splits"),
        (("data.within=O",), ConfigError, "within=O is not a domain and one of its official protocols"),
        (("method.name=rfmeta",), ConfigError, "data.within=O/3 has one domain; set method.name=no_meta"),
        (("data.sources=[A,B]",), ConfigError, "names other domains; remove both, or set data.sources=[O]"),
        (("evaluation.target_split=train",), ConfigError, "remove evaluation.target_split"),
    ],
)
def test_a_training_that_cannot_follow_the_protocol_says_why(
    rfmeta, within: Path, settings: tuple[str, ...], error: type[ConfigError], says: str
):
    ending = rfmeta("train", within, *(part for setting in settings for part in ("--set", setting)))
    assert ending.code == error.exit_code
    assert says in ending.error


def test_a_domain_without_lists_says_which_layouts_have_them(rfmeta, within: Path, packed: Path):
    ending = rfmeta("loo", within, "--set", "data.within=A/1", "--set", f"data.prefix={packed}")
    assert ending.code == DataError.exit_code
    assert "domain A has no official protocols" in ending.error
    assert "set data.within=A/splits for its own splits, or ingest the data with a layout" in ending.error


def test_domains_cannot_be_chosen_within_one(rfmeta, within: Path):
    ending = rfmeta("loo", within, "--targets", "O")
    assert ending.code == ConfigError.exit_code
    assert "--targets and --sources choose domains, but data.within=O/3 has one domain" in ending.error


# --- two sources ------------------------------------------------------------------------------------

LIMITED = ("evaluation.protocol=limited-source",)


def test_limited_source_trains_on_every_two_others(config: Path):
    runs = targets_of(load_config(config, LIMITED), [], []).runs
    assert len(runs) == len({run.run.name for run in runs}) == 4 * 3
    for run in runs:
        assert len(run.data.sources) == 2
        assert run.data.target not in run.data.sources
    assert len({run.data.protocol for run in runs}) == 12


def test_two_sources_are_named_as_papers_do(rfmeta, config: Path):
    settings = [part for setting in (*LIMITED, "training.workers=1") for part in ("--set", setting)]
    ending = rfmeta("loo", config, *settings, "--sources", "A,B", "--dry-run", "--json")
    planned = json.loads(ending.out)
    assert [(cell["run"], cell["target"]) for cell in planned["cells"]] == [
        ("r-rfmeta-A_B-to_C-s0", "C"),
        ("r-rfmeta-A_B-to_D-s0", "D"),
    ]
    shown = rfmeta("loo", config, *settings, "--targets", "D", "--dry-run")
    assert [name for name in ("A&B→D", "A&C→D", "B&C→D") if name in shown.out] == ["A&B→D", "A&C→D", "B&C→D"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--sources", "A,B"), "leave --sources out, or add --set evaluation.protocol=limited-source"),
        (("--set", *LIMITED, "--sources", "A"), "does not name two of the configuration's domains A, B, C, D"),
        (("--set", *LIMITED, "--sources", "A,B", "--targets", "A"), "A is given as a target and as a source"),
    ],
)
def test_sources_that_do_not_fit_are_refused(rfmeta, config: Path, options: tuple[str, ...], says: str):
    ending = rfmeta("loo", config, *options)
    assert ending.code == ConfigError.exit_code
    assert says in ending.error


def test_a_configuration_that_names_no_protocol_gives_the_runs_that_it_always_gave(config: Path):
    runs = targets_of(load_config(config), [], []).runs
    assert [run.run.name for run in runs] == [f"r-rfmeta-to_{target}-s0" for target in "ABCD"]
    assert {run.data.within for run in runs} == {None}
