"""Generated domains through Ray: the same bytes whatever the workers, and through a SIGKILL."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rfmeta_dist.cluster.synth import synthesise
from rfmeta_dist.core.types import SPLITS
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import contract, generate, plan
from tests.cluster.conftest import kill_when_staged

pytestmark = pytest.mark.usefixtures("cluster")

TINY = SCALES["tiny"]
SMALLEST = replace(TINY, subjects={"*": dict.fromkeys(SPLITS, 1)})  # one person a split
VIDEOS = plan("M", SMALLEST, 0, None)
CONTRACT = contract(SMALLEST, VIDEOS)
FRAMES = sum(video.frames for video in VIDEOS)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """M, made without Ray."""
    folder = tmp_path_factory.mktemp("whole")
    pack(generate("M", SMALLEST, 0), open_store(str(folder)), "M", contract=CONTRACT)
    return folder


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.drill), 3])
def test_any_number_of_workers_gives_the_bytes_that_one_process_gives(whole, tmp_path, workers):
    seen: list[tuple[int, int]] = []
    synthesise(str(tmp_path), VIDEOS, CONTRACT, workers, lambda *news: seen.append(news))
    assert files(tmp_path) == files(whole)
    assert seen == [(done, FRAMES) for done in range(0, FRAMES + 1, SMALLEST.frames)]
    assert verify(open_store(str(tmp_path)), "M") == []


def test_what_is_there_is_left_alone_and_what_is_damaged_is_made_again(whole, tmp_path):
    store = open_store(str(tmp_path))
    first = synthesise(str(tmp_path), VIDEOS, CONTRACT, 2, lambda *news: None)
    seen: list[tuple[int, int]] = []
    assert synthesise(str(tmp_path), VIDEOS, CONTRACT, 2, lambda *news: seen.append(news)) == first
    assert seen == [(FRAMES, FRAMES)]
    (tmp_path / "M" / first.shards[0].name).unlink()
    synthesise(str(tmp_path), VIDEOS, CONTRACT, 2, lambda *news: None)
    assert verify(store, "M") == []
    assert files(tmp_path) == files(whole)


@pytest.mark.drill
def test_another_seed_or_strength_is_another_version(tmp_path):
    synthesise(str(tmp_path), VIDEOS, CONTRACT, 2, lambda *news: None)
    other = plan("M", SMALLEST, 0, None, rho=0.9)
    synthesise(str(tmp_path), other, contract(SMALLEST, other), 2, lambda *news: None)
    assert Manifest.open(open_store(str(tmp_path)), "M").contract["rho"] == 0.9
    assert len(list((tmp_path / "M").glob("manifest-*.json"))) == 2


@pytest.mark.drill  # test_ingest.py has a SIGKILL over the same staging area
def test_a_synth_killed_with_sigkill_goes_on_without_loss_or_repetition(tmp_path):
    out = tmp_path / "out"
    options = ["--out", str(out), "--scale", "tiny", "--domains", "M", "--workers", "1"]
    kept = len(kill_when_staged(out, "synth", *options))
    videos = plan("M", TINY, 0, None)  # as the command makes it
    assert 1 <= kept < len(videos)
    seen: list[tuple[int, int]] = []
    manifest = synthesise(str(out), videos, contract(TINY, videos), 2, lambda *news: seen.append(news))
    frames = sum(video.frames for video in videos)
    assert seen[0] == (kept * TINY.frames, frames)  # counted as done before anything was rendered
    assert len(seen) == 1 + len(videos) - kept
    assert json.loads((out / "M/manifest-000001.json").read_text())["contract"] == manifest.contract
    pack(generate("M", TINY, 0), open_store(str(tmp_path / "whole")), "M", contract=contract(TINY, videos))
    assert files(out) == files(tmp_path / "whole")
