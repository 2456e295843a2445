"""A delivery of real clips joins an ingested domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rfmeta_dist.cluster.ingest import Ingested, ingest
from rfmeta_dist.cluster.ingest_order import Order
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.batches import Batch, batches_of, videos_by_type
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.ingest.batch import survey_batch
from rfmeta_dist.ingest.crop import CropRule, Native
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.video import Spread
from rfmeta_dist.storage.store import open_store
from tests.ingest.clips import moving, write_clip
from tests.ingest.small_sets import MSU

pytestmark = pytest.mark.usefixtures("faces_installed")

MAY = Batch("may", "Acme", "2026-05-01T00:00:00+00:00")
LAYOUT = LAYOUTS["msu_mfsd"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    for number, path in enumerate(MSU):
        write_clip(root / path, moving(number % 3, 6))
    return root


def run(
    source: Path, out: Path, batch: Batch | None = None, rule: CropRule | None = None, **options
) -> Ingested:
    order = Order("msu_mfsd", source, str(out), "M", Spread(2), rule or CropRule(size=64), batch=batch)
    if batch is None:
        survey = LAYOUT.survey(source, "M")
    else:
        survey = survey_batch(LAYOUT, source, "M", batch.name, **{"same_people": False} | options)
    return ingest(order, survey, 1, lambda *_: None, alone_s=600)


def test_the_same_clips_join_as_a_batch_under_names_of_their_own(source: Path, tmp_path: Path):
    with pytest.raises(DataError, match="there is no domain 'M'"):
        run(source, tmp_path, MAY)
    before = run(source, tmp_path).manifest
    after = run(source, tmp_path, MAY).manifest
    assert verify(open_store(str(tmp_path)), "M") == []
    assert set(before.shards) < set(after.shards)
    new = [row for row in after.samples.to_pylist() if row["batch"] == "may"]
    assert len(new) == before.samples.num_rows
    assert all(row["key"].startswith("M-may-") and row["subject_id"].startswith("M-may-") for row in new)
    made = batches_of(after)["may"].made
    assert made["crop"] == before.contract["crop"]
    assert made["recordings"] == len(MSU)
    assert videos_by_type(after)["may"] == videos_by_type(before)[""]
    assert not [name for name in open_store(str(tmp_path)).list("M") if "staging" in name]
    assert run(source, tmp_path, MAY).manifest.fingerprint == after.fingerprint


def test_people_may_be_the_domains_and_crops_must_be_of_its_kind(source: Path, tmp_path: Path):
    before = run(source, tmp_path).manifest
    after = run(source, tmp_path, MAY, same_people=True).manifest
    assert set(after.samples["subject_id"].to_pylist()) == set(before.samples["subject_id"].to_pylist())
    june = replace(MAY, name="june")
    with pytest.raises(DataError, match=r"margin is 1\.3 in the batch and 1\.5 in the domain"):
        run(source, tmp_path, june, CropRule(size=64, margin=1.3))
    with pytest.raises(DataError, match=r"size is .* in the batch and 64 in the domain"):
        run(source, tmp_path, june, CropRule(Native()))
    with pytest.raises(DataError, match=r"domain M has the batch\(es\) may"):
        run(source, tmp_path)
    assert Manifest.open(open_store(str(tmp_path)), "M").fingerprint == after.fingerprint
