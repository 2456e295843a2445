"""Leave-one-out under Ray Tune: runs that fail keep their error and exit code, and the others finish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.cluster import room
from rfmeta_dist.cluster.leave_one_out import leave_one_out
from rfmeta_dist.config.held_out import targets_of
from rfmeta_dist.config.load import check, dump
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, DataError, RunError, StorageError
from rfmeta_dist.storage.store import open_store


def changed(config: Config, **fields: Any) -> Config:
    """The configuration with dotted fields, written with two underscores, replaced."""
    tree = config.model_dump(mode="json")
    for name, value in fields.items():
        section, _, field = name.partition("__")
        tree[section][field] = value
    return check(tree, "test")


@pytest.mark.drill
def test_runs_that_fail_keep_their_errors_and_the_others_finish(
    free_slots: int, configure: Any, tmp_path: Path
):
    base = configure("loo", steps=2, workers=1, strategy="single")
    taken = changed(base, run__name="taken")
    open_store(taken.run.folder).write("taken/config.yaml", dump(changed(taken, training__seed=5)).encode())
    runs = [
        changed(base, run__name="fits"),
        changed(base, run__name="no-domain", data__target="M", data__sources=["O", "C", "X"]),
        taken,
        changed(base, run__name="no-weights", model__backbone="vit_micro", model__weights=str(tmp_path / "w")),
        changed(base, run__name="no-access", run__folder="/sys/rfmeta-no-access"),  # where nobody may write
        changed(base, run__name="fits-too", training__seed=1),
    ]
    (unfinished := Path(base.run.folder) / "fits/step-0000001").mkdir(parents=True)
    (unfinished / "model.safetensors").write_bytes(b"")
    said: list[str] = []
    found = leave_one_out(runs, lambda _: None, on_notice=said.append, local=True)
    outcomes = {o.config.run.name: o for o in found}
    assert [line.split(" (")[0] for line in said if "step 1" in line] == [
        "fits: the checkpoint of step 1 is damaged"
    ]
    assert list(outcomes) == [run.run.name for run in runs]
    errors = {name: (type(o.error), o.error.exit_code) for name, o in outcomes.items() if o.error}
    assert errors == {
        "no-domain": (DataError, 3),
        "taken": (RunError, 5),
        "no-weights": (ConfigError, 2),
        "no-access": (type(outcomes["no-access"].error), 4),
    }
    assert issubclass(errors["no-access"][0], StorageError)  # which kind depends on how /sys is mounted
    for name in ("fits", "fits-too"):
        assert outcomes[name].evaluation["target"] == "M"
        assert outcomes[name].ended > outcomes[name].started >= 0


def test_each_domain_or_those_named_are_held_out(configure: Any):
    config = configure("loo")
    assert [run.data.target for run in targets_of(config, [], []).runs] == ["C", "I", "M", "O"]
    runs = targets_of(config, ["rfmeta", "no_meta", "rfmeta"], [0, 1, 1], ["I", "I"]).runs  # repeated
    assert [(run.method.name, run.training.seed) for run in runs] == [
        ("rfmeta", 0),
        ("rfmeta", 1),
        ("no_meta", 0),
        ("no_meta", 1),
    ]
    assert {(run.data.target, run.data.sources) for run in runs} == {("I", ("C", "M", "O"))}
    with pytest.raises(ConfigError, match="target 'X' is none of the configuration's domains C, I, M, O"):
        targets_of(config, [], [], ["M", "X"])


@pytest.mark.usefixtures("cluster")
def test_as_many_runs_at_once_as_the_largest_has_slots_for(configure: Any, monkeypatch: pytest.MonkeyPatch):
    """The cluster has eight slots; runs that ask for the same are one question to its autoscaler."""
    asked = []
    true = room.most
    monkeypatch.setattr(room, "most", lambda each: asked.append(each) or true(each))
    two = [configure(f"two-{k}", workers=2) for k in range(9)]
    assert room.at_once(two) == 4
    assert len(asked) == 1
    assert room.at_once([*two, configure("four", workers=4, episodes=2)]) == 2
    assert len(asked) == 3
