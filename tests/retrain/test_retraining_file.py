"""A field of the retraining's file that cannot be used is named, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.retrain import load_retraining
from rfmeta_dist.core.errors import ConfigError
from tests.retrain.worlds import retraining


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("registry.mlflow", "sqlite:///relative.db", "^registry.mlflow: its path is not absolute"),
        ("folder", "s3://", "^folder: it names no bucket"),
        ("base.training.start", "/some/model", "^base.training.start=/some/model"),
    ],
)
def test_the_field_is_named_once(tmp_path: Path, field: str, value: str, problem: str) -> None:
    words: dict[str, Any] = retraining(tmp_path).model_dump(mode="json")
    file = tmp_path / "retrain.yaml"
    file.write_text(yaml.safe_dump(words))
    load_retraining(file)
    with pytest.raises(ConfigError, match=problem):
        load_retraining(file, [f"{field}={value}"])


def test_a_method_whose_phases_begin_anew_cannot_begin_with_the_champion(tmp_path: Path) -> None:
    words: dict[str, Any] = retraining(tmp_path).model_dump(mode="json")
    words["base"]["method"] = {"name": "metareg"}
    file = tmp_path / "retrain.yaml"
    file.write_text(yaml.safe_dump(words))
    with pytest.raises(ConfigError, match=r"^base.method.name=metareg") as caught:
        load_retraining(file, ["challenger.start=champion"])
    assert "challenger.start=afresh" in caught.value.remedy
    assert load_retraining(file, ["challenger.start=afresh"]).base.method.name == "metareg"
