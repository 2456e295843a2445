"""A method is refused what it cannot be trained with, when the file is read, and the error names the field."""

from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import RULES
from rfmeta_dist.config.phases import ends
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.evaluation.checkpoints import candidates

TURNS = [name for name, facts in RULES.items() if facts.turns > 1]
PHASES = [name for name, facts in RULES.items() if len(facts.phases) > 1]
OWN_STEPS = [name for name, facts in RULES.items() if "deepspeed" in facts.refuses]
assert TURNS
assert PHASES
assert set(TURNS) <= set(OWN_STEPS)


def configured(name: str, **training: Any) -> Config:
    data = {"prefix": "faces", "sources": ["O", "C", "I"], "target": "M"}
    method = {"name": name, **({"first_phase": 0.25} if name in PHASES else {})}
    return check({"run": {"name": "a"}, "data": data, "method": method, "training": training}, "config.yaml")


@pytest.mark.parametrize("name", TURNS)
def test_a_step_of_several_turns_cannot_be_skipped(name: str):
    with pytest.raises(ConfigError, match=r"training.not_finite=skip .* cannot be undone"):
        configured(name, not_finite="skip")


@pytest.mark.parametrize("name", OWN_STEPS)
def test_deepspeed_is_refused_where_it_would_take_other_steps(name: str):
    with pytest.raises(ConfigError, match=f"strategy 'deepspeed' cannot train {name}"):
        configured(name, strategy="deepspeed")


@pytest.mark.parametrize("name", PHASES)
def test_two_phases_need_two_steps_and_begin_with_new_networks(name: str):
    assert ends(configured(name, steps=2)) == (1, 2)
    assert ends(configured(name, steps=100)) == (25, 100)
    with pytest.raises(ConfigError, match=r"set training.steps to 2 or more"):
        configured(name, steps=1)
    with pytest.raises(ConfigError, match=r"remove training.start"):
        configured(name, start="runs/other")


@pytest.mark.parametrize("name", PHASES)
def test_no_model_is_made_in_the_first_phase(name: str):
    config = configured(name, steps=100, keep=5)
    evaluation = config.evaluation.model_copy(update={"candidates": 5})
    config = config.model_copy(update={"evaluation": evaluation})
    there = {step: f"step-{step:07d}" for step in (20, 25, 40, 100)}
    assert [candidate.step for candidate in candidates(config, there)] == [40, 100]


@pytest.mark.parametrize("name", PHASES)
def test_a_study_judges_no_candidate_in_the_first_phase(name: str, tmp_path: Path):
    base = configured(name, steps=100).model_dump(mode="json")
    space = {"model.width": {"choice": [0.1, 0.2]}}
    study = {"name": "s", "folder": str(tmp_path), "base": base, "space": space}
    assert Study.model_validate({**study, "search": {"candidates": 2, "rungs": [26]}})
    with pytest.raises(ConfigError, match=r"search.rungs: at step 25 .* ends at step 25"):
        Study.model_validate({**study, "search": {"candidates": 2, "rungs": [25]}})
