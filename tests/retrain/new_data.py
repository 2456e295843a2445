"""Make domains with new samples, and what a champion says about them, for tests of retraining."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rfmeta_dist.core.about import to_text
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.retrain.alike import stored_images
from rfmeta_dist.retrain.arrivals import Arrived
from rfmeta_dist.retrain.intake import Judged
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rfmeta_dist.core.types import Sample, Split
    from rfmeta_dist.retrain.alike import Images

SIZES: Mapping[Split, tuple[int, int]] = {"train": (45, 45), "test": (75, 75)}
THRESHOLD = 0.0


def delivered(
    folder: Path, domain: str = "A", change: Callable[[Sample], Sample] = lambda sample: sample
) -> tuple[Arrived, Images]:
    """A domain of one video for each sample, whose training samples are the new batch `b1`."""
    store = open_store(str(folder))
    samples = [change(replace(s, video=s.key)) for s in make_samples(domain, SIZES)]
    manifest = pack(samples, store, domain, contract={})
    new = np.array([split == "train" for split in manifest.samples["split"].to_pylist()])
    batch = pa.array(["b1" if one else "" for one in new]).dictionary_encode()
    if "batch" in manifest.samples.column_names:
        manifest = replace(manifest, samples=manifest.samples.drop_columns("batch"))
    table = manifest.samples.append_column("batch", batch)
    return Arrived(replace(manifest, samples=table), new), stored_images(store)


def edited(arrived: Arrived, **columns: Mapping[str, str]) -> Arrived:
    """The same state with other texts in some columns: by column, the new text by the sample's key."""
    table = arrived.manifest.samples
    for name, by_key in columns.items():
        old = table[name].to_pylist() if name in table.column_names else [""] * table.num_rows
        texts = [by_key.get(key, text) for key, text in zip(table["key"].to_pylist(), old, strict=True)]
        column = pa.array(texts).dictionary_encode()
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, column)
        else:
            table = table.append_column(name, column)
    return replace(arrived, manifest=replace(arrived.manifest, samples=table))


def device(name: str) -> str:
    """What is known about a recording of this device."""
    return to_text({"device": name})


def judged(*domains: Arrived, apart: float = 4.0, shift: float = 0.0, flipped: float = 0.0) -> Judged:
    """What a champion says: normal scores whose classes are `apart` standard deviations apart.

    The new samples' scores are moved by `shift`, and so many of them are those of the other class.
    """
    parts = []
    for one in domains:
        table = one.manifest.samples
        truth = table["label"].to_numpy() == 1
        rng = generator("champion", 0, one.domain)
        truth ^= one.new & (rng.random(len(truth)) < flipped)
        score = rng.normal(size=len(truth)) + np.where(truth, apart / 2, -apart / 2) + shift * one.new
        scores = Scores.of(table, table["key"], score)
        parts.append((scores.select(one.new), scores.select(~one.new)))
    new, frozen = (joined([part[side] for part in parts]) for side in (0, 1))
    return Judged(new, frozen, THRESHOLD)


def joined(parts: list[Scores]) -> Scores:
    """All rows of several scores."""
    columns = [part.columns() for part in parts]
    return Scores(**{name: np.concatenate([one[name] for one in columns]) for name in columns[0]})
