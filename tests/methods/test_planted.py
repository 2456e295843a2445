"""A rule that is added to a copy of the project needs one file, one entry and one reference."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rfmeta_dist.config.methods import METHODS

ROOT = Path(__file__).parents[2]

RULE = '''
"""Inner updates of F and M together, each judged on the meta-test domain."""

from torch import nn

from rfmeta_dist.methods.base.inner import adapt, forward_adapted
from rfmeta_dist.methods.base.losses import liveness_loss
from rfmeta_dist.methods.base.objective import Objective, batch_at


class _Whole(nn.Module):
    def __init__(self, nets):
        super().__init__()
        self.F, self.M = nets.F, nets.M

    def forward(self, image):
        return self.M(self.F(image).deep)


class Whole(Objective):
    PARTS = ("cls_meta_train", "cls_meta_test")

    def share(self, episode, part, seen):
        zero = next(self.parameters()).new_zeros(())
        learner, rate = _Whole(self.nets), self.rule.inner_learning_rate * self.rule.caution
        trained, tested = zero, zero
        test = batch_at(episode, len(episode.batches) - 1)
        for i in part.tasks:
            batch = batch_at(episode, i)
            loss = liveness_loss(learner(batch.image), batch.label)
            seen.note(i, "F", "M")
            weights = adapt(
                learner,
                loss,
                lambda w, batch=batch: liveness_loss(forward_adapted(learner, w, batch.image), batch.label),
                rate=rate,
                steps=self.rule.inner_steps,
            )
            trained = trained + loss
            tested = tested + liveness_loss(forward_adapted(learner, weights, test.image), test.label)
        return trained + self.rule.meta_test_weight * tested, [trained, tested]
'''
ENTRY = """
    "whole": MethodFacts(
        "rfmeta_dist.methods.rules.whole:Whole",
        "pairs",
        adapts="all",
        fields={"caution": (float, Field(0.01, gt=0, le=1, description="of the inner rate"))},
        refuses={"deepspeed": "it was never tried"},
    ),
}
"""
REFERENCE = """

def whole(net, batches, rule):
    *train, test = batches
    total = torch.zeros(())
    for b in train:
        seen = net
        for k in range(rule["steps"]):
            deep, _ = seen.features(b.image, track=k == 0)
            if k == 0:
                loss = once = bce(net.logit(deep), b.label)
            else:
                loss = bce(seen.logit(deep, seen.weights), b.label)
            names = [n for n in net.weights if n[0] in "FM"]
            grads = torch.autograd.grad(loss, [seen.weights[n] for n in names], create_graph=True)
            step = {n: seen.weights[n] - rule["alpha"] * rule["caution"] * g for n, g in zip(names, grads)}
            seen = Network({**net.weights, **step}, net.running, net.momentum)
        deep, _ = seen.features(test.image, track=False)
        total = total + once + rule["mu"] * bce(seen.logit(deep, seen.weights), test.label)
    return total


METHODS["whole"] = whole
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's sources, without the planted rule."""
    folder = tmp_path_factory.mktemp("copy")
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in ("rfmeta_dist", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def planted(copy: Path) -> Path:
    (copy / "rfmeta_dist/methods/rules/whole.py").write_text(RULE.lstrip())
    table = copy / "rfmeta_dist/config/methods/paper.py"
    before, mark, after = table.read_text().partition('    "no_depth": MethodFacts(')
    line, _, rest = after.partition("\n}\n")
    table.write_text(f"{before}{mark}{line}{ENTRY}{rest}")
    with (copy / "tests/reference.py").open("a") as file:
        file.write(REFERENCE)
    return copy


def ran(folder: Path, *command: str) -> tuple[int, str]:
    """A Python command on the copy: its exit code and what it said."""
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_no_other_place_names_the_methods():
    """Every such place would have to be changed for a new method."""
    names = "|".join(METHODS.keys() - {"rfmeta"})
    naming = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "rfmeta_dist").rglob("*.py")
        if re.search(rf"""["']({names})["']""", path.read_text())
    }
    assert {str(Path(name).parent) for name in naming} == {"rfmeta_dist/config/methods"}


