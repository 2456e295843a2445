"""Say which videos are new to the champion. The other test videos are its frozen set."""

from __future__ import annotations

from collections.abc import Iterable

from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.batches import batches_of
from rfmeta_dist.data.shards.manifest import Head, Manifest
from rfmeta_dist.retrain.known import Known

JUDGED: Split = "test"  # nothing in this split is ever trained on, and no threshold is set on it


def new_videos(manifests: Iterable[Manifest], known: Known) -> dict[str, str]:
    """Return the name of the batch, or "", of each video that is new to the champion, by `domain-video`.

    A video of which the champion knows a frame is not new.

    Args:
        manifests: states of domains.
        known: the samples that the champion knows.
    """
    found: dict[str, str] = {}
    old: set[str] = set()
    for manifest in manifests:
        table, domain = manifest.samples, manifest.domain
        batches = table["batch"].to_pylist() if "batch" in table.column_names else [""] * len(table)
        rows = zip(table["video_id"].to_pylist(), batches, known.new_in(manifest).tolist(), strict=True)
        for video, batch, new in rows:
            if new:
                found[f"{domain}-{video}"] = batch or ""
            else:
                old.add(f"{domain}-{video}")
    return {key: batch for key, batch in found.items() if key not in old}


def reviewed(heads: Iterable[Head]) -> set[tuple[str, str]]:
    """Return domain and name of each batch that was reviewed. What is in no batch counts as reviewed.

    A domain without batches was ingested as a whole by its owner, who looks after its labels.
    """
    found: set[tuple[str, str]] = set()
    for head in heads:
        facts = batches_of(head)
        found |= {(head.domain, ""), *((head.domain, name) for name, of in facts.items() if of.reviewed)}
    return found
