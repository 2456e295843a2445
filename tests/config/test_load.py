"""From a file and overrides to a checked configuration, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from rfmeta_dist.config.augmentation import Augmentation
from rfmeta_dist.config.load import dump, fields_that_differ, load_config
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
OTHERS = {"study.yaml", "retrain.yaml"}  # for other commands than `rfmeta train`
SHIPPED = sorted(path for path in (REPOSITORY / "jobs/configs").glob("*.yaml") if path.name not in OTHERS)


@pytest.fixture
def path(tmp_path) -> Path:
    file = tmp_path / "c.yaml"
    file.write_text("run: {name: r}\ndata: {prefix: x, sources: [A, B, C], target: D}\n")
    return file


@pytest.mark.parametrize("shipped", SHIPPED, ids=[path.name for path in SHIPPED])
def test_every_configuration_we_ship_is_valid(shipped):
    assert load_config(shipped).data.sources


def test_a_configuration_survives_being_written_and_read(path, tmp_path):
    config = load_config(path, ["training.learning_rate=3e-4", "method.name=no_meta"])
    (tmp_path / "again.yaml").write_text(dump(config))
    assert load_config(tmp_path / "again.yaml") == config


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("training.steps=7", "training.steps", 7),
        ("training.learning_rate=1e-5", "training.learning_rate", 1e-5),
        ("data.sources=[X,Y,Z]", "data.sources", ("X", "Y", "Z")),
        ("run.name=a-b_1", "run.name", "a-b_1"),
        ("run.folder=s3://bucket/runs", "run.folder", "s3://bucket/runs"),
        ("data.prefix=s3://with=equals", "data.prefix", "s3://with=equals"),
    ],
)
def test_an_override_reaches_its_field_and_no_other(path, override, field, value):
    config = load_config(path, [override])
    section, name = field.split(".")
    assert getattr(getattr(config, section), name) == value
    assert fields_that_differ(config, load_config(path)) == [field]


def test_the_last_of_two_overrides_counts(path):
    assert load_config(path, ["training.seed=1", "training.seed=2"]).training.seed == 2


def floats(section: type[BaseModel], prefix: str) -> list[str]:
    """Dotted names of a section's fields that are numbers with a fraction."""
    return [
        f"{prefix}.{name}"
        for name, field in section.model_fields.items()
        if float in (field.annotation, *get_args(field.annotation))
    ]


FLOATS = [
    *(name for section, field in Config.model_fields.items() for name in floats(field.annotation, section)),
    *floats(Augmentation, "data.augmentation"),
]


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
@pytest.mark.parametrize("field", FLOATS)
def test_every_number_is_finite(path, field, value):
    """An infinite cache was an error of Python's when it was turned into bytes."""
    with pytest.raises(ConfigError, match=re.escape(field)):
        load_config(path, [f"{field}={value}"])