RFMETA = ("-c", "from rfmeta_dist.cli import main; main()")


def test_a_rule_in_three_places_is_held_to_the_contract_of_all(planted: Path):
    changed = {
        str(path.relative_to(planted))
        for path in planted.rglob("*.py")
        if not (ROOT / path.relative_to(planted)).exists()
        or path.read_bytes() != (ROOT / path.relative_to(planted)).read_bytes()
    }
    assert changed == {
        "rfmeta_dist/methods/rules/whole.py",
        "rfmeta_dist/config/methods/paper.py",
        "tests/reference.py",
    }
    code, said = ran(
        planted, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/methods/test_gradient.py", "-k", "whole"
    )
    assert code == 0, said
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) == 4  # with one and with three inner steps, against the reference and by differences


@pytest.mark.drill
def test_it_is_proved_across_workers_and_where_it_refuses_a_strategy_it_is_left_out(planted: Path):
    code, said = ran(planted, *RFMETA, "verify", "--method", "whole", "--workers", "2", "--domains", "3")
    assert code == 0, said
    assert "ddp, shard" in said
    assert "deepspeed ZeRO" not in said
    assert "deepspeed: it was never tried" in said


CONFIG = """
run: {name: a}
data: {prefix: p, sources: [O, C, I], target: M}
method: {name: whole, caution: 0.5}
"""


def test_its_fields_bounds_and_refusals_are_the_schemas(planted: Path):
    (planted / "whole.yaml").write_text(CONFIG)
    script = """
import sys
from pathlib import Path
from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import ConfigError
for change in sys.argv[1:]:
    try:
        print(load_config(Path("whole.yaml"), [change]).method.caution)
    except ConfigError as error:
        print(error)
"""
    changes = ("method.caution=0.7", "method.caution=2", "training.strategy=deepspeed", "method.name=rfmeta")
    code, said = ran(planted, "-c", script, *changes)
    assert code == 0, said
    right, high, refused, foreign = said.strip().splitlines()
    assert right == "0.7"
    assert "method.caution=2" in high
    assert "less than or equal to 1" in high
    assert refused.endswith("it was never tried; set training.strategy=ddp")
    assert "caution=0.5 is a field of method whole, not of rfmeta" in foreign


VIOLATIONS = {
    "a rule that imports a rule": (
        "rfmeta_dist/methods/rules/whole.py",
        "from rfmeta_dist.methods.rules.no_meta import NoMeta",
        "learning rules do not know each other BROKEN",
    ),
    "the base that imports a rule": (
        "rfmeta_dist/methods/base/inner.py",
        "from rfmeta_dist.methods.rules.no_meta import NoMeta",
        "learning rules stand on their base BROKEN",
    ),
    "torch below the stream": (
        "rfmeta_dist/data/shards/unpack.py",
        "def _later():\n    import torch",
        "what plans, stores and reads knows no torch BROKEN",
    ),
    "torch in the plan": (
        "rfmeta_dist/episode/plan.py",
        "def _later():\n    import torch",
        "what plans, stores and reads knows no torch BROKEN",
    ),
}
LINT = ("-c", "from importlinter.cli import lint_imports_command as run; run(['--no-cache'])")


def test_the_import_contracts_hold_with_it_and_catch_violations(planted: Path):
    code, said = ran(planted, *LINT)
    assert code == 0, said
    kept = {}
    for place, line, _ in VIOLATIONS.values():
        kept.setdefault(place, (planted / place).read_text())
        (planted / place).write_text(f"{kept[place]}\n\n{line}\n")
    code, said = ran(planted, *LINT)
    for place, text in kept.items():
        (planted / place).write_text(text)
    assert code == 1
    for place, _, broken in VIOLATIONS.values():
        assert broken in said
        assert place.removesuffix(".py").replace("/", ".") in said
