"""The runs of `rfmeta leave-one-out --tuned`: what a study chose for each target, and its base beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.config.load import fields_that_differ, load_config
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.runs import folder as runs_folder
from rfmeta_dist.tuning import sealing
from rfmeta_dist.tuning.chosen import BASE, CHOICE, runs_of
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Opened
from tests.tuning import stored
from tests.tuning.studies import study


def best_for(value: float):
    """Figures that are the better the nearer the inner learning rate is to a value."""

    def figure(config: Config, judged: str, step: int) -> Result:
        away = min(0.5, abs(config.method.inner_learning_rate - value))
        return Result(away, 1 - away)

    return figure


def chosen(tmp_path: Path, value: float = 0.1, *, left: str = "") -> Opened:
    """A study that is over, with the choices of all targets but those in `left`."""
    found = stored.store(study(folder=str(tmp_path / "studies")))
    stored.train(found, best_for(value))
    for target in found.plan.targets:
        if target not in left:
            found.choose(target)
    return found


def content(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_each_target_is_trained_with_its_own_choice_and_the_study_is_only_read(tmp_path: Path):
    found = chosen(tmp_path)
    before = content(found.folder.url)
    asked = runs_of(found.folder.url, ["M", "C"], [5, 6])
    assert content(found.folder.url) == before
    assert [(run.data.target, run.training.seed) for run in asked.runs] == [
        ("C", 5),
        ("C", 6),
        ("M", 5),
        ("M", 6),
    ]
    for run in asked.runs:
        file = load_config(Path(found.folder.url) / f"choice-to_{run.data.target}.yaml")
        assert set(fields_that_differ(run, file)) == {"run.name", "training.seed"}
        assert run.run.name == f"{file.run.name}-s{run.training.seed}"
        assert asked.labels_of(run) == (CHOICE,)
    assert {run.training.seed for run in runs_of(found.folder.url).runs} == {1}  # the study has seed 0


def test_the_base_is_trained_beside_the_choice_and_once_if_it_was_chosen(tmp_path: Path):
    other = chosen(tmp_path)
    asked = runs_of(other.folder.url, ["M"], with_base=True)
    choice, base = asked.runs
    assert (asked.labels_of(choice), asked.labels_of(base)) == ((CHOICE,), (BASE,))
    assert (base.data.sources, base.data.target) == (("C", "I", "O"), "M")
    differing = set(fields_that_differ(choice, base))
    assert differing - {"run.name"} <= set(other.plan.study.space)
    assert base.method.inner_learning_rate == other.plan.study.base.method.inner_learning_rate

    (tmp_path / "same").mkdir()
    same = chosen(tmp_path / "same", other.plan.study.base.method.inner_learning_rate)
    asked = runs_of(same.folder.url, ["M"], [1, 2], with_base=True)
    assert [asked.labels_of(run) for run in asked.runs] == [(CHOICE, BASE)] * 2


def test_a_study_without_choices_or_another_target_is_refused(tmp_path: Path):
    found = chosen(tmp_path, left="CM")
    with pytest.raises(RunError, match=r"has not chosen for C, M yet.*or give --targets I,O"):
        runs_of(found.folder.url)
    assert len(runs_of(found.folder.url, ["I", "O"]).runs) == 2
    with pytest.raises(ConfigError, match="target 'X' is none of the study's targets C, I, M, O"):
        runs_of(found.folder.url, ["X"])
    with pytest.raises(RunError, match="there is no study at"):
        runs_of(str(tmp_path / "nothing"))


def test_only_what_decides_no_result_may_be_set(tmp_path: Path):
    found = chosen(tmp_path)
    asked = runs_of(found.folder.url, overrides=["training.threads=2", "run.folder=/elsewhere"], with_base=True)
    assert {(run.training.threads, run.run.folder) for run in asked.runs} == {(2, "/elsewhere")}
    for override in ("training.learning_rate=0.5", "training.steps=1", "evaluation.target_split=test"):
        field = override.partition("=")[0]
        with pytest.raises(ConfigError, match=f"--set {field} would change the configuration"):
            runs_of(found.folder.url, overrides=[override])


def test_a_target_that_was_opened_is_named_and_whether_its_choice_is_older(tmp_path: Path):
    found = chosen(tmp_path)
    assert runs_of(found.folder.url).about["opened"] == []
    for target in "CM":
        name = f"choice-to_{target}.yaml"
        sealing.fix(found.folder, target, name, digest(found.folder.read(name)))
        runs_folder.record(found.folder, "regret", target, "test", 1, "of " + target, sealed=True)
    found.folder.write("choice-to_M.yaml", found.folder.read("choice-to_M.yaml") + b"# made later\n")
    asked = runs_of(found.folder.url)
    assert asked.about["opened"] == ["C", "M"]
    _, c, m = asked.notes
    assert c.startswith("`rfmeta tune regret` looked at the labels of C")
    assert c.endswith("after this choice was made")
    assert m.endswith("before this choice was made, so it may depend on them")
    assert len(runs_of(found.folder.url, ["I"]).notes) == 1
