"""Hold the scores that champion and challenger give to the same videos: all that the gate judges from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import metadata, read_parquet
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.scores import as_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Names, Scores

    Bits = NDArray[np.bool_]

ABOUT = "rfmeta.pairs"  # key in the metadata of scores.parquet: thresholds and hashes of both packages
FROZEN, NEW = "frozen", "new"  # the two parts
_REMEDY = "judge the attempt again: `rfmeta retrain` writes scores.parquet anew if the file is removed"
_FACTS = ("thresholds", "packages", "read_from")  # the attributes that are no columns


@dataclass(frozen=True, eq=False)
class Pairs:
    """N videos of test splits, each scored by champion and challenger, as columns of equal length.

    Attributes:
        key: unique name, `domain-video`.
        domain: name of the domain.
        subject: name of the person shown; unique across domains.
        attack_type: `live`, `print`, `replay`, …
        label: 1 live, 0 attack.
        about: what the data set tells about the recording, as `core.about.to_text` writes it; "" if nothing.
        batch: name of the delivery that the video came with; "" if it came with none.
        part: `frozen` for a video that was a test video when the champion was made, `new` for any other.
        counted: True if the gate counts the video: all frozen ones, and the new ones of reviewed batches.
        champion, challenger: float64, finite; higher is more live.
        thresholds: of champion and challenger, for videos; a video is accepted as live if its score ≥ value.
        packages: SHA-256 of deploy.json of champion and challenger.
        read_from: SHA-256 of the file that the pairs were read from; "" if they were not read from one.

    Raises:
        DataError: columns differ in length, a key is there twice, a score or threshold is not a finite number,
            a label contradicts its attack type, a part has another name, or a frozen video is not counted.
    """

    key: Names
    domain: Names
    subject: Names
    attack_type: Names
    label: NDArray[np.int64]
    about: Names
    batch: Names
    part: Names
    counted: Bits
    champion: NDArray[np.float64]
    challenger: NDArray[np.float64]
    thresholds: tuple[float, float]
    packages: tuple[str, str]
    read_from: str = ""

    def __post_init__(self) -> None:
        import numpy as np

        numbers = {"label": np.int64, "counted": np.bool_, "champion": np.float64, "challenger": np.float64}
        for name, column in self.columns().items():
            object.__setattr__(self, name, np.asarray(column, dtype=numbers.get(name, np.object_)))
        for problem in self._problems():
            raise DataError(f"the paired scores are not valid: {problem}", _REMEDY)

    def _problems(self) -> list[str]:
        import numpy as np

        if {column.shape for column in self.columns().values()} != {(len(self.label),)}:
            return ["the columns differ in length"]
        finite = np.isfinite(self.champion) & np.isfinite(self.challenger)
        wrong = {
            "a score is not a finite number": ~finite,
            "a label contradicts the attack type": self.label != (self.attack_type == LIVE),
            f"a part is neither {FROZEN} nor {NEW}": (self.part != FROZEN) & (self.part != NEW),
            "a frozen video is not counted": (self.part == FROZEN) & ~self.counted,
        }
        found = [f"{what} ({self.key[rows][0]})" for what, rows in wrong.items() if rows.any()]
        if len(set(self.key.tolist())) < len(self):
            found.append("a video is there twice")
        if not all(map(math.isfinite, self.thresholds)):
            found.append(f"a threshold is not a finite number ({self.thresholds})")
        return found

    def __len__(self) -> int:
        return len(self.label)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name, in the order of the attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _FACTS}

    def select(self, rows: Bits | NDArray[np.int64]) -> Pairs:
        """Return the rows that a boolean mask or an index array selects, in the order of the indices."""
        chosen: dict[str, Any] = {name: column[rows] for name, column in self.columns().items()}
        return replace(self, read_from="", **chosen)

    @classmethod
    def of(
        cls,
        champion: Scores,
        challenger: Scores,
        thresholds: tuple[float, float],
        packages: tuple[str, str],
        new: Mapping[str, str],
        reviewed: Collection[tuple[str, str]],
    ) -> Pairs:
        """Pair the scores of two models on the same videos, in the order of the keys.

        Args:
            champion, challenger: one row for each video (`Scores.per_video`), in any order.
            thresholds, packages: see the attributes.
            new: by the key of each new video, the name of its batch, or "".
            reviewed: the domain and the name of each batch whose labels were reviewed.

        Raises:
            DataError: the two do not have the same videos, or disagree on what a video shows.
        """
        import numpy as np

        one, other = (scores.select(np.argsort(scores.key)) for scores in (champion, challenger))
        if one.key.tolist() != other.key.tolist():
            rest = sorted(set(one.key.tolist()) ^ set(other.key.tolist()))
            raise DataError(
                f"champion and challenger were not scored on the same videos: {len(rest)} have one score only, "
                f"such as {rest[:1]}",
                _REMEDY,
            )
        shared = {name: getattr(one, name) for name in ("domain", "subject", "attack_type", "label", "about")}
        for name, column in shared.items():
            if (column != getattr(other, name)).any():
                raise DataError(f"the scores of champion and challenger differ in {name}", _REMEDY)
        is_new = np.array([key in new for key in one.key], bool)
        batch = np.array([new.get(key, "") for key in one.key], np.object_)
        known = set(reviewed)
        counted = [pair in known for pair in zip(one.domain.tolist(), batch.tolist(), strict=True)]
        return cls(
            one.key,
            **shared,
            batch=batch,
            part=np.where(is_new, NEW, FROZEN).astype(np.object_),
            counted=~is_new | np.array(counted, bool),
            champion=one.score,
            challenger=other.score,
            thresholds=thresholds,
            packages=packages,
        )

    def to_parquet(self) -> bytes:
        """Return the file scores.parquet; `from_parquet` is the inverse."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        facts = {"thresholds": list(self.thresholds), "packages": list(self.packages)}
        sink = pa.BufferOutputStream()
        table = pa.table(self.columns(), schema=_schema())
        pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(facts)}), sink)
        return bytes(sink.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes) -> Pairs:
        """Read scores.parquet.

        Raises:
            DataError: the bytes are not such a file, or the scores in it are not valid (see `Pairs`).
        """
        import pyarrow as pa

        schema = _schema()
        try:
            facts = json.loads(metadata(data, ABOUT))
            table = read_parquet(data, schema.names).cast(schema)
            champion, challenger = map(float, facts["thresholds"])
            packages = str(facts["packages"][0]), str(facts["packages"][1])
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"the table of paired scores cannot be read ({error!r})", _REMEDY) from error
        if any(table[name].null_count for name in schema.names):
            raise DataError("the table of paired scores has empty cells", _REMEDY)
        columns: dict[str, Any] = {
            name: as_names(table[name]) if pa.types.is_string(kind) else table[name].to_numpy()
            for name, kind in zip(schema.names, schema.types, strict=True)
        }
        return cls(**columns, thresholds=(champion, challenger), packages=packages, read_from=digest(data))

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 of scores.parquet: of the file that was read, else of what `to_parquet` writes."""
        return self.read_from or digest(self.to_parquet())


def _schema() -> pa.Schema:
    import pyarrow as pa

    types = {"label": pa.int8(), "counted": pa.bool_(), "champion": pa.float64(), "challenger": pa.float64()}
    names = [field.name for field in fields(Pairs) if field.name not in _FACTS]
    return pa.schema([(name, types.get(name, pa.string())) for name in names])
