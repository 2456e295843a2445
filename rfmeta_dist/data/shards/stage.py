"""Keep the samples of each recording in the store until all recordings are done, so that an ingest can resume.

Each recording is one parquet object, written completely or not at all. Its name depends on everything that
decides its content. So the next ingest finds the recordings that an interrupted one finished, and no recording
is processed or packed twice.
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
from rfmeta_dist.core.parquet import read_parquet
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.storage.store import Store

_END = b"PAR1"  # the last bytes of every parquet file


@dataclass(frozen=True)
class Tally:
    """Facts about how a recording was processed.

    Attributes:
        path: path of the recording.
        sha256: SHA-256 of its file.
        read: number of frames that were searched for a face.
        faceless: numbers of the frames without a face; they are left out.
        crowded: numbers of the frames with several faces, of which one was used.
        error: why the recording cannot be read, with its name; empty if it can be read.
        turned: degrees clockwise by which the recording was rotated in addition to its own rotation mark,
            because its faces lay on their side or upside down.
        lying: numbers of the frames whose face seems to lie on its side or upside down and was not rotated.
        small: sides in pixels of the faces that were left out, because they are smaller than the smallest crop.
        shrunk: number of crops that were resized, because they were larger than the largest crop.
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
    """The staging area of one domain for one set of ingest settings.

    Args:
        store: the parent of the domains' folders.
        domain: name of the domain.
        rule: all settings on which the samples of a recording depend, as values that JSON can represent.
    """

    def __init__(self, store: Store, domain: str, rule: Mapping[str, Any]) -> None:
        # The columns are part of the key, because objects that another version staged may lack a column.
        decisive = json.dumps([rule, SCHEMA.names], sort_keys=True)
        key = hashlib.sha256(decisive.encode()).hexdigest()[:12]
        self._store = store.sub(f"{domain}/staging-{key}")

    def done(self) -> set[str]:
        """Return the names of the recordings that are staged."""
        return {name.rpartition("/")[2] for name in self._store.list("")}

    def write(self, name: str, samples: Sequence[Sample], tally: Tally) -> None:
        """Store the samples and the tally of a recording."""
        table = pa.Table.from_pylist([asdict(sample) for sample in samples], schema=SCHEMA)
        table = table.replace_schema_metadata({"tally": json.dumps(asdict(tally))})
        data = io.BytesIO()
        pq.write_table(table, data, compression="none")
        self._store.write(name, data.getvalue())

    def read(self, name: str) -> tuple[list[Sample], Tally]:
        """Return the samples and the tally of a recording. Raises DataError if the object is damaged."""
        data = read_sound(lambda: self._store.read(name), lambda data: data.endswith(_END))
        try:
            table = read_parquet(data)
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
        """Yield the samples of these recordings, in this order. Memory holds one recording."""
        for name in names:
            yield from self.read(name)[0]

    def remove(self, names: Sequence[str]) -> None:
        """Delete the objects of these recordings, so that the next ingest processes the recordings again."""
        for name in names:
            self._store.delete(name)

    def clear(self) -> None:
        """Delete all objects of this staging area."""
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
        ("about", pa.string()),
    ]
)
