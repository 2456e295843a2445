"""Read Parquet tables in the calling thread only, and write small ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def column_names(data: bytes) -> list[str]:
    """Return the names of the columns of a Parquet file, without reading any cell.

    Raises:
        pyarrow.ArrowException: the bytes are not a Parquet table.
    """
    names: list[str] = _schema(data).names
    return names


def metadata(data: bytes, key: str) -> str:
    """Return what a Parquet file says about itself under a key, without reading any cell; "" if nothing.

    Raises:
        pyarrow.ArrowException: the bytes are not a Parquet table.
    """
    said: bytes = (_schema(data).metadata or {}).get(key.encode(), b"")
    return said.decode(errors="replace")


def _schema(data: bytes) -> pa.Schema:
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False).schema_arrow


def read_parquet(data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the table, or some of its columns, that the bytes of a Parquet file hold.

    Arrow's threads are not used. One of them may drop the last reference to `data` after the table has been
    returned, for which it needs Python's lock. If the process is ending at that moment, it aborts («terminate
    called without an active exception», about once in 100 endings on a busy machine). One thread reads a table
    of a million samples about as fast as two.

    Args:
        data: the file's bytes.
        columns: the columns to read; names that the table lacks are left out. None for all.

    Raises:
        pyarrow.ArrowException: the bytes are not a Parquet table.
        OSError: likewise, where Arrow finds the damage while it decodes a column.
    """
    import pyarrow as pa

    # Do not use `parquet.read_table`: it imports pyarrow's datasets and pandas, 34 MB in each reader.
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(data), pre_buffer=False)
    return file.read(columns=columns and list(columns), use_threads=False)


def encode_parquet(columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a table as a Parquet file. Equal tables give equal bytes.

    Args:
        columns: the type of each column by name: `string`, `int64` or `double`.
        rows: a value for each column; None for an empty cell.
    """
    import pyarrow as pa
    from pyarrow import parquet

    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(column, kind) for column, kind in zip(cells, columns.values(), strict=True)]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(arrays, names=list(columns)), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data
