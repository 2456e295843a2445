"""`rfmeta synth` and its probe, through the command line, with a domain of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.probes.cues import CONTROL
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.card import folder

CONFIG, DATA, NOT_PROVEN = 2, 3, 1


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A fifth domain: Replay-Attack's, with print attacks alone and no spurious cues."""
    tree = yaml.safe_load((folder() / "I.yaml").read_text(encoding="utf-8"))
    tree |= {"name": "MINE", "title": "ours", "attacks": ["print"], "nuisances": []}
    tree["subjects"] = {"train": 3, "validation": 1, "test": 2}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def test_a_fifth_domain_goes_from_its_card_to_shards_and_through_the_probes(rfmeta, card, tmp_path):
    out = tmp_path / "data"
    ending = rfmeta(
        *("synth", "--out", out, "--card", card, "--domains", "MINE", "--scale", "tiny"),
        *("--rho", "0", "--workers", "2", "--json"),
    )
    assert ending.code == 0, ending.err
    counts = {"train": 6, "validation": 2, "test": 4}  # the card's people, two frames each
    assert json.loads(ending.out) == {
        "prefix": str(out),
        "domains": {"MINE": {split: {"live": n, "attack": n} for split, n in counts.items()}},
    }
    store = open_store(str(out))
    manifest = Manifest.open(store, "MINE")
    assert verify(store, "MINE") == []
    assert manifest.contract["rho"] == 0
    assert manifest.contract["card"]["title"] == "ours"
    assert set(manifest.samples["attack_type"].to_pylist()) == {"live", "print"}
    assert sum(len(batch.keys) for batch in scan(store, manifest, None, image_size=64, batch=8)) == 24

    probed = rfmeta("synth", "probe", out, "--json")
    assert probed.code == 0, probed.err
    results = json.loads(probed.out)
    assert {(r["cue"], r["domain"], r["across"]) for r in results} >= {("colour", "MINE", None)}
    areas = {r["cue"]: r["within"]["value"] for r in results}
    del areas[CONTROL]  # it should tell much
    worst = max(areas, key=areas.__getitem__)
    assert rfmeta("synth", "probe", out, "--require", areas[worst] + 1e-9).code == 0
    failed = rfmeta("synth", "probe", out, "--require", areas[worst] - 1e-9)
    assert failed.code == NOT_PROVEN
    assert f"{worst} within MINE" in failed.error
    assert "--rho 0" in failed.error
    assert "(control)" in failed.out

    patches = rfmeta("synth", "probe", out, "--view", "patches", "--json")
    assert patches.code == 0, patches.err
    assert set(areas) - {r["cue"] for r in json.loads(patches.out)} == {"background"}


MISTAKES = [
    ("synth --out x --card nothing.yaml", ["nothing.yaml does not exist", "rfmeta example M"], CONFIG),
    ("synth --out x --card mine.yaml --domains YOURS", ["'YOURS'", "O, C, I, M, MINE"], CONFIG),
    ("synth --out x --card mine.yaml --card mine.yaml", ["'MINE' already", "another name"], CONFIG),
    ("synth --out x --rho 2", ["rho=2.0", "from 0 (spurious cues are independent"], CONFIG),
    ("synth probe nothing", ["no domains under", "`rfmeta synth`"], DATA),
    ("synth probe nothing --domains O", ["no domain 'O'"], DATA),
]


@pytest.mark.parametrize(("line", "words", "code"), MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_is_named_with_its_remedy(rfmeta, card, monkeypatch, line, words, code):
    monkeypatch.chdir(card.parent)
    ending = rfmeta(*line.split())
    assert [word for word in words if word not in ending.error] == [], ending.error
    assert ending.code == code
    assert not (card.parent / "x").exists()
