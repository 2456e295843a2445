"""Name the scales of `rfmeta synth`: those of the generator, and the scale of the studies in the lab notes."""

from __future__ import annotations

from collections.abc import Mapping

from rfmeta_dist.synth.domains.scale import SCALES, Scale

# Many people with few frames each, because small networks overfit to as few people as the real data sets have.
# It is not among the scales of the generator, because every manifest names a hash of the generator's code: the
# data of studies that exist would count as made by another version.
STUDY = Scale("study", 64, {"*": {"train": 150, "validation": 30, "test": 30}}, videos=2, frames=2)
KNOWN: Mapping[str, Scale] = {**SCALES, STUDY.name: STUDY}
