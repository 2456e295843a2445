"""A complete run loads; for a missing or damaged file, the error names it and the command that makes it."""

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


@pytest.mark.parametrize("name", records.MADE_BY)
def test_a_missing_file_is_named_with_its_command(files, name):
    del files[name]
    with pytest.raises(RunError) as caught:
        records.read_record(files.__getitem__)
    assert name in caught.value.problem
    assert records.MADE_BY[name] in caught.value.remedy


@pytest.mark.parametrize("kind", [FileNotFoundError("x"), MissingError("x", "y")])
def test_a_store_may_say_missing_in_its_own_way(files, kind):
    def read(name):
        if name == "evaluation.json":
            raise kind
        return files[name]

    with pytest.raises(RunError, match=r"no evaluation\.json.*rfmeta evaluate RUN"):
        records.read_record(read)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"{", b"[]", b'{"target": "M"}', b"3"])
@pytest.mark.parametrize("name", [n for n in records.MADE_BY if n != "config.yaml"])
def test_a_damaged_file_is_named(files, name, data):
    files[name] = data
    with pytest.raises(RunError, match=f"{name} is damaged"):
        records.read_record(files.__getitem__)


def test_a_cut_off_parquet_file_is_named(files):
    files["scores.parquet"] = files["scores.parquet"][:-20]
    with pytest.raises(RunError, match=r"scores\.parquet is damaged"):
        records.read_record(files.__getitem__)
