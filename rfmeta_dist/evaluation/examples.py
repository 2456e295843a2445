"""Choose the frames to show in a report: the most confident and the worst decisions, spread over subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import read_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores


class Example(NamedTuple):
    """A frame to show: its key, its group (a key of `GROUPS`), and its JPEG bytes."""

    key: str
    group: str
    image: bytes


# name of the group: (label, accepted, True to show the highest scores and False to show the lowest)
GROUPS = {
    "live accepted, most confident": (1, True, True),
    "live rejected, worst": (1, False, False),
    "attack rejected, most confident": (0, False, False),
    "attack accepted, worst": (0, True, True),
}


def pick(scores: Scores, threshold: float, k: int = 4) -> dict[str, list[str]]:
    """Return the keys of frames to show: up to `k` for each group of right and wrong decisions in `GROUPS`.

    People take turns: first the frame of each person whose score lies farthest on the group's side, ordered by
    that score, then each person's second frame. Equal scores are ordered by key, so that the choice is
    reproducible.

    Args:
        scores: of N frames, with label and subject.
        threshold: a frame is accepted as live if its score ≥ threshold.
        k: number of frames per group, at least 1.
    """
    accepted = scores.score >= threshold
    return {
        group: _spread(scores.select((scores.label == label) & (accepted == side)), highest)[:k]
        for group, (label, side, highest) in GROUPS.items()
    }


def _spread(scores: Scores, highest: bool) -> list[str]:
    """Return all keys, extreme scores first: first one frame of every subject, then a second one, and so on."""
    import numpy as np

    order = np.lexsort((scores.key, -scores.score if highest else scores.score))
    turn = turns(scores.subject[order])
    return [str(key) for key in scores.key[order][np.argsort(turn, kind="stable")]]


def turns(names: NDArray[np.object_]) -> list[int]:
    """Return, for each name, how often it has occurred before."""
    seen: dict[str, int] = {}
    turns = []
    for name in names.tolist():
        turns.append(seen.get(name, 0))
        seen[name] = turns[-1] + 1
    return turns


def to_parquet(picked: Mapping[str, list[str]], image: Mapping[str, bytes]) -> bytes:
    """Return a parquet file with the columns key, group and image; `from_parquet` is the inverse.

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
    """Return the examples in a parquet file, in the order in which they were written.

    Raises:
        DataError: the bytes are not parquet, or a column is missing.
    """
    import pyarrow as pa

    try:
        rows = read_parquet(data, Example._fields).to_pylist()
        return [Example(**row) for row in rows]
    except (pa.ArrowInvalid, TypeError) as error:
        raise DataError(
            "examples.parquet, with the pictures of the run's report, is not a parquet table of key, group "
            f"and image ({error})",
            "make it again with: rfmeta evaluate RUN",
        ) from error
