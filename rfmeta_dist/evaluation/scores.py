"""Hold the scores of frames or videos, together with subject, video, attack type and label of each."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from rfmeta_dist.core.about import from_text, to_text
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import read_parquet
from rfmeta_dist.core.types import LIVE, Unit

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Names = NDArray[np.object_]  # strings; equal ones may be one object, so that a row takes eight bytes

SCORER = "rfmeta.scorer"  # key in the metadata of a file of scores: the model that gave them
# The columns of the manifest's table of samples that scores have too, and what they are called in `Scores`.
CARRIED = {
    "domain": "domain",
    "split": "split",
    "subject_id": "subject",
    "video_id": "video",
    "attack_type": "attack_type",
}
_NOT_GIVEN = cast("Names", None)  # replaced by a column of empty texts when `Scores` is made


@dataclass(frozen=True, eq=False)
class Scores:
    """N scored frames (or videos), as columns of equal length.

    Attributes:
        key: unique name, `domain-video-frame` for a frame and `domain-video` for a video.
        domain: name of the domain.
        split: `train`, `validation` or `test`.
        subject: name of the person shown; unique across domains.
        video: name of the recording; unique within its domain.
        attack_type: `live`, `print`, `replay`, …
        label: 1 live, 0 attack.
        score: float64, any finite number; higher is more live.
        about: what the data set tells about the recording, as `core.about.to_text` writes it; "" if nothing is
            known, which is the default.

    Raises:
        DataError: columns differ in length, a score is not a finite number, a label is neither 0
            nor 1, or a label contradicts its attack type.
    """

    key: Names
    domain: Names
    split: Names
    subject: Names
    video: Names
    attack_type: Names
    label: NDArray[np.int64]
    score: NDArray[np.float64]
    about: Names = _NOT_GIVEN

    def __post_init__(self) -> None:
        import numpy as np

        if self.about is None:
            object.__setattr__(self, "about", np.full(np.shape(self.score), "", np.object_))
        for name, column in self.columns().items():
            kind = {"label": np.int64, "score": np.float64}.get(name, np.object_)
            object.__setattr__(self, name, np.asarray(column, dtype=kind))
        self._check()

    def _check(self) -> None:
        import numpy as np

        if len({column.shape for column in self.columns().values()}) != 1 or self.score.ndim != 1:
            raise DataError(
                "the columns of the scores differ in length",
                "write one value for each frame in every column",
            )
        bad = ~np.isfinite(self.score)
        if bad.any():
            raise DataError(
                f"{bad.sum()} of {len(self)} scores are not finite numbers; the first is "
                f"{self.score[bad][0]} for {self.key[bad][0]}, so it cannot be compared with the others",
                "give every frame a finite score",
            )
        if not np.isin(self.label, (0, 1)).all():
            other = ~np.isin(self.label, (0, 1))
            raise DataError(
                f"the label of {self.key[other][0]} is {self.label[other][0]}, which is neither 0 nor 1",
                "label live frames 1 and attacks 0",
            )
        wrong = (self.attack_type == LIVE) != (self.label == 1)
        if wrong.any():
            raise DataError(
                f"{self.key[wrong][0]} has label {self.label[wrong][0]}, which contradicts its attack type "
                f"`{self.attack_type[wrong][0]}`",
                f"a sample has label 1 if its attack type is `{LIVE}`, else label 0; ingest the domain again",
            )

    def __len__(self) -> int:
        return len(self.score)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name, in the order of the attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """Return the rows that a boolean mask or an index array selects, in the order of the indices."""
        return Scores(**{name: column[mask] for name, column in self.columns().items()})

    def per_video(self) -> Scores:
        """Return one row per video with the mean score over its frames, sorted by domain and video.

        Of what is known about the frames, a video keeps what all its frames agree on.

        Raises:
            DataError: the frames of one video disagree on subject, split, label or attack type.
        """
        import numpy as np

        _, domain = coded(self.domain)
        names, video = coded(self.video)
        _, first, group = np.unique(domain * len(names) + video, return_index=True, return_inverse=True)
        for name in ("subject", "split", "attack_type", "label"):
            column = getattr(self, name)
            mixed = column != column[first][group]
            if mixed.any():
                raise DataError(
                    f"frames of video {self.video[mixed][0]} differ in {name}",
                    "a video shows one subject and one kind of presentation: correct the source's labels and "
                    "ingest the domain again",
                )
        frames = np.bincount(group)
        mean: NDArray[np.float64] = np.bincount(group, weights=self.score) / frames
        if not np.isfinite(mean).all():  # the sum of finite scores may overflow
            mean = np.bincount(group, weights=self.score / frames[group]).astype(np.float64)
        videos = replace(self.select(first), about=self._agreed(first, group))
        key = [f"{d}-{v}" for d, v in zip(videos.domain, videos.video, strict=True)]
        return replace(videos, key=np.array(key, dtype=np.object_), score=mean)

    def _agreed(self, first: NDArray[np.int64], group: NDArray[np.int64]) -> Names:
        """Return what all frames of each video agree on; see `per_video` for the arguments."""
        import numpy as np

        about = self.about[first]
        mixed = np.zeros(len(first), bool)
        mixed[group[self.about != about[group]]] = True
        rows = np.flatnonzero(mixed[group])
        rows = rows[np.argsort(group[rows], kind="stable")]
        starts = np.flatnonzero(np.diff(group[rows], prepend=-1))
        for start, end in pairwise([*starts.tolist(), len(rows)]):
            frames = [set(from_text(text).items()) for text in set(self.about[rows[start:end]].tolist())]
            about[group[rows[start]]] = to_text(dict(set.intersection(*frames)))
        return about

    def per(self, unit: Unit) -> Scores:
        """Return these frames for the unit `frame`, or one row per video for the unit `video`."""
        return self if unit == "frame" else self.per_video()

    def require_both_classes(self, what: str) -> None:
        """Check that live and attack samples are present.

        Args:
            what: the name of the set of samples in the error.

        Raises:
            DataError: one class is missing.
        """
        for label, name in ((1, "live"), (0, "attack")):
            if not (self.label == label).any():
                raise DataError(
                    f"{what} has no {name} sample, so error rates are undefined",
                    "choose a split with both classes: `rfmeta shards stats` lists them",
                )

    @classmethod
    def of(cls, samples: pa.Table, keys: pa.ChunkedArray, score: NDArray[np.float64]) -> Scores:
        """Return scores together with the manifest's columns for each sample.

        The manifest is kept as Arrow columns, because its rows as Python objects would take several times the
        memory.

        Args:
            samples: the manifest's table of samples.
            keys: N keys of samples in the table, in any order.
            score: the scores of these N samples.

        Raises:
            DataError: the table lacks a key, or the scores are not valid (see `Scores`).
        """
        import pyarrow.compute as pc

        place = pc.index_in(keys, value_set=samples["key"])
        if place.null_count:
            raise DataError(
                f"sample {keys.filter(pc.is_null(place))[0]} was scored, but the manifest does not list it",
                "score only samples that are in this manifest, under the keys that it gives them",
            )
        carried = CARRIED | ({"about": "about"} if "about" in samples.column_names else {})
        rows = samples.select([*carried, "label"]).take(place)
        named = {name: as_names(rows[column]) for column, name in carried.items()}
        return cls(as_names(keys), **named, label=rows["label"].to_numpy(), score=score)

    def to_parquet(self, scorer: str = "") -> bytes:
        """Return the columns as one parquet file; `from_parquet` is the inverse.

        The file has the column `about` only if something is known about a row.

        Args:
            scorer: the model that gave the scores (`Package.scorer`), written into the file's metadata; "" to
                leave it out.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        schema = _schema(about=bool((self.about != "").any()))
        columns = self.columns()
        table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
        pq.write_table(table.replace_schema_metadata({SCORER: scorer}) if scorer else table, sink)
        return bytes(sink.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes) -> Scores:
        """Read scores from the bytes of a parquet file. The column `about` may be missing.

        Raises:
            DataError: the bytes are not parquet, a column is missing, has another type or empty cells, or the
                scores are not valid (see `Scores`).
        """
        import pyarrow as pa

        try:
            table = read_parquet(data)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"the table of scores cannot be read ({error})", _remedy()) from error
        return cls.from_table(table)

    @classmethod
    def from_table(cls, table: pa.Table) -> Scores:
        """Take scores from a table that has the columns of a file of scores, and perhaps more.

        Raises:
            DataError: a column is missing, has another type or empty cells, or the scores are not valid.
        """
        import pyarrow as pa

        schema, remedy = _schema(about="about" in table.column_names), _remedy()
        try:
            table = table.select(schema.names).cast(schema)
        except (pa.ArrowException, KeyError) as error:
            raise DataError(f"the table of scores cannot be read ({error})", remedy) from error
        empty = [name for name in schema.names if name != "about" and table[name].null_count]
        if empty:
            raise DataError(f"the table of scores has empty cells in {', '.join(empty)}", remedy)
        columns: dict[str, Any] = {name: table[name].to_numpy() for name in ("label", "score")}
        for name in schema.names:
            if name not in columns:
                column = table[name].fill_null("")  # of `about`: nothing is known
                columns[name] = as_names(column if name == "key" else column.dictionary_encode())
        return cls(**columns)


def as_names(column: pa.ChunkedArray) -> Names:
    """Return the strings of a column. In a dictionary column, equal strings become one Python object."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        plain: Names = column.to_numpy()
        return plain
    whole = column.unify_dictionaries().combine_chunks()
    names: Names = whole.dictionary.to_numpy(zero_copy_only=False)[whole.indices.to_numpy()]
    return names


def coded(column: Names) -> tuple[list[str], NDArray[np.int64]]:
    """Return the sorted distinct names of a column, and the index of each row's name among them."""
    import numpy as np

    names = sorted(set(column.tolist()))
    position = {name: i for i, name in enumerate(names)}
    return names, np.fromiter(map(position.__getitem__, column), np.int64, len(column))


def _remedy() -> str:
    return f"write a table with columns {', '.join(_schema(about=False).names)}"


def _schema(*, about: bool) -> pa.Schema:
    """Return the columns of a file of scores, with or without the column `about`."""
    import pyarrow as pa

    types = {"label": pa.int8(), "score": pa.float64()}
    names = [field.name for field in fields(Scores) if about or field.name != "about"]
    return pa.schema([(name, types.get(name, pa.string())) for name in names])
