"""Evaluate on targets that the study left sealed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.study.choose import source_auc
from bench.study.design import ADAPTING, DOMAINS, Cell, Settings, configuration
from bench.study.trial import is_judged, networks_of, read_row
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.evaluation import rates
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.scoring import score_domain
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.recalibration import recalibrate
from rfmeta_dist.storage.store import open_store

CPU = torch.device("cpu")


def summary(name: str, cells: Sequence[Cell], settings: Settings, folder: Path) -> dict[str, Any]:
    """Return the AUC per video on sources and target, as means over trainings that did not diverge.

    Args:
        name: name of the row.
        cells: its trainings, done and judged.
        settings: settings of these trainings.
        folder: folder of these trainings.

    Returns:
        `sources`, `target`, `loss` (means), `seed_deviation` (standard deviation of seeds on one target),
        `each` (AUC on the target, by target and seed).
    """
    rows = {cell: _row(cell, settings, folder) for cell in cells}
    fit = [cell for cell in cells if is_judged(cell, folder)]
    each = {(c.question.target, c.question.seed): target_auc(c, folder) for c in fit}
    of_seeds = [[auc for (t, _), auc in each.items() if t == target] for target in DOMAINS]
    spread = [float(np.var(aucs, ddof=1)) for aucs in of_seeds if len(aucs) > 1]
    losses = [rows[c]["losses"] for c in fit]
    return {
        "name": name,
        "trainings": len(cells),
        "diverged": len(cells) - len(fit),
        "sources": float(np.mean([source_auc(rows[c], "video") for c in fit])) if fit else None,
        "target": float(np.mean(list(each.values()))) if fit else None,
        "seed_deviation": float(np.sqrt(np.mean(spread))) if spread else None,
        "loss": {part: float(np.mean([loss[part] for loss in losses])) for part in losses[0]} if losses else {},
        "each": {f"{target}{seed}": auc for (target, seed), auc in sorted(each.items())},
    }


def hindsight(cells: Sequence[Cell], settings: Settings, folder: Path) -> list[dict[str, Any]]:
    """Return the AUC on the target, as mean over targets, by what chooses α: target labels, sources, or chance.

    Args:
        cells: trainings at every α with one seed, done and judged unless they diverged.
        settings: settings of these trainings.
        folder: folder of these trainings.
    """
    found = []
    for method in ADAPTING:
        rows = []
        for target in DOMAINS:
            mine = [c for c in cells if (c.question.method, c.question.target) == (method, target)]
            fit = [c for c in mine if is_judged(c, folder)]
            sources = [source_auc(_row(c, settings, folder)) for c in fit]
            targets = [target_auc(c, folder) for c in fit]
            rows.append((max(targets), targets[int(np.argmax(sources))], float(np.mean(targets))))
        best, chosen, chance = np.mean(rows, axis=0).tolist()
        found.append({"method": method, "target": best, "sources": chosen, "chance": chance})
    return found


@torch.no_grad()
def statistics(method: str, cells: Sequence[Cell], settings: Settings, folder: Path) -> dict[str, Any]:
    """Return the AUC on the target with batch-norm statistics of the sources, and of the target's images.

    The images of the target are used without their labels.

    Args:
        method: rule of the cells.
        cells: trainings that were judged.
        settings: settings of these trainings.
        folder: folder of these trainings.
    """
    rows = []
    for cell in cells:
        config = configuration(cell, settings, folder)
        nets = networks_of(folder / "runs" / cell.name)
        store = open_store(config.data.prefix)
        manifest = Manifest.open(store, config.data.target)
        batches, again = (
            scan(store, manifest, None, image_size=settings.size, batch=settings.batch) for _ in range(2)
        )
        recalibrate(nets, batches, CPU)
        scores = score_domain(GradientDetector(nets, config.model), manifest, again).per("video")
        rows.append((target_auc(cell, folder), rates.auc(scores.label, scores.score)))
    sources, target = np.mean(rows, axis=0).tolist()
    return {"method": method, "sources": sources, "target": target}


def target_auc(cell: Cell, folder: Path) -> float:
    """Return the AUC per video on the target of a training that was judged."""
    scores = Scores.from_parquet((folder / "runs" / cell.name / "scores.parquet").read_bytes()).per("video")
    there = scores.domain == cell.question.target
    return rates.auc(scores.label[there], scores.score[there])


def _row(cell: Cell, settings: Settings, folder: Path) -> dict[str, Any]:
    row = read_row(cell, settings, folder)
    assert row is not None, cell.name
    return row
