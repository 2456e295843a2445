"""What recordings gave, kept in the store until all are there to be packed: the reason an ingest resumes.

One parquet object a recording, written whole or not at all, and named by what decides its content. So whatever
an interrupted ingest finished is found again, nothing is done twice, and nothing is packed twice.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.storage.store import Store

_END = b"PAR1"  # of every parquet file


@dataclass(frozen=True)
class Tally:
    """What came of a recording.

    Attributes:
        path: of the recording.
        sha256: of its file.
        read: frames looked at.
        faceless: numbers of the frames without a face; they are left out.
        crowded: numbers of the frames with several faces, of which one was taken.
        error: why it cannot be read, naming it; empty if it can.
        turned: degrees clockwise by which it was turned beyond what it says, because its faces lay.
        lying: numbers of the frames whose face seems to lie on its side or upside down and was left so.
        small: sides in pixels of the faces that were left out as too small to keep their own pixels.
        shrunk: how many crops were too large to keep their own pixels, and were shrunk.
    """

    path: str
    sha256: str = ""
    read: int = 0
    faceless: tuple[int, ...] = ()
    crowded: tuple[int, ...] = ()
    error: str = ""
    turned: int = 0
    lying: tuple[int, ...] = ()
    small: tuple[int, ...] = ()
    shrunk: int = 0


class Stage:
    """The staging area of one domain under one rule.

    Args:
        store: the parent of the domains' folders.
        domain: the domain.
        rule: all that decides what a recording gives, as JSON-able values.
    """

    def __init__(self, store: Store, domain: str, rule: Mapping[str, Any]) -> None:
        # What another version of rfmeta staged may lack a column, so it is not mixed with this version's.
        decisive = json.dumps([rule, SCHEMA.names], sort_keys=True)
        key = hashlib.sha256(decisive.encode()).hexdigest()[:12]
        self._store = store.sub(f"{domain}/staging-{key}")

    def done(self) -> set[str]:
        """Names of the recordings that are there."""
        return {name.rpartition("/")[2] for name in self._store.list("")}

    def write(self, name: str, samples: Sequence[Sample], tally: Tally) -> None:
        """Keep what a recording gave."""
        table = pa.Table.from_pylist([asdict(sample) for sample in samples], schema=SCHEMA)
        table = table.replace_schema_metadata({"tally": json.dumps(asdict(tally))})
        data = io.BytesIO()
        pq.write_table(table, data, compression="none")
        self._store.write(name, data.getvalue())

    def read(self, name: str) -> tuple[list[Sample], Tally]:
        """Give it back. Raises DataError if it is damaged."""
        data = read_sound(lambda: self._store.read(name), lambda data: data.endswith(_END))
        try:
            table = pq.read_table(io.BytesIO(data))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self._store.url}/{name}, an intermediate file of an interrupted ingest, is damaged",
                "delete it and give the same command again",
            ) from error
        given: dict[str, Any] = json.loads(table.schema.metadata[b"tally"])
        lists = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
        tally = Tally(**given | lists)
        return [Sample(**row | {"protocols": tuple(row["protocols"])}) for row in table.to_pylist()], tally

    def samples(self, names: Sequence[str]) -> Iterator[Sample]:
        """The samples of these recordings, in this order; memory holds one recording."""
        for name in names:
            yield from self.read(name)[0]

    def remove(self, names: Sequence[str]) -> None:
        """Let these recordings be read again by the next ingest."""
        for name in names:
            self._store.delete(name)

    def clear(self) -> None:
        """Remove everything."""
        self.remove(self._store.list(""))


SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("key", "domain", "split", "attack_type", "subject", "video", "image_ext")
        ),
        *((name, pa.int32()) for name in ("label", "frame")),
        *((name, pa.binary()) for name in ("image", "depth", "full_depth")),
        ("protocols", pa.list_(pa.string())),
    ]
)
