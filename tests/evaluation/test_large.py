"""A domain of very many samples is judged without a Python object for each sample."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import publish
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import score_domain
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.storage.store import Store, open_store
from tests.samples import SIZE, make_samples

SIZES = {"train": (6, 9), "test": (9, 6)}
TIMES = 2_000  # so often the samples of the domain are repeated in the manifest of the large one


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("large")))


@pytest.fixture(scope="module")
def manifest(store: Store) -> Manifest:
    return pack(make_samples("A", SIZES), store, "A", contract={})


@pytest.fixture(scope="module")
def detector() -> GradientDetector:
    return GradientDetector(Networks(width=0.05).initialise(0), Model(width=0.05))


def peak(run: Callable[[], object]) -> float:
    """Return the peak of additional memory in Python objects, in MB."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_scores_carry_what_the_manifest_says_of_each_sample(
    store: Store, manifest: Manifest, detector: GradientDetector
):
    for split, size in (("test", 4), (None, 64)):
        batches = list(scan(store, manifest, split, image_size=SIZE, batch=size))
        found = score_domain(detector, manifest, iter(batches[::-1]))  # in any order
        rows = {row["key"]: row for row in manifest.samples.to_pylist()}
        assert sorted(found.key) == sorted(key for key, row in rows.items() if split in (None, row["split"]))
        for i, key in enumerate(found.key):
            said = [
                getattr(found, n)[i] for n in ("domain", "split", "subject", "video", "attack_type", "label")
            ]
            assert said == [
                rows[key][n] for n in ("domain", "split", "subject_id", "video_id", "attack_type", "label")
            ]
    assert len(score_domain(detector, manifest, iter([]))) == 0


def test_a_sample_that_the_manifest_does_not_have_is_named(
    store: Store, manifest: Manifest, detector: GradientDetector
):
    (batch,) = scan(store, manifest, None, image_size=SIZE, batch=64)
    foreign = replace(batch, keys=("A-other-00000", *batch.keys[1:]))
    with pytest.raises(DataError, match="sample A-other-00000 was scored, but the manifest does not list it"):
        score_domain(detector, manifest, iter([foreign]))


def test_what_a_large_manifest_holds_is_not_made_into_python_objects(
    store: Store, manifest: Manifest, detector: GradientDetector
):
    large = replace(manifest, samples=pa.concat_tables([manifest.samples] * TIMES))
    batches = list(scan(store, manifest, None, image_size=SIZE, batch=64))
    score_domain(detector, manifest, iter(batches))  # imports
    assert peak(lambda: score_domain(detector, large, iter(batches))) < 2


def test_a_large_manifest_is_opened_without_a_list_of_its_samples(store: Store, manifest: Manifest):
    shards = [replace(shard, samples=shard.samples * TIMES) for shard in manifest.shards]
    rows = [row for shard in manifest.shards for row in manifest.rows(shard) * TIMES]
    inside = store.sub("large")
    assert publish(inside, "A", shards, rows, image_size=SIZE, contract={}).samples.num_rows == TIMES * 30
    files = sum(len(inside.read(name)) for name in inside.list()) / 1e6
    assert peak(lambda: Manifest.open(inside, "A")) < files + 1


def test_the_file_of_the_scores_is_the_same_as_from_lists(make_scores):
    scores = make_scores("CIM", subjects=9)
    numbers = {"label": pa.int8(), "score": pa.float64()}
    # Nothing is known about these recordings, so the file is that of versions without the column `about`.
    columns = {name: column.tolist() for name, column in scores.columns().items() if name != "about"}
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in columns])
    plain = io.BytesIO()
    parquet.write_table(pa.table(columns, schema=schema), plain)
    assert scores.to_parquet() == plain.getvalue()


def test_names_that_repeat_are_held_once(make_scores):
    scores = Scores.from_parquet(make_scores("CIM").to_parquet())
    for column in (scores.domain, scores.split, scores.subject, scores.video, scores.attack_type):
        assert len({id(name) for name in column}) == len(set(column.tolist()))
    long = replace(scores, video=np.where(np.arange(len(scores)) == 0, "v" * 10_000, scores.video))
    assert long.video.nbytes == 8 * len(scores)  # one long name is not paid for by all


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array([None, "a"]), "empty cells in subject"),
        (pa.array([[1], [2]]), "scores cannot be read"),
    ],
)
def test_cells_that_are_no_names_are_refused(make_scores, column, words):
    table = parquet.read_table(pa.BufferReader(make_scores().to_parquet())).slice(0, 2)
    sink = io.BytesIO()
    parquet.write_table(table.set_column(table.column_names.index("subject"), "subject", column), sink)
    with pytest.raises(DataError, match=words):
        Scores.from_parquet(sink.getvalue())
