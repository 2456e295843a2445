"""A run's model is chosen among candidates by the sources alone; the target only says what the choice cost."""

from __future__ import annotations

import numpy as np
import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.evaluation import rates, thresholds
from rfmeta_dist.evaluation.checkpoints import Candidate, candidates, described, judged, others
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.report.candidates import section

FOUND = [Candidate("step-0000002", 2), Candidate("step-0000004", 4), Candidate("average", 4, averaged=True)]


def configuration(training: dict[str, object], evaluation: dict[str, object]) -> Config:
    tree = {
        "run": {"name": "r"},
        "data": {"prefix": "d", "sources": ["A", "B"], "target": "M"},
        "training": {"steps": 10, **training},
        "evaluation": evaluation,
    }
    return check(tree, "test")


def scores(domain: str, split: str, shift: float, seed: int) -> Scores:
    """40 people with a live and an attack video of one frame each; `shift` is how far the classes are apart."""
    drawn = np.random.default_rng(seed)
    people = np.repeat(np.arange(40), 2)
    label = np.tile([1, 0], 40)
    return Scores(
        key=np.array([f"{domain}/{i}" for i in range(80)]),
        domain=np.full(80, domain),
        split=np.full(80, split),
        subject=np.array([f"s{i}" for i in people]),
        video=np.array([f"v{i}" for i in range(80)]),
        label=label,
        attack_type=np.where(label == 1, "live", "print"),
        score=drawn.normal(size=80) + shift * label,
    )


SHIFTS = {"step-0000002": (2.0, 0.5), "step-0000004": (1.0, 2.0), "average": (1.5, 1.0)}
VALIDATION = {name: scores("A", "validation", shift, 1) for name, (shift, _) in SHIFTS.items()}
TARGET = {name: scores("M", "test", shift, 2) for name, (_, shift) in SHIFTS.items()}


@pytest.mark.parametrize(
    ("rule", "chosen"), [("last", "step-0000004"), ("best", "step-0000002"), ("average", "average")]
)
def test_the_rule_chooses_and_the_target_has_no_part_in_it(rule: str, chosen: str):
    choice = described(FOUND, VALIDATION, rule)
    assert choice["chosen"] == chosen
    assert set(others({"checkpoints": choice})) == SHIFTS.keys() - {chosen}
    turned = {name: TARGET[other] for name, other in zip(SHIFTS, reversed(SHIFTS), strict=True)}
    for target in (TARGET, turned):
        assert judged(choice, VALIDATION, target)["chosen"] == chosen


def test_equally_good_candidates_are_decided_by_auc_and_then_the_later_one_wins():
    equal = dict.fromkeys(SHIFTS, VALIDATION["average"])
    assert described(FOUND, equal, "best")["chosen"] == "average"
    assert described(FOUND[:2], equal, "best")["chosen"] == "step-0000004"
    # Four videos of each class: both have one false acceptance and one false rejection, but other ranks.
    good = np.array([9.0, 5.0, 8.0, 3.0, 7.0, 2.0, 4.0, 1.0])  # live, attack, live, attack, …
    worse = np.array([9.0, 10.0, 8.0, 3.0, 7.0, 2.0, 1.0, 1.5])
    made = {}
    for name, score in (("step-0000002", good), ("step-0000004", worse)):
        base = VALIDATION[name].select(np.arange(8))
        made[name] = Scores(**{**base.columns(), "score": score})
    eers = [thresholds.from_sources(made[name], "video").eer for name in made]
    assert eers[0] == eers[1] > 0
    assert described(FOUND[:2], made, "best")["chosen"] == "step-0000002"


def test_regret_and_spread_are_those_of_the_target_at_each_candidates_own_threshold():
    found = judged(described(FOUND, VALIDATION, "best"), VALIDATION, TARGET)
    expected = {}
    for name, target in TARGET.items():
        threshold = thresholds.from_sources(VALIDATION[name], "video").value
        accepted = target.score >= threshold
        expected[name] = (np.mean(~accepted[target.label == 1]) + np.mean(accepted[target.label == 0])) / 2
    assert {row["name"]: row["target"]["HTER"] for row in found["candidates"]} == pytest.approx(expected)
    auc = {name: rates.auc(target.label, target.score) for name, target in TARGET.items()}
    assert {row["name"]: row["target"]["AUC"] for row in found["candidates"]} == auc
    assert found["oracle"] == min(expected, key=expected.__getitem__) == "step-0000004"
    assert found["regret"] == pytest.approx(expected["step-0000002"] - expected["step-0000004"])
    last = [expected["step-0000002"], expected["step-0000004"]]  # the average is no step of the training
    assert found["spread"] == pytest.approx(
        {"count": 2, "lowest": min(last), "highest": max(last), "std": np.std(last, ddof=1)}
    )


def test_a_page_names_the_model_the_oracle_and_what_their_difference_means():
    found = judged(described(FOUND, VALIDATION, "best", ["step-0000001"]), VALIDATION, TARGET)
    shown = section(found)
    assert shown is not None
    marks = {row["name"]: (row["chosen"], row["oracle"]) for row in shown["rows"]}
    assert marks == {"step 2": (True, False), "step 4": (False, True), "average up to step 4": (False, False)}
    regret, spread = shown["said"]
    assert f"the model, which is step 2, is {100 * found['regret']:.1f} points above" in regret
    assert "best of 3 candidates on the target, step 4" in regret
    assert "needs the target’s labels" in regret
    assert "last 2 checkpoints" in spread
    assert shown["left_out"] == ["step-0000001"]
    assert section(None) is None


def test_the_candidates_are_the_last_checkpoints_and_the_average():
    config = configuration({"keep": 3, "average": 0.9}, {"candidates": 2})
    there = {step: f"step-{step}" for step in (4, 8, 10, 12)}  # 12: left by a longer training
    assert [c.name for c in candidates(config, there)] == ["step-8", "step-10", "average"]
    assert [c.name for c in candidates(configuration({}, {}), there)] == ["step-10"]


@pytest.mark.parametrize(
    ("training", "evaluation", "words"),
    [
        ({}, {"candidates": 3}, "candidates=3, but a run keeps training.keep=2 checkpoints"),
        ({}, {"checkpoint": "average"}, "no average of its weights; set training.average"),
        ({}, {"checkpoint": "best"}, "only one candidate; set evaluation.candidates=5"),
        ({"average": 1.0}, {}, "training.average"),
        ({"keep": 0}, {}, "training.keep"),
    ],
)
def test_a_choice_without_candidates_is_refused(
    training: dict[str, object], evaluation: dict[str, object], words: str
):
    with pytest.raises(ConfigError, match=words):
        configuration(training, evaluation)
