"""A run resumes from its newest undamaged checkpoint, and says which ones it left out and why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from rfmeta_dist.core.digests import digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.api import Adam
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint, kept
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.step import Trainer
from tests import episodes

EVERY, DOMAINS = 5, 3
Damage = Callable[[Path], object]


def trainer(seed: int = 0, width: float | None = None) -> Trainer:
    objective = episodes.objective("rfmeta", seed)
    return Trainer(objective, Single(), Adam(1e-2), episodes.work_split(objective, DOMAINS))


def rows(step: int) -> tuple[dict, ...]:
    return tuple({"step": s, "loss": 2.0 - s / 100} for s in range(step))


def write(run: Store, trained: Trainer, step: int) -> None:
    """Write a checkpoint as a worker does."""
    folder = run.sub(kept.folder_name(step))
    checkpoint.save(folder, trained, trained.strategy.moments(), Progress(step, rows(step)), "f")
    kept.prune(run, step, 2)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """Make a run with checkpoints at steps 35 and 40."""
    folder = tmp_path_factory.mktemp("pristine") / "run"
    run, trained = open_store(str(folder)), trainer()
    for step in (30, 35, 40):
        trained.step(episodes.work(trained.work_split, 0, DOMAINS, step))
        write(run, trained, step)
    return folder


@pytest.fixture
def run(pristine: Path, tmp_path: Path) -> Path:
    return shutil.copytree(pristine, tmp_path / "run")


def found(run: Path) -> kept.Found:
    return kept.newest(open_store(str(run)))


def cut(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-9])


def flip(name: str, part: float) -> Damage:
    """Return a damage that flips one bit of a file, at a position from 0 (start) to 1 (end)."""

    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[int(part * (len(data) - 1))] ^= 4
        (folder / name).write_bytes(data)

    return damage


def another(name: str) -> Damage:
    """Return a damage that replaces a file by that of the earlier checkpoint."""
    return lambda folder: shutil.copy(folder.parent / "step-0000035" / name, folder / name)


def without_tensors(folder: Path) -> None:
    (folder / "optimizer.safetensors").write_bytes(save({}))


FILES = ("model.safetensors", "optimizer.safetensors", "metrics.jsonl", "state.json")
DAMAGES: dict[str, Damage] = {
    **{f"{name} cut": cut(name) for name in FILES},
    **{f"{name} empty": lambda folder, name=name: (folder / name).write_bytes(b"") for name in FILES},
    **{f"{name} missing": lambda folder, name=name: (folder / name).unlink() for name in FILES},
    **{f"{name} flipped at {part}": flip(name, part) for name in FILES for part in (0, 0.3, 0.5, 0.9, 1)},
    **{f"{name} of step 35": another(name) for name in FILES},
    "moments without a tensor": without_tensors,
    "an empty folder": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_checkpoint_is_left_out_by_name_and_the_one_before_taken(run: Path, what: str):
    DAMAGES[what](run / "step-0000040")
    chosen = found(run)
    assert chosen.saved is not None
    assert chosen.saved.progress == Progress(35, rows(35))
    assert str(chosen).startswith("the checkpoint of step 40 is damaged (")
    assert str(chosen).endswith("), continuing from step 35")
    assert not what.partition(" ")[0].endswith(("json", "jsonl", "tensors")) or what.partition(" ")[0] in str(
        chosen
    )


def test_the_newest_is_taken_where_nothing_is_damaged(run: Path):
    assert str(found(run)) == "continuing from step 40"
    assert str(found(run.parent / "none")) == "beginning at step 0"


def test_a_run_without_a_whole_checkpoint_ends_and_says_what_to_do(run: Path):
    cut("model.safetensors")(run / "step-0000035")
    cut("state.json")(run / "step-0000040")
    with pytest.raises(RunError) as caught:
        found(run)
    assert "step 40 is damaged (" in caught.value.problem
    assert "step 35 is damaged (model.safetensors does not match its SHA-256)" in caught.value.problem
    assert "delete the run's step-* folders to begin at step 0," in caught.value.remedy
    for folder in run.glob("step-*"):
        shutil.rmtree(folder)
    assert found(run).saved is None  # the remedy is true


def test_a_first_checkpoint_that_was_never_finished_costs_no_more_than_its_steps(run: Path):
    shutil.rmtree(run / "step-0000035")
    (run / "step-0000040/state.json").unlink()
    said = "the checkpoint of step 40 is damaged (state.json does not exist), beginning at step 0"
    assert str(found(run)) == said


def test_the_newest_two_are_kept_and_what_was_given_up_goes(run: Path):
    store, trained = open_store(str(run)), trainer()
    assert kept.steps(store) == [35, 40]
    cut("model.safetensors")(run / "step-0000040")
    write(store, trained, 37)  # training went on from step 35 and saves more often now
    assert kept.steps(store) == [35, 37]
    write(store, trained, 40)
    assert sorted(path.name for path in run.iterdir()) == ["step-0000037", "step-0000040"]


def test_a_checkpoint_written_over_a_damaged_one_is_whole(run: Path):
    cut("optimizer.safetensors")(run / "step-0000040")
    write(open_store(str(run)), trainer(), 40)
    assert str(found(run)) == "continuing from step 40"


def old(folder: Path) -> None:
    """Rewrite state.json as in versions without hashes."""
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({k: state[k] for k in ("step", "updates", "fingerprint")}))


def test_a_checkpoint_without_hashes_still_opens(run: Path):
    whole, again = trainer(), trainer(seed=1)
    checkpoint.restore(found(run).saved, whole, "f")
    old(run / "step-0000040")
    assert checkpoint.restore(found(run).saved, again, "f") == Progress(40, rows(40))
    ours, reference = again.objective.nets.state_dict(), whole.objective.nets.state_dict()
    assert [name for name in reference if not torch.equal(ours[name], reference[name])] == []


@pytest.mark.parametrize(
    "what", [*(k for k in DAMAGES if "cut" in k or "empty" in k or "missing" in k), "moments without a tensor"]
)
def test_without_hashes_what_can_be_seen_is_seen(run: Path, what: str):
    old(run / "step-0000040")
    DAMAGES[what](run / "step-0000040")
    assert str(found(run)).endswith("), continuing from step 35")


def reshape(folder: Path, name: str, change: Callable[[dict], object]) -> None:
    """Change a file's tensors and its hashes, as if other code had written the checkpoint."""
    tensors = load((folder / name).read_bytes())
    change(tensors)
    data = save(tensors)
    (folder / name).write_bytes(data)
    state = json.loads((folder / "state.json").read_text())
    assert digest_holds(state)
    del state["sha256"]
    state["files"][name] = digest(data)
    state["code"] = "9.9"
    (folder / "state.json").write_text(json.dumps(with_digest(state)))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (
            "model.safetensors",
            lambda t: t.pop("M.fc.weight", None) or t.popitem(),
            "is missing in the checkpoint and of shape",
        ),
        (
            "model.safetensors",
            lambda t: t.update({"F.new": torch.ones(2)}),
            r"F\.new is of shape \[2\] in the checkpoint and",
        ),
        (
            "model.safetensors",
            lambda t: t.update({min(t): torch.ones(7, 7)}),
            r"of shape \[7, 7\] in the checkpoint",
        ),
        ("optimizer.safetensors", lambda t: t.update({min(t): torch.ones(7, 7)}), r"of shape \[7, 7\] in the"),
        ("optimizer.safetensors", lambda t: t.pop(min(t)), "is missing in the checkpoint and"),
        ("optimizer.safetensors", lambda t: t.update({"exp_avg.F.new": torch.ones(2)}), r"F\.new is of shape"),
    ],
)
def test_networks_of_other_code_are_refused_with_the_versions_and_nothing_is_changed(run, name, change, said):
    reshape(run / "step-0000040", name, change)
    ours = trainer()
    before = episodes.parameters(ours.objective.nets).clone()
    with pytest.raises(RunError, match=said) as caught:
        checkpoint.restore(found(run).saved, ours, "f")
    assert "It was written by code 9.9 and torch" in caught.value.problem
    assert torch.equal(episodes.parameters(ours.objective.nets), before)
