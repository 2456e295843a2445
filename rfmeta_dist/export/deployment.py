"""Make a deployment package of a trained model: convert, compare with PyTorch, set thresholds, write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import onnxruntime
import torch

from rfmeta_dist import __version__
from rfmeta_dist.core.errors import PackageError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.deploy.contract import contract
from rfmeta_dist.detectors.api import stored_points
from rfmeta_dist.export import check, crops, decisions
from rfmeta_dist.export.card import Facts, card
from rfmeta_dist.export.card_page import page
from rfmeta_dist.export.graph import PixelScorer, opset_of, to_onnx
from rfmeta_dist.export.session import OnnxDetector
from rfmeta_dist.export.work import FP32, INT8, Order, Tell, Work
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.load import made
from rfmeta_dist.storage.store import Store


def export(order: Order, out: Store, tell: Tell) -> dict[str, Any]:
    """Export a trained model to a deployment package.

    Args:
        order: what to export.
        out: folder for the package; it must be empty.
        tell: called with each line of progress.

    Returns:
        What the package is, as values that JSON can represent: `package`, `name`, `precision`, `parent`,
        `checked`, `thresholds`, `int8`, `bytes` and `notes`, which a user should read.

    Raises:
        PackageError: the folder is not empty, or this model cannot be exported as asked.
        VerificationError: the exported model does not score as the trained one. Nothing is written.
        DataError: a source's shard is damaged.
        RunError: evaluation.json is damaged, or a score is not a number.
        StorageError: the package cannot be written.
    """
    deployment.require_empty(out)
    trained = made(order.model)
    if not isinstance(trained.detector, GradientDetector):
        raise PackageError(
            f"the model at {order.model.url} is of kind {order.model.kind}, which cannot be exported to ONNX",
            "score with the trained model itself",
        )
    work = Work.start(order, tell)
    anew = order.int8 or (work.tf32 and not work.child)
    sources = work.needed() if anew else None  # fail now, before the long work
    figures = work.figures()
    stacks, words = work.crops()
    tell("converting the model to ONNX")
    view = trained.view
    detector = trained.detector
    model = to_onnx(PixelScorer(detector.nets, view.image_size, view.patches, detector.rule))
    exported = OnnxDetector(model, torch.get_num_threads())
    decided, int8 = decisions.Decisions.of(order.model), None
    found = check.compare(trained.detector, exported, stacks, view, decided.cuts, tell)
    _note_scores(work, found)
    if sources and order.int8:
        model, decided, int8 = _to_int8(work, sources, model, exported, stacks)
    elif sources:
        scores = decisions.validation_scores(exported, work.config, sources, view, tell)
        decided = decisions.decide(scores, FP32)
        work.notes.append("the thresholds were set again, because the run computed its scores in tf32")
    facts = _facts(work, decided, figures, {"on": words, **found.described()}, int8)
    tell("writing the package")
    _write(work, out, model, facts)
    return {
        "package": out.url,
        "name": facts.name,
        "precision": facts.precision,
        "parent": facts.parent,
        "bytes": len(model),
        "checked": dict(facts.checked),
        "thresholds": {unit: asdict(threshold) for unit, threshold in decided.thresholds.items()},
        "int8": int8,
        "notes": work.notes,
    }


def _note_scores(work: Work, found: check.Checked) -> None:
    if found.narrow:
        work.notes.append(
            f"the scores of the {found.crops} crops lie between {found.lowest:.4f} and {found.highest:.4f}, so "
            "equal scores prove little; the model hardly tells these crops apart"
        )
    if found.on_edge:
        work.notes.append(
            f"{found.on_edge} of the {found.crops} crops score within 1e-5 of a threshold, so rounding decides "
            "their verdicts"
        )


def _to_int8(
    work: Work, sources: Sources, fp32: bytes, exported: OnnxDetector, stacks: list[check.Crops]
) -> tuple[bytes, decisions.Decisions, dict[str, Any]]:
    """Return the int8 model, its own thresholds, and what it costs."""
    from rfmeta_dist.export.int8 import CALIBRATED, to_int8

    view, before = work.order.model.view, decisions.Decisions.of(work.order.model)
    work.tell(f"converting to int8, with ranges measured on {CALIBRATED} crops of the training splits")
    shown = crops.of_sources(sources, view, "train", cache=work.cache, wanted=CALIBRATED)
    model = to_int8(fp32, crops.stacked(shown))
    small = OnnxDetector(model, torch.get_num_threads())
    scored = {
        name: decisions.validation_scores(detector, work.config, sources, view, work.tell)
        for name, detector in ((FP32, exported), (INT8, small))
    }
    auc = {name: decisions.auc(scores) for name, scores in scored.items()}
    costs = {
        "calibration_crops": len(shown),
        "distance": check.distance(exported, small, stacks, before.cuts),
        "auc": {unit: {name: auc[name][unit] for name in auc} for unit in UNITS},
        "bytes": {FP32: len(fp32), INT8: len(model)},
    }
    return model, decisions.decide(scored[INT8], INT8), costs


def _facts(
    work: Work,
    decided: decisions.Decisions,
    figures: Mapping[str, Any] | None,
    checked: Mapping[str, Any],
    int8: Mapping[str, Any] | None,
) -> Facts:
    model, config, order = work.order.model, work.config, work.order
    manifests = work.sources.manifests if work.sources else {}
    start = model.about.get("start")
    return Facts(
        name=(order.name or config.run.name) + ("-int8" if order.int8 else ""),
        precision=INT8 if order.int8 else FP32,
        parent=model.sha256,
        view=model.view.words,
        input=contract(model.view, list(manifests.values())),
        thresholds=decided.thresholds,
        points=decided.points,
        data=model.about.get("data", {}),
        generated=[name for name, manifest in manifests.items() if "generator" in manifest.contract],
        training={
            "method": config.method.name,
            "backbone": config.model.backbone,
            "width": config.model.width,
            "steps": model.about.get("step"),
            "seed": config.training.seed,
            "protocol": config.data.protocol,
            "precision while training": config.training.precision,
            "recalibration": model.about.get("recalibration"),
            **({"trained further from the model": start["package"]} if start else {}),
        },
        figures=figures,
        judged="tf32" if work.tf32 else FP32,
        checked=checked,
        int8=int8,
    )


def _write(work: Work, out: Store, model: bytes, facts: Facts) -> None:
    import onnx

    told = card(facts)
    files = {
        deployment.MODEL: model,
        deployment.CARD: json.dumps(told, indent=1, ensure_ascii=False).encode(),
        deployment.CARD_PAGE: page(told).encode(),
    }
    figures = facts.figures and {
        "target": facts.figures["target"],
        "precision": facts.judged,
        "figures": facts.figures["figures"],
    }
    about = {
        "kind": deployment.ONNX,
        "name": facts.name,
        "precision": facts.precision,
        "parent": facts.parent,
        "input": dict(facts.input),
        "view": facts.view,
        "thresholds": {unit: asdict(threshold) for unit, threshold in facts.thresholds.items()},
        "operating_points": stored_points(facts.points),
        "data": dict(facts.data),
        "figures": figures,
        "checked": dict(facts.checked),
        "int8": facts.int8,
        **({"start": start["package"]} if (start := work.order.model.about.get("start")) else {}),
        "trained_by": work.order.model.about.get("code", __version__),
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "opset": opset_of(model),
    }
    deployment.write(out, files, about)
