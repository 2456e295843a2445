"""rfmeta init: a folder to start from; what is there already is not overwritten unless that is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.config.load import load_config
from rfmeta_dist.config.retrain import load_retraining
from rfmeta_dist.config.study import load_study

JOBS = Path(__file__).parents[2] / "jobs"


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_empty_folder_gets_every_example_and_the_next_commands(rfmeta, tmp_path):
    ended = rfmeta("init", tmp_path / "new folder")
    assert ended.code == 0, ended.err
    examples = {f"jobs/{name}": data for name, data in content(JOBS).items() if name.endswith(".yaml")}
    assert content(tmp_path / "new folder") == examples
    for said in (f"cd '{tmp_path / 'new folder'}'", "rfmeta doctor", "rfmeta demo"):
        assert said in ended.err


def test_what_is_written_works_from_that_folder(rfmeta, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = rfmeta("init")
    assert ended.code == 0, ended.err
    assert "  cd " not in ended.err
    for path in Path("jobs/configs").iterdir():
        {"study": load_study, "retrain": load_retraining}.get(path.stem, load_config)(path)
    for path in Path("jobs").glob("*.yaml"):
        entry = yaml.safe_load(path.read_text())["spec"]["entrypoint"]
        for named in re.findall(r"jobs/\S+", entry):
            assert Path(named).is_file(), entry


def test_giving_it_again_changes_nothing_and_brings_back_what_is_missing(rfmeta, tmp_path):
    rfmeta("init", tmp_path)
    (tmp_path / "jobs/synth.yaml").unlink()
    kept = (tmp_path / "jobs/configs/demo.yaml").stat()
    ended = rfmeta("init", tmp_path, "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["written"] == ["jobs/synth.yaml"]
    assert (tmp_path / "jobs/configs/demo.yaml").stat().st_ino == kept.st_ino


def test_a_changed_file_stops_everything_unless_force_is_given(rfmeta, tmp_path):
    rfmeta("init", tmp_path)
    (tmp_path / "jobs/synth.yaml").unlink()
    (tmp_path / "jobs/configs/demo.yaml").write_text("mine")
    before = content(tmp_path)
    ended = rfmeta("init", tmp_path)
    assert ended.code == 2
    assert str(tmp_path / "jobs/configs/demo.yaml") in ended.error
    assert "add --force" in ended.error
    assert content(tmp_path) == before
    assert rfmeta("init", tmp_path, "--force").code == 0
    assert (tmp_path / "jobs/configs/demo.yaml").read_bytes() == (JOBS / "configs/demo.yaml").read_bytes()


@pytest.mark.parametrize("taken", ["", "jobs", "jobs/configs"])
def test_a_file_where_a_folder_is_needed_is_named(rfmeta, tmp_path, taken):
    place = tmp_path / "place"
    (place / taken).parent.mkdir(parents=True, exist_ok=True)
    (place / taken).write_text("a file")
    ended = rfmeta("init", place)
    assert ended.code == 2
    assert f"{place / taken} is not a folder" in ended.error
    assert content(tmp_path) == {(Path("place") / taken).as_posix(): b"a file"}


def test_the_demo_takes_the_configuration_of_this_folder_or_else_the_shipped_one(rfmeta, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = rfmeta("demo", "--set", "data.prefix=here")
    assert "here is not an S3 address" in shipped.error  # everything else of the shipped one is right
    rfmeta("init")
    path = Path("jobs/configs/demo.yaml")
    path.write_text(path.read_text().replace("s3://rfmeta/demo", "mine"))
    assert "mine is not an S3 address" in rfmeta("demo").error
