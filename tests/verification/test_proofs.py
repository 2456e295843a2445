"""`rfmeta verify` proves all combinations, prints them, and refuses wrong ones with an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rfmeta_dist.cli.verify import print_table, verify
from rfmeta_dist.config.methods import RULES
from rfmeta_dist.config.schema import Method
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.errors import ConfigError, VerificationError
from rfmeta_dist.methods import METHODS
from rfmeta_dist.verification import parity
from rfmeta_dist.verification.small import KINDS, small

ROOT = Path(__file__).parents[2]


def test_the_defaults_prove_every_method_and_strategy_with_nobody_idle():
    cases = parity.cases([2, 3], METHODS, parity.STRATEGIES, parity.META_TESTS, [3, 4], 0)
    rows = {(c.training.workers, c.method.name, parity.manner(c.training)) for c in cases}
    assert rows == {
        (workers, method, manner)
        for workers in (2, 3)
        for method in METHODS
        for manner in ("ddp, shard", "ddp, replicate", "deepspeed ZeRO-1, shard", "deepspeed ZeRO-2, shard")
        if not any(manner.startswith(strategy) for strategy in RULES[method].refuses)
    }
    assert {len(c.data.sources) for c in cases if c.training.strategy == "ddp"} == {3, 4}
    assert len(set(cases)) == len(cases)


def test_an_episode_of_some_domains_keeps_all_workers_busy_and_is_proved(capsys):
    ways = {"strategy": ["ddp"], "meta_test": ["shard,replicate"]}
    verify(workers="2", method=["rfmeta,no_meta"], domains="5", episode_domains=2, json=True, **ways)
    proofs = json.loads(capsys.readouterr().out)["proofs"]
    episodes = {(p["method"], p["meta_test"]): p["episodes"] for p in proofs}
    assert {(p["domains"], p["episode_domains"]) for p in proofs} == {(5, 2)}
    # A pair keeps one worker busy, and one more where the meta-test batch is split; two domains keep two.
    assert episodes == {
        ("rfmeta", "shard"): 1,
        ("rfmeta", "replicate"): 2,
        ("no_meta", "shard"): 1,
        ("no_meta", "replicate"): 1,
    }


def test_proofs_come_as_json_and_one_beyond_the_tolerance_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(parity, "TOLERANCE", 0.0)  # sums in another order differ in the last bits
    with pytest.raises(
        VerificationError, match=r"rfmeta on 3 sources with 2 × ddp, shard .*gradient by 1?\d\.\de-1\d"
    ):
        verify(workers="2", method=["rfmeta"], strategy=["ddp"], meta_test=["shard"], domains="3", json=True)
    (proof,) = json.loads(capsys.readouterr().out)["proofs"]
    assert proof["differences"].keys() == set(KINDS)
    assert 0 < max(proof["differences"].values()) < 1e-11


def test_a_strategy_that_cannot_train_a_method_leaves_a_dash_in_the_table(capsys):
    cases = parity.cases([2], ["no_meta", "reptile"], parity.STRATEGIES, ["shard"], [3], 0)
    print_table([parity.Result(case, {"losses": 2e-15}) for case in cases])
    told = "".join(capsys.readouterr())
    rows = {line.split()[1]: line for line in told.splitlines() if "2.0e-15" in line}
    counts = {name: (line.count("2.0e-15"), line.count("–")) for name, line in rows.items()}
    assert counts == {"no_meta": (3, 0), "reptile": (1, 2)}


def test_the_step_on_one_domain_is_proved_for_workers_with_an_episode_each():
    training = Training(workers=2, episodes=2, steps=2, strategy="ddp")
    (result,) = parity.prove_locally([small(Method(name="no_meta"), training, 1, batch=4)])
    assert result.config.data.sources == ("source-0",)
    result.require()


def test_a_worker_that_dies_is_an_error_and_not_a_hang():
    (case,) = parity.cases([1], ["no_meta"], ["ddp"], ["shard"], [2], 0)
    method = case.method.model_copy(update={"name": "nothing"})
    with pytest.raises(VerificationError, match="worker processes died"):
        list(parity.prove_locally([case.model_copy(update={"method": method})]))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": ["rfmeta,sgd"]}, "'sgd' is no value of --method; choose from rfmeta"),
        ({"method": ["ms_lbp"]}, "--method ms_lbp: .* hand-made features .* choose from rfmeta"),
        (
            {"method": ["reptile,maddg"], "strategy": ["deepspeed"]},
            "maddg is not checked .* add --strategy ddp",
        ),
        ({"strategy": ["zero"]}, "'zero' is no value of --strategy; choose from ddp, deepspeed"),
        ({"meta_test": ["both"]}, "'both' is no value of --meta-test; choose from shard, replicate"),
        ({"workers": "0"}, "--workers '0'"),
        ({"domains": "1"}, "--domains '1'"),
        ({"domains": "3,4", "episode_domains": 4}, "--domains '3,4' is not a list of integers of at least 4"),
        ({"golden": "x.json", "episode_domains": 2}, "--episode-domains cannot be used with --golden"),
        ({"golden": "x.json", "seed": 1}, "--seed cannot be used with --golden"),
    ],
)
def test_a_wrong_option_is_named_with_its_remedy(wrong, words):
    with pytest.raises(ConfigError, match=words):
        verify(**wrong)


WITHOUT_DEEPSPEED = """
import importlib.util, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "deepspeed":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "deepspeed" else found(name, *rest)
from rfmeta_dist.cli import main
if __name__ == "__main__":
    main()
"""


def test_deepspeed_that_is_not_installed_is_left_out_or_refused(tmp_path):
    program = tmp_path / "without.py"  # a file, since the proving processes are spawned
    program.write_text(WITHOUT_DEEPSPEED)

    def verify_there(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(program), "verify", "--workers", "1", "--method", "no_meta", "--json"]
        paths = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run([*command, *options], env=paths, capture_output=True, text=True, check=False)

    refused = verify_there("--strategy", "deepspeed")
    assert refused.returncode == ConfigError.exit_code
    remedy = re.search(
        r"--strategy deepspeed needs .* not installed; install it with: pip install 'rfmeta_dist\[(\w+)\]'",
        refused.stderr,
    )
    assert remedy, refused.stderr
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(line.startswith("deepspeed") for line in extras[remedy[1]])
    rest = verify_there("--domains", "2")
    assert rest.returncode == 0, rest.stderr
    assert {proof["strategy"] for proof in json.loads(rest.stdout)["proofs"]} == {"ddp"}
