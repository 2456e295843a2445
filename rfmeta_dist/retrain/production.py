"""Read the scores that a deployed model gave in production, from the tables of `rfmeta score --out`, per video.

Tables lie anywhere below a prefix, under names that begin with `scores`: CSV or Parquet, with the columns video
and score, and perhaps video_verdict and device (docs/reference/scores.md). Labels are not read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.deploy.parts import PROGRESS
from rfmeta_dist.evaluation import tables
from rfmeta_dist.evaluation.vocabulary import ROLES, plain
from rfmeta_dist.storage.errors import MissingError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfmeta_dist.deploy.package import Deployment
    from rfmeta_dist.evaluation.tables import Choose, Table
    from rfmeta_dist.storage.store import Store

ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet")
_NEEDED = ("video", "score")
_FURTHER = ("video_verdict", "device")
Recording = tuple[str, str]  # the folder of its tables, and the name of its video, which is unique there
REFUSED = "refused"  # the verdict on a video of which too few frames could be scored


@dataclass(frozen=True, eq=False)
class Production:
    """The scores of N videos in production.

    Attributes:
        score: N mean scores over a video's frames, in [0, 1]; higher is more live.
        device: N names of devices; "" where it is not known.
        tables: number of tables that were read.
        other_model: names of the tables that were left out, because another model gave their scores.
        unknown_model: number of tables that were read and do not say which model gave their scores.
    """

    score: NDArray[np.float64]
    device: NDArray[np.object_]
    tables: int
    other_model: tuple[str, ...] = ()
    unknown_model: int = 0


class _Frames(NamedTuple):
    """The frames of a recording: its device, and the score of each."""

    device: str
    scores: list[float]


def read_production(prefix: Store, champion: Deployment) -> Production:
    """Read all tables of scores below a prefix, and return one score for each video.

    A table names its model in its metadata (Parquet), or in the progress.json that `rfmeta score` writes beside
    it. Tables of another model are left out. Rows of videos that were refused are left out too.

    Args:
        prefix: the place of the tables.
        champion: the deployment package that gave the scores.

    Raises:
        DataError: there is no table, all are of another model, a table cannot be read or lacks a column, or a
            score is not in [0, 1]. The error names the table.
        StorageError: the prefix cannot be read.
    """
    names = [name for name in prefix.list() if _is_table(name)]
    if not names:
        raise DataError(
            f"there is no table of scores below {prefix.url}",
            f"give a folder with tables that `rfmeta score --out` wrote, named scores….{'|'.join(ENDINGS)[1:]}",
        )
    frames: dict[Recording, _Frames] = {}
    other, unknown, packages = [], 0, _packages(prefix, names)
    for name in names:
        folder, where = name.rpartition("/")[0], f"{prefix.url}/{name}"
        try:
            table = tables.read(prefix.read(name), where, _chooser(where))
        except tables.NoRowsError:
            continue  # a part of files that were all refused
        said = (table.scorer, champion.scorer) if table.scorer else (packages[folder], champion.sha256)
        if said[0] and said[0] != said[1]:
            other.append(name)
            continue
        unknown += not said[0]
        _collect(table, folder, frames)
    if other and not frames:
        raise DataError(
            f"the scores in {prefix.url}/{other[0]} are of another model than the champion {champion.url}"
            + (f", and so are those of {len(other) - 1} other tables" if len(other) > 1 else ""),
            "give the folder of the scores that the champion gave",
        )
    means = np.array([np.mean(found.scores) for found in frames.values()], np.float64)
    devices = np.array([found.device for found in frames.values()], np.object_)
    return Production(means, devices, len(names) - len(other), tuple(other), unknown)


def _is_table(name: str) -> bool:
    return name.rpartition("/")[2].startswith("scores") and name.endswith(ENDINGS)


def _packages(prefix: Store, names: Sequence[str]) -> dict[str, str]:
    """Return for each folder of tables the SHA-256 of the deploy.json whose model gave them; "" if unknown."""
    found = {}
    for folder in {name.rpartition("/")[0] for name in names}:
        place = f"{folder}/{PROGRESS}".lstrip("/")
        try:
            found[folder] = str(json.loads(prefix.read(place))["asked"]["package"])
        except MissingError:
            found[folder] = ""
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{prefix.url}/{place} is damaged, so it is not known which model gave the scores beside it",
                "restore the file, or score the files again with another --out",
            ) from error
    return found


def _chooser(name: str) -> Choose:
    def choose(header: Sequence[str]) -> dict[str, int]:
        known = [plain(head) for head in header]
        places = {}
        for role in (*_NEEDED, *_FURTHER):
            names = [plain(alias) for alias in ROLES.get(role, (role,))]
            place = next((known.index(alias) for alias in names if alias in known), None)
            if place is not None:
                places[role] = place
            elif role in _NEEDED:
                raise DataError(
                    f"{name} has no column {role}; its columns are {', '.join(header)[:300]}",
                    "give tables with the columns that `rfmeta score --out` writes",
                )
        return places

    return choose


def _collect(table: Table, folder: str, frames: dict[Recording, _Frames]) -> None:
    """Add the scores of a table's frames to their recordings."""
    for index in np.flatnonzero(~((table.score >= 0) & (table.score <= 1)))[:1]:  # a NaN fails both comparisons
        table.refuse(
            int(index),
            f"has the score {table.score[index]}, which is not in [0, 1]",
            "give the scores that `rfmeta score` wrote",
        )
    columns = {role: column.names() for role, column in table.columns.items()}
    empty = np.full(len(table), "", np.object_)
    verdicts, devices = columns.get("video_verdict", empty), columns.get("device", empty)
    for video, score, verdict, device in zip(columns["video"], table.score, verdicts, devices, strict=True):
        if verdict != REFUSED:
            frames.setdefault((folder, video), _Frames(device, [])).scores.append(float(score))
