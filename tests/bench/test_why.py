"""What is said about the study's causes: gradients that differ as they are named, and whose choice α is."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from bench.study.choose import source_auc
from bench.study.design import ADAPTING, ALPHAS, DOMAINS, Cell, Question, configuration
from bench.study.trial import read_row, train_cell
from bench.why import __main__ as command
from bench.why.gradients import RATES, episodes, gradient, turns
from bench.why.targets import hindsight, summary, target_auc
from rfmeta_dist.models.build import start
from tests.studies import SMALL


@pytest.fixture
def config(generated):
    return configuration(Cell(Question(0.5, "rfmeta", "M", 0), 0.0), SMALL, generated)


def test_the_smallest_inner_rate_turns_the_gradient_least(config):
    first, second = list(turns(start(config.model, 0, checkpointing=False), config, episodes(config)))[:2]
    assert "another batch" not in first
    changes = [second[f"α = {rate:g}"][0] for rate in RATES]
    assert 0 < changes[0] < min(changes[1:])  # the larger ones are beyond where the change is linear
    assert second["fp32"][0] < second["bf16"][0] < second["another batch"][0]
    assert second["fp32"][1] > 0.99


def test_twice_a_small_inner_rate_changes_the_gradient_twice_as_much_and_none_does_not_at_all(config):
    nets = start(config.model, 0, checkpointing=False).double()
    batch = next(iter(episodes(config)))
    exact = type(batch)(
        tuple(type(b)(b.image.double(), b.depth.double(), b.label.double()) for b in batch.batches)
    )
    before = {name: value.clone() for name, value in nets.state_dict().items()}
    base = gradient(nets, config, exact)
    one, two = (gradient(nets, config, exact, rate=rate) - base for rate in (1e-9, 2e-9))
    torch.testing.assert_close(two, 2 * one, rtol=1e-2, atol=float(one.abs().max()) * 1e-3)
    plain = gradient(nets, config, exact, name="first_order")
    torch.testing.assert_close(plain, base, rtol=0, atol=0)
    assert all(torch.equal(value, nets.state_dict()[name]) for name, value in before.items())


def test_hindsight_takes_the_best_on_the_target_and_the_sources_take_theirs(write_row, tmp_path):
    cells = [Cell(Question(0.5, m, t, 0), a) for m in ADAPTING for t in DOMAINS for a in ALPHAS]
    for cell in cells:  # the sources like the smallest α, the target the largest
        place = ALPHAS.index(cell.alpha)
        write_row(cell, 0.9 - 0.1 * place, quality=0.5 + place)
    for row in hindsight(cells, SMALL, tmp_path):
        mine = [c for c in cells if c.question.method == row["method"]]
        aucs = {a: [target_auc(c, tmp_path) for c in mine if c.alpha == a] for a in ALPHAS}
        assert row["sources"] == pytest.approx(sum(aucs[ALPHAS[0]]) / 4)
        assert row["target"] == pytest.approx(sum(aucs[ALPHAS[2]]) / 4)
        assert row["sources"] < row["chance"] < row["target"]
    assert source_auc(read_row(cells[0], SMALL, tmp_path)) == pytest.approx(0.9)


def test_an_incomplete_study_is_refused_with_the_command_that_completes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["why", "--folder", str(tmp_path), "--out", str(tmp_path / "why.json")])
    assert command.main() != 0
    assert "python -m bench.study --rhos 0.5" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "why.json").exists()


@pytest.mark.parametrize("variation", command.VARIATIONS, ids=lambda variation: variation.name)
def test_every_variation_can_be_trained(generated, tmp_path, variation):
    shutil.copytree(generated / "data", tmp_path / "data")
    settings = replace(SMALL, steps=2 * variation.longer)
    cell = variation.cells(0.5)[0]
    told = []
    train_cell(cell, settings, tmp_path, told.append)
    row = read_row(cell, settings, tmp_path)
    assert "failed" not in row
    assert row["losses"]["loss"] > 0
    assert sum(told) == settings.steps
    package = json.loads((tmp_path / "runs" / cell.name / "model/package.json").read_text())
    assert package["step"] == settings.steps
    assert cell.alpha in (None, package["config"]["method"]["inner_learning_rate"])


def test_a_training_that_diverged_is_counted_and_left_out_of_the_means(write_row, tmp_path):
    cells = [Cell(Question(0.5, "rfmeta", "M", seed), 1.0) for seed in (0, 1)]
    write_row(cells[0], 0.9, quality=1.0)
    path = tmp_path / "runs" / cells[0].name / "row.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"losses": {"loss": 2.0}}))
    write_row(cells[1], 0.1)
    path = tmp_path / "runs" / cells[1].name / "row.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"failed": "not finite"}))
    found = summary("rfmeta α=1", cells, SMALL, tmp_path)
    assert (found["trainings"], found["diverged"], found["sources"]) == (2, 1, 0.9)
    assert found["target"] == target_auc(cells[0], tmp_path)
    assert found["loss"] == {"loss": 2.0}
