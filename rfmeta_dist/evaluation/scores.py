"""The scores of a set of frames (or videos), with who and what each one shows."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Unit = Literal["frame", "video"]
UNITS: tuple[Unit, ...] = ("frame", "video")


@dataclass(frozen=True, eq=False)
class Scores:
    """N scored frames (or videos), as columns of equal length.

    Attributes:
        key: unique name of the frame, `domain-video-frame`; of a video, `domain-video`.
        domain: name of the data set.
        split: `train`, `validation` or `test`.
        subject: who is shown; unique across domains.
        video: the recording, unique within its domain.
        attack_type: `live`, `print`, `replay`, …
        label: 1 live, 0 attack.
        score: float64 in [0, 1]; higher is more live.

    Raises:
        DataError: columns differ in length, a score is not a number in [0, 1], a label is neither 0
            nor 1, or a label contradicts its attack type.
    """

    key: NDArray[np.str_]
    domain: NDArray[np.str_]
    split: NDArray[np.str_]
    subject: NDArray[np.str_]
    video: NDArray[np.str_]
    attack_type: NDArray[np.str_]
    label: NDArray[np.int64]
    score: NDArray[np.float64]

    def __post_init__(self) -> None:
        import numpy as np

        for name, column in self.columns().items():
            kind = {"label": np.int64, "score": np.float64}.get(name, np.str_)
            object.__setattr__(self, name, np.asarray(column, dtype=kind))
        self._check()

    def _check(self) -> None:
        import numpy as np

        if len({column.shape for column in self.columns().values()}) != 1 or self.score.ndim != 1:
            raise DataError("the columns of the scores differ in length", "write one value a frame")
        # A NaN fails both comparisons, so this catches non-finite scores as well.
        bad = ~((self.score >= 0) & (self.score <= 1))
        if bad.any():
            raise DataError(
                f"{bad.sum()} of {len(self)} scores are not numbers in [0, 1]",
                f"look at {self.key[bad][0]}; if training diverged, train again with a lower training.rate or "
                "method.inner_rate under a new run.name",
            )
        if not np.isin(self.label, (0, 1)).all():
            raise DataError("a label is neither 0 nor 1", "label live frames 1 and attacks 0")
        wrong = (self.attack_type == LIVE) != (self.label == 1)
        if wrong.any():
            raise DataError(
                f"the label of {self.key[wrong][0]} contradicts its attack type",
                f"attack type `{LIVE}` and label 1 go together; ingest the domain again",
            )

    def __len__(self) -> int:
        return len(self.score)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The columns by name, in the order of the attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, mask: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """The rows a boolean mask or an index array names, in that order."""
        return Scores(**{name: column[mask] for name, column in self.columns().items()})

    def per_video(self) -> Scores:
        """One row a video: the mean score over its frames, sorted by domain and video.

        Raises:
            DataError: the frames of one video disagree on subject, split, label or attack type.
        """
        import numpy as np

        domain = np.unique(self.domain, return_inverse=True)[1]
        names, video = np.unique(self.video, return_inverse=True)
        _, first, group = np.unique(domain * len(names) + video, return_index=True, return_inverse=True)
        for name in ("subject", "split", "attack_type", "label"):
            column = getattr(self, name)
            mixed = column != column[first][group]
            if mixed.any():
                raise DataError(
                    f"frames of video {self.video[mixed][0]} differ in {name}",
                    "a video shows one subject and one kind of presentation: fix the manifest",
                )
        mean = np.bincount(group, weights=self.score) / np.bincount(group)
        videos = self.select(first)
        key = [f"{d}-{v}" for d, v in zip(videos.domain, videos.video, strict=True)]
        return replace(videos, key=np.array(key, dtype=np.str_), score=mean)

    def per(self, unit: Unit) -> Scores:
        """These frames as they are, or one row a video."""
        return self if unit == "frame" else self.per_video()

    def require_both_classes(self, what: str) -> None:
        """Check that live and attack samples are present.

        Args:
            what: the set of samples, as the error names it.

        Raises:
            DataError: one class is missing.
        """
        for label, name in ((1, "live"), (0, "attack")):
            if not (self.label == label).any():
                raise DataError(
                    f"{what} has no {name} sample, so error rates are undefined",
                    "choose a split with both classes: `rfmeta shards stats` lists them",
                )

    def to_parquet(self) -> bytes:
        """The columns as one parquet file; `from_parquet` is its inverse."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        columns = {name: column.tolist() for name, column in self.columns().items()}
        types = {"label": pa.int8(), "score": pa.float64()}
        schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
        pq.write_table(pa.table(columns, schema=schema), sink)
        return bytes(sink.getvalue())

    @classmethod
    def from_parquet(cls, data: bytes) -> Scores:
        """Scores from the bytes of a parquet file.

        Raises:
            DataError: the bytes are not parquet, a column is missing, or the scores are unfit.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = [field.name for field in fields(cls)]
        try:
            table = pq.read_table(pa.BufferReader(data))
            columns: dict[str, Any] = {name: table[name].to_pylist() for name in names}
        except (pa.ArrowInvalid, KeyError) as error:
            raise DataError(
                f"these are not scores ({error})", f"write parquet with columns {', '.join(names)}"
            ) from error
        return cls(**columns)
