"""A complete run loads; for a missing or damaged file, the error names it and says how to get it again."""

import pytest

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.report import records
from rfmeta_dist.storage.errors import MissingError


def test_a_whole_run_loads(files):
    record = records.read_record(files.__getitem__)
    assert len(record.metrics) == 120
    assert set(record.target.domain) == {"M"}
    assert set(record.validation.split) == {"validation"}
    assert "sources: [O, C, I]" in record.config
    assert record.examples


@pytest.mark.parametrize("name", records.REMEDIES)
def test_a_missing_file_is_named_with_its_run_and_a_remedy(files, name):
    del files[name]
    with pytest.raises(RunError) as caught:
        records.read_record(files.__getitem__, "s3://bucket/runs/a")
    assert caught.value.problem == f"s3://bucket/runs/a has no {name}, which the report needs"
    assert caught.value.remedy == records.REMEDIES[name].format(run="s3://bucket/runs/a")


def test_a_run_whose_record_of_reading_was_lost_can_still_be_reported(files):
    files["streams.json"] = b"{}"  # as the remedy says
    assert records.read_record(files.__getitem__).streams == {}


@pytest.mark.parametrize("kind", [FileNotFoundError("x"), MissingError("x", "y")])
def test_a_store_may_say_missing_in_its_own_way(files, kind):
    def read(name):
        if name == "evaluation.json":
            raise kind
        return files[name]

    with pytest.raises(RunError, match=r"no evaluation\.json.*rfmeta evaluate RUN"):
        records.read_record(read)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"{", b"[]", b'{"target": "M"}', b"3"])
@pytest.mark.parametrize("name", [n for n in records.REMEDIES if n != "config.yaml"])
def test_a_damaged_file_is_named(files, name, data):
    files[name] = data
    with pytest.raises(RunError, match=f"{name} is damaged"):
        records.read_record(files.__getitem__)


def test_a_cut_off_parquet_file_is_named(files):
    files["scores.parquet"] = files["scores.parquet"][:-20]
    with pytest.raises(RunError, match=r"scores\.parquet is damaged"):
        records.read_record(files.__getitem__)
