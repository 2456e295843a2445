"""From a file and overrides to a checked configuration, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.config.load import dump, fields_that_differ, load_config

REPOSITORY = Path(__file__).parents[2]
SHIPPED = sorted((REPOSITORY / "jobs/configs").glob("*.yaml"))


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
