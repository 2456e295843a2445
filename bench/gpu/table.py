"""Turn what the sections told into one JSON object and into Markdown for docs/speed.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.gpu.sections import Outcome, Row, brief
from bench.gpu.settings import Settings
from bench.gpu.steps import BASE, BEST

TIMED = ("step", "deterministic")


def result(outcomes: Mapping[str, Outcome], settings: Settings) -> dict[str, Any]:
    """Return the whole result. The figures at its top are those of `ours bf16`; None if not measured."""
    card = _rows(outcomes, "card").get("card", {})
    shared = {section: _shares(_rows(outcomes, section), card) for section in TIMED}
    best = shared["step"].get(BEST, {})
    golden = _rows(outcomes, "golden").get("golden", {})
    parts = {name: asdict(outcome) for name, outcome in outcomes.items()}
    for section in TIMED:
        if section in parts:
            parts[section]["rows"] = shared[section]
    return {
        "card": card,
        "settings": asdict(settings),
        "step_s": best.get("step_s"),
        "images_per_s": best.get("images_per_s"),
        "peak_share": best.get("peak_share"),
        "memory_mb": best.get("memory_mb"),
        "faster": best.get("faster"),
        "golden_difference": golden.get("difference"),
        "sections": parts,
    }


def _rows(outcomes: Mapping[str, Outcome], section: str) -> dict[str, Row]:
    return outcomes[section].rows if section in outcomes else {}


def _shares(rows: Mapping[str, Row], card: Row) -> dict[str, Row]:
    """Add to each row of a step its share of the peaks, and how much faster than the plain step it is."""
    matmul, sheet = card.get("matmul_tflops"), card.get("bf16_peak_tflops")
    base = rows.get(BASE, {}).get("images_per_s")
    found = {}
    for name, row in rows.items():
        found[name] = dict(row)
        if "tflops" not in row:
            continue
        if matmul:
            found[name]["matmul_share"] = row["tflops"] / matmul
            found[name]["peak_share"] = row["tflops"] / (sheet or matmul)
        if base:
            found[name]["faster"] = row["images_per_s"] / base
    return found


def markdown(found: Mapping[str, Any]) -> str:
    """Return the tables: what became of each section, and the times of steps."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    card, step = found["card"], found["settings"]["step"]
    yield (
        f"{card.get('name', 'unknown device')}, torch {card.get('torch')}, CUDA {card.get('cuda')}, "
        f"cuDNN {card.get('cudnn')}; {step['side']}×{step['side']}, width {step['width']:g}, three domains."
    )
    sheet, matmul = card.get("bf16_peak_tflops"), card.get("matmul_tflops")
    yield f"bf16 peak by the data sheet: {_number(sheet)} TFLOP/s; of a matrix product here: {_number(matmul)}."
    yield from ("", "| section | result | s |", "|---|---|---|")
    for name, part in found["sections"].items():
        yield f"| {name} | {_cell(_summary(name, part))} | {part['seconds']:.0f} |"
    head = ["step", "images a domain", "seconds", "images/s", "faster", "TFLOP/s"]
    head += ["of the bf16 peak", "of the matrix product", "MiB", "same bits twice"]
    yield from ("", f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    for section in TIMED:
        for name, row in found["sections"].get(section, {}).get("rows", {}).items():
            yield f"| {name} | {_cell(row['error'])} |{' |' * 8}" if "error" in row else _step(name, row)


def _step(name: str, row: Row) -> str:
    keys = ("images", "step_s", "images_per_s", "faster", "tflops", "peak_share", "matmul_share", "memory_mb")
    cells = [_number(row.get(key)) for key in keys]
    cells.append({True: "yes", False: "no", None: "–"}[row.get("repeats")])
    shown = f"{name} ({row['note']})" if "note" in row else name
    return f"| {shown} | {' | '.join(cells)} |"


def _summary(name: str, part: Mapping[str, Any]) -> str:
    if part["status"] != "done":
        return f"**{part['status']}**: {part['error']}"
    if name in TIMED or name == "card":
        return part["status"]
    return "; ".join(f"{key}: {brief(row)}" for key, row in part["rows"].items())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
