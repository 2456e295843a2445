"""`rfmeta loo --tuned`: a study's choices beside its base, and what cannot be asked together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Opened
from tests.stored import SHARDS
from tests.tuning import stored
from tests.tuning.studies import base, study


@pytest.fixture
def searched(tmp_path: Path) -> Opened:
    """A study of the stored domains whose search is over, with made-up figures. Nothing is chosen yet."""
    tree = base(str(SHARDS), workers=1)
    tree["run"]["folder"] = str(tmp_path / "runs")
    found = stored.store(study(folder=str(tmp_path / "studies"), base=check(tree, "test")))
    stored.train(found, lambda config, *_: Result(min(0.5, abs(config.method.inner_learning_rate - 0.1)), 0.5))
    return found


def test_what_cannot_be_asked_is_refused_before_anything_starts(rfmeta, config, searched, tmp_path: Path):
    folder = searched.folder.url
    for options, words in (
        ((), "no configuration is given; give a configuration file, or the folder of a study with --tuned"),
        ((config, "--tuned", folder), "and --tuned are both given"),
        ((config, "--with-base"), "--with-base is given without --tuned"),
        (("--tuned", folder, "--methods", "no_meta"), "--methods cannot be given with --tuned"),
    ):
        ending = rfmeta("loo", *options)
        assert ending.code == ConfigError.exit_code
        assert words in ending.error
    ending = rfmeta("loo", "--tuned", folder)
    assert ending.code == RunError.exit_code
    assert "has not chosen for C, I, M, O yet" in ending.error
    ending = rfmeta("loo", "--tuned", tmp_path / "nothing", "--dry-run")
    assert ending.code == RunError.exit_code
    assert "there is no study at" in ending.error
    assert not (tmp_path / "runs").exists()


@pytest.mark.drill
def test_one_page_compares_choice_and_base(rfmeta, searched, tmp_path: Path):
    for target in searched.plan.targets:
        searched.choose(target)
    options = ("--tuned", searched.folder.url, "--with-base", "--slots", 2)
    plan = rfmeta("loo", *options, "--dry-run")
    assert plan.code == 0
    assert "8 runs (4 targets × 2 configurations × 1 seed) with 1 worker each" in plan.err
    ending = rfmeta("loo", *options, "--targets", "M", "--json")
    assert ending.code == 0, ending.err
    found = json.loads(ending.out)
    cells = {tuple(cell["configuration"]): cell for cell in found["cells"]}
    assert cells.keys() == {("choice",), ("base",)}
    assert [(cell["state"], cell["target"], cell["seed"]) for cell in cells.values()] == [("done", "M", 1)] * 2
    assert cells["base",]["run"] == "study-base-to_M-s1"
    assert cells["choice",]["run"].startswith("study-to_M-c")
    assert (found["study"], found["opened"]) == (searched.folder.url, [])
    page = tmp_path / "runs/study-tuned-leave_one_out.html"
    assert found["page"] == str(page)
    text = page.read_text()
    assert "was chosen by the study study without any data of that target." in text
    assert "“base” is the configuration from which the study started." in text
    assert ("choice, AUC" in text, "base, AUC" in text) == (True, True)
