"""Parquet tables are read without threads, which would have to end before the process does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from rfmeta_dist.core.parquet import read_parquet

TABLE = pa.table(
    {
        "name": pa.array([f"v{number % 7}" for number in range(4000)]).dictionary_encode(),
        "number": pa.array(range(4000), pa.int32()),
        "parts": pa.array([["1/train"] * (number % 3) for number in range(4000)]),
    }
)


def as_bytes(table: pa.Table, **how: object) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, **how)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_table_is_read_as_it_was_written(compression):
    data = as_bytes(TABLE, compression=compression, row_group_size=1000)
    assert read_parquet(data).equals(TABLE)
    assert read_parquet(data, ["number", "name", "no such"]).column_names == ["number", "name"]
    with pytest.raises(pa.ArrowException):
        read_parquet(data[:-1])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_reading_starts_no_thread(tmp_path):
    table = tmp_path / "t.parquet"
    table.write_bytes(as_bytes(TABLE, row_group_size=1000))
    program = f"""
import os, pathlib
from rfmeta_dist.core.parquet import read_parquet
import pyarrow.parquet
data = pathlib.Path({str(table)!r}).read_bytes()
before = len(os.listdir("/proc/self/task"))
read_parquet(data)
print(before, len(os.listdir("/proc/self/task")))
"""
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    before, after = map(int, printed.split())
    assert before == after


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_reading_scores_from_csv_starts_no_thread():
    program = """
import os
import pyarrow
from rfmeta_dist.evaluation import given
from rfmeta_dist.evaluation.given_rows import Reading
head = "key,domain,split,subject,video,attack_type,label,score"
rows = [f"k{n},D,test,NA,v{n},live,1,0.5" for n in range(1000)]
before = len(os.listdir("/proc/self/task"))
found = given.read("\\r\\n".join(["\\ufeff" + head, *rows]).encode(), "t.csv", Reading())
assert len(found) == 1000 and found.columns["subject"].texts == ["NA"]
print(before, len(os.listdir("/proc/self/task")))
"""
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    before, after = map(int, printed.split())
    assert before == after


def test_nothing_else_reads_parquet():
    package = Path(__file__).parents[2] / "rfmeta_dist"
    call = re.compile(r"\b(pq|parquet)\.(read_table|ParquetFile)\(")
    readers = [path.name for path in package.rglob("*.py") if call.search(path.read_text())]
    assert readers == ["parquet.py"]
