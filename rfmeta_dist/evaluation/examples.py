"""Which frames to show in a report: the surest and the worst decisions, spread over subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores


class Example(NamedTuple):
    """A frame to show: its key, the group it stands for, and its JPEG bytes."""

    key: str
    group: str
    image: bytes


# name of the group: label, accepted?, whether the highest scores are the ones to show
GROUPS = {
    "live accepted, most confident": (1, True, True),
    "live rejected, worst": (1, False, False),
    "attack rejected, most confident": (0, False, False),
    "attack accepted, worst": (0, True, True),
}


def pick(scores: Scores, threshold: float, k: int = 4) -> dict[str, list[str]]:
    """The keys of up to `k` telling frames of each group in `GROUPS`, most extreme first.

    A second frame of a subject comes only after every subject of the group has had one. Ties go by
    key, so equal scores give equal pages.

    Args:
        scores: N frames.
        threshold: accept at or above.
        k: at least 1.
    """
    accepted = scores.score >= threshold
    return {
        group: _spread(scores.select((scores.label == label) & (accepted == side)), highest)[:k]
        for group, (label, side, highest) in GROUPS.items()
    }


def _spread(scores: Scores, highest: bool) -> list[str]:
    """All keys, extreme scores first, taking turns between subjects."""
    import numpy as np

    order = np.lexsort((scores.key, -scores.score if highest else scores.score))
    turn = _turns(scores.subject[order])
    return [str(key) for key in scores.key[order][np.argsort(turn, kind="stable")]]


def _turns(names: NDArray[np.object_]) -> list[int]:
    """For each name, how often it has occurred before."""
    seen: dict[str, int] = {}
    turns = []
    for name in names.tolist():
        turns.append(seen.get(name, 0))
        seen[name] = turns[-1] + 1
    return turns


def to_parquet(picked: Mapping[str, list[str]], image: Mapping[str, bytes]) -> bytes:
    """A parquet file with columns key, group, image; `from_parquet` is its inverse.

    Args:
        picked: keys by group, from `pick`.
        image: JPEG bytes by key.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [Example(key, group, image[key]) for group, keys in picked.items() for key in keys]
    schema = pa.schema([("key", pa.string()), ("group", pa.string()), ("image", pa.binary())])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([row._asdict() for row in rows], schema=schema), sink)
    return bytes(sink.getvalue())


def from_parquet(data: bytes) -> list[Example]:
    """The examples in a parquet file, in the order written.

    Raises:
        DataError: the bytes are not parquet, or a column is missing.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(data), columns=list(Example._fields)).to_pylist()
        return [Example(**row) for row in rows]
    except (pa.ArrowInvalid, TypeError) as error:
        raise DataError(
            f"the file of examples cannot be read ({error})", "make them again with `rfmeta evaluate RUN`"
        ) from error
