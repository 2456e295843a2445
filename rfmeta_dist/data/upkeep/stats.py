"""Count the samples, subjects and videos of a domain."""

from __future__ import annotations

from dataclasses import dataclass

from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.shards.manifest import Manifest


@dataclass(frozen=True)
class Count:
    """The number of samples of one attack type in one split, and of the subjects and videos they come from.

    Attributes:
        label: 1 live, 0 attack.
        attack_type: `live`, `print`, `replay`, …
        samples, subjects, videos: the three numbers, each at least 1.
        subject: the person that is counted; None if all people are counted together.
    """

    split: Split
    label: int
    attack_type: str
    samples: int
    subjects: int
    videos: int
    subject: str | None = None


def stats(manifest: Manifest, *, by_subject: bool = False) -> list[Count]:
    """Return counts by split, class and attack type, in the order train, validation, test; live first.

    Args:
        manifest: the domain's manifest.
        by_subject: True to count each subject separately.
    """
    kinds = ["split", "label", "attack_type", *(["subject_id"] if by_subject else [])]
    counts = manifest.samples.group_by(kinds).aggregate(
        [("key", "count"), ("subject_id", "count_distinct"), ("video_id", "count_distinct")]
    )
    rows = [
        Count(
            row["split"],
            row["label"],
            row["attack_type"],
            row["key_count"],
            row["subject_id_count_distinct"],
            row["video_id_count_distinct"],
            row["subject_id"] if by_subject else None,
        )
        for row in counts.to_pylist()
    ]
    return sorted(
        rows, key=lambda row: (SPLITS.index(row.split), row.subject or "", -row.label, row.attack_type)
    )
