"""Write all figures of a study as one table, for whoever wants to analyse them with other tools."""

from __future__ import annotations

import json

from rfmeta_dist.tuning.standing import Standing

FILE = "results.parquet"


def to_parquet(standing: Standing) -> bytes:
    """Return a parquet file with a row for each figure that a target has asked for.

    Columns: target; candidate, its number for this target; values, as JSON text of dotted field → value; seed;
    fold, the domain on which the model was judged, or `(sources)`; step; hter and auc by video in [0, 1],
    empty if the training failed; failed, the reason; and kind, as in `Result`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("target", pa.string()),
            ("candidate", pa.int64()),
            ("values", pa.string()),
            ("seed", pa.int64()),
            ("fold", pa.string()),
            ("step", pa.int64()),
            ("hter", pa.float64()),
            ("auc", pa.float64()),
            ("failed", pa.string()),
            ("kind", pa.string()),
        ]
    )
    rows = [
        {
            "target": target,
            "candidate": figure.candidate.number,
            "values": json.dumps(dict(figure.candidate.values), ensure_ascii=False),
            "seed": figure.seed,
            "fold": figure.fold,
            "step": figure.step,
            "hter": result.hter,
            "auc": result.auc,
            "failed": result.failed,
            "kind": result.kind,
        }
        for target, figures in standing.asked.items()
        for figure, result in figures
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return bytes(sink.getvalue())
