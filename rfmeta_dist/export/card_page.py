"""Show a model card to people, as Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.core.types import UNITS
from rfmeta_dist.export.card import SHOWN


def page(of: Mapping[str, Any]) -> str:
    """Return a card as Markdown.

    Args:
        of: what `card` returned.
    """
    blocks = [
        f"# {_text(of['name'])}: model card",
        f"A face anti-spoofing model in {of['precision']}, exported by rfmeta_dist from the trained model "
        f"`{of['parent'][:12]}`.",
        "## Intended use",
        *of["intended_use"],
        "## Limits",
        _list(of["limits"]),
        "## How well it works",
        *_shown_figures(of["figures"]),
        _list(of["not_covered"]),
        "## When a face is accepted as live",
        "A face is accepted if its score is at least the threshold. The score of a video is the mean score of "
        "its frames.",
        _table(
            ["scores of", "threshold", "error rate on its own data", "set on"],
            [
                [unit, f"{t['value']:.6g}", _percent(t["eer"]), t["source"]]
                for unit, t in of["thresholds"].items()
            ],
        ),
        *_shown_points(of["operating_points"]),
        "## Input",
        *_shown_input(of["input"]),
        "## Data and training",
        _table(["source", "fingerprint of its manifest"], [list(row) for row in of["data"]["sources"].items()]),
        _table(["training", ""], [[name, str(value)] for name, value in of["training"].items()]),
        "## Comparison with the trained model",
        _checked(of["checked"]),
        *_shown_int8(of["int8"]),
    ]
    return "\n\n".join(blocks) + "\n"


def _shown_figures(figures: Mapping[str, Any] | None) -> list[str]:
    if figures is None:
        return []
    rows = []
    for unit in UNITS:
        for name, words in SHOWN.items():
            found = figures[unit][name]
            kind = f" ({found['type']})" if "type" in found else ""
            between = f"{_percent(found['low'])} to {_percent(found['high'])}"
            rows.append([unit, f"{name}{kind}", _percent(found["value"]), between, words])
    counts = figures["video"]["counts"]
    return [
        f"Measured in {figures['precision']} on {_text(figures['target'])}, which the model was not trained "
        f"on: {counts['live']} live videos and {counts['attack']} of attacks, {counts['subjects']} people.",
        _table(["per", "figure", "value", "95 % interval", "meaning"], rows),
    ]


def _shown_points(points: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            unit,
            name,
            f"{point['value']:.6g}",
            _percent(point["reached"]["BPCER"]),
            _percent(point["reached"]["APCER_worst"]["value"]),
            point["unresolved"] or point["meaning"],
        ]
        for unit, named in points.items()
        for name, point in named.items()
    ]
    if not rows:
        return []
    head = ["scores of", "operating point", "threshold", "live rejected", "worst attack accepted", "remark"]
    return [
        "Thresholds for other needs. The rates are those on the data that the thresholds were chosen on, so "
        "they flatter.",
        _table(head, rows),
    ]


def _shown_input(contract: Mapping[str, Any]) -> list[str]:
    size = contract["size"]
    sides = f"{size[0]}×{size[1]} pixels" if size else f"square, any side from {contract['smallest']} pixels on"
    rows = [
        ["sees", contract["view"]],
        ["crops", sides],
        ["colour", contract["color"]],
        ["type", contract["dtype"]],
    ]
    rows += [[f"crop: {name}", str(value)] for name, value in (contract["crop"] or {}).items()]
    rows += [[f"face model {name}", value] for name, value in contract["detector"].items()]
    none = "The sources name no rule by which faces are cut out of pictures."
    return [*([] if contract["crop"] else [none]), _table(["input", ""], rows)]


def _shown_int8(int8: Mapping[str, Any] | None) -> list[str]:
    if int8 is None:
        return []
    rows = [[unit, _percent(found["fp32"]), _percent(found["int8"])] for unit, found in int8["auc"].items()]
    moved = int8["distance"]
    return [
        "## What int8 costs",
        f"AUC on the validation splits of the sources. On {moved['crops']} crops the scores move by "
        f"{moved['mean']:.3f} on average and by {moved['largest']:.3f} at most. The ranges of activations were "
        f"measured on {int8['calibration_crops']} crops of the sources' training splits.",
        _table(["per", "AUC in fp32", "AUC in int8"], rows),
    ]


def _checked(checked: Mapping[str, Any]) -> str:
    return (
        f"The ONNX model was compared with PyTorch on {checked['crops']} crops ({_text(checked['on'])}), in "
        f"batches of {', '.join(map(str, checked['batches']))}: the largest difference of a score is "
        f"{max(checked['difference']):.1e}, and {checked['flipped']} verdicts differ at "
        f"{checked['thresholds']} thresholds. "
        f"The scores lie between {checked['lowest']:.3f} and {checked['highest']:.3f}."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_text(line)}" for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _text(text: str) -> str:
    """Return a text that Markdown shows as it is: names in it come from data."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", line)
