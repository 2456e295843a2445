"""Say on which samples a challenger is judged: the frozen set of the champion, and what is new to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.retrain.known import Known
from rfmeta_dist.retrain.states import batches_of

if TYPE_CHECKING:
    from rfmeta_dist.evaluation.scores import Names, Scores

Part = Literal["frozen", "new"]
JUDGED: Split = "test"


@dataclass(frozen=True, eq=False)
class Sorted:
    """Videos, sorted by what they count for in a judgement.

    Attributes:
        part: `frozen` if the champion knows a frame of the video, else `new`, by `domain-video`.
        batch: name of the batch, or "".
        counted: True if the video counts for the gain of a challenger: it is of a reviewed batch, or in none.
    """

    part: Mapping[str, Part]
    batch: Mapping[str, str]
    counted: Mapping[str, bool]

    @classmethod
    def of(cls, manifests: Mapping[str, Manifest], known: Known) -> Sorted:
        """Sort all videos of some states of domains.

        Args:
            manifests: the states.
            known: the samples that the champion knows. What of them is in the test splits is its frozen set.
        """
        part: dict[str, Part] = {}
        batch: dict[str, str] = {}
        counted: dict[str, bool] = {}
        for domain, manifest in manifests.items():
            facts, table = batches_of(manifest), manifest.samples
            names = table["batch"].to_pylist() if "batch" in table.column_names else [""] * len(table)
            rows = zip(table["video_id"].to_pylist(), names, known.new_in(manifest).tolist(), strict=True)
            for video, name, new in rows:
                key = f"{domain}-{video}"
                part[key] = "new" if new and part.get(key) != "frozen" else "frozen"
                batch[key] = name or ""
                counted[key] = not name or bool(facts.get(name, {}).get("reviewed"))
        return cls(part, batch, counted)

    def columns(self, videos: Scores) -> dict[str, Names]:
        """Return part, batch and counted of each row of scores by video.

        Args:
            videos: scores with one row for each video, whose keys are `domain-video`.
        """
        keys = videos.key.tolist()
        return {
            "part": np.array([self.part[key] for key in keys], np.object_),
            "batch": np.array([self.batch[key] for key in keys], np.object_),
            "counted": np.array([self.counted[key] for key in keys], np.bool_),
        }
