"""Fields keep answering to their former names, in files, overrides and stored runs; a warning says so."""

from __future__ import annotations

import logging

import pytest
import yaml

from rfmeta_dist.config.load import check, dump, load_config
from rfmeta_dist.config.renamed import RENAMED
from rfmeta_dist.core.errors import ConfigError

PLAIN = {"run": {"name": "r"}, "data": {"prefix": "x", "sources": ["A", "B"], "target": "D"}}
VALUES = {"training.rate": 0.25, "training.recompute": True, "method.inner_rate": 0.125}


@pytest.mark.parametrize("former", RENAMED)
@pytest.mark.parametrize("where", ["file", "override", "stored"])
def test_a_former_name_is_read_with_a_warning(tmp_path, caplog, former, where):
    section, _, field = former.partition(".")
    value, today = VALUES[former], f"{section}.{RENAMED[former]}"
    path = tmp_path / "c.yaml"
    with caplog.at_level(logging.WARNING):
        if where == "override":
            path.write_text(yaml.safe_dump({**PLAIN, section: {RENAMED[former]: 0}}))
            config = load_config(path, [f"{former}={value}"])
        else:
            tree = {**PLAIN, section: {field: value}}
            path.write_text(yaml.safe_dump(tree))
            config = load_config(path) if where == "file" else check(tree, "stored")
    assert getattr(getattr(config, section), RENAMED[former]) == value
    assert [f"{former} is now called {today}" in record.getMessage() for record in caplog.records] == [True]
    assert RENAMED[former] in dump(config)
    assert field not in yaml.safe_load(dump(config))[section]


def test_both_names_at_once_are_refused(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, "training": {"rate": 0.1, "learning_rate": 0.2}}))
    with pytest.raises(
        ConfigError, match=r"both training\.rate and training\.learning_rate; remove training\.rate"
    ):
        load_config(path)


def test_todays_names_are_read_without_a_word(tmp_path, caplog):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, "training": {"learning_rate": 0.2}}))
    assert load_config(path, ["method.inner_learning_rate=0.5"]).method.inner_learning_rate == 0.5
    assert not caplog.records


def test_a_file_that_is_read_again_and_again_warns_once(tmp_path, caplog):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, "training": {"rate": 0.1}}))
    for _ in range(3):
        load_config(path)
    assert len(caplog.records) == 1
