"""Settings on which a method's model does not depend are named before it is trained, and no others."""

from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.unused import unused_fields, unused_notes


def configured(method: dict[str, Any], **sections: dict[str, Any]) -> Config:
    data = {"prefix": "faces", "sources": ["O", "C", "I"], "target": "M", **sections.pop("data", {})}
    training = {"workers": 1, **sections.pop("training", {})}
    tree = {"run": {"name": "a"}, "data": data, "method": method, "training": training, **sections}
    return check(tree, "config.yaml")


@pytest.mark.parametrize("name", [name for name, facts in METHODS.items() if facts.kind == "gradient"])
def test_a_method_alone_with_its_preset_has_no_unused_field(name: str):
    assert unused_notes(configured({"name": name})) == []


def test_a_field_that_a_rule_does_not_use_is_named():
    config = configured({"name": "no_depth", "depth_weight": 3, "inner_learning_rate": 0.1})
    assert unused_notes(config) == [
        "the model of this run does not depend on method.depth_weight, so you can remove it from the "
        "configuration"
    ]
    assert unused_fields(configured({"name": "rfmeta", "depth_weight": 3})) == []


def test_the_order_of_meta_test_domains_counts_in_episodes_of_all_domains_alone():
    balanced = {"name": "rfmeta", "schedule": "balanced"}
    assert unused_fields(configured(balanced)) == []
    assert unused_fields(configured(balanced, episode={"domains": 2})) == ["method.schedule"]


def test_of_hand_made_features_all_that_belongs_to_a_training_in_steps_is_named():
    config = configured(
        {"name": "ms_lbp", "inner_steps": 2, "fitted_frames": 50},
        model={"width": 0.5},
        training={"steps": 20, "seed": 3, "wait_s": 5},
        data={"batch": 8, "image_size": 64},
        evaluation={"recalibration_batches": 3, "target_split": "test"},
    )
    (note,) = unused_notes(config)
    assert note.startswith(
        "the model of this run does not depend on method.inner_steps, model.width, training.steps, "
        "training.workers, data.batch and evaluation.recalibration_batches, so you can remove them "
    )
