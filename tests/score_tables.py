"""A small table of scores as a person would write it, and how it is read."""

from __future__ import annotations

import io

import pyarrow as pa
from pyarrow import parquet

from rfmeta_dist.evaluation import given
from rfmeta_dist.evaluation.given import Given
from rfmeta_dist.evaluation.given_rows import Reading

HEAD = "video,subject,label,attack_type,split,score"
TABLE = f"""{HEAD}
a,p1,live,,validation,0.9
b,p1,attack,print,validation,0.2
c,p2,live,,validation,0.7
d,p2,attack,replay,validation,0.4
e,p3,live,,test,0.8
f,p3,attack,print,test,0.1
g,p4,live,,test,0.6
h,p4,attack,replay,test,0.75
"""


LINES = TABLE.splitlines()


def understood(data: bytes | str, validation: bytes | str | None = None, **how: object) -> Given:
    reading = Reading(**how)  # type: ignore[arg-type]
    files = [one.encode() if isinstance(one, str) else one for one in (data, validation) if one is not None]
    tables = [given.read(file, f"{name}.csv", reading) for file, name in zip(files, ("t", "v"), strict=False)]
    return given.understand(tables[0], tables[1] if len(tables) > 1 else None, reading)


def as_parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue()
