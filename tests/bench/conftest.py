"""A folder with the study's domains at the smallest scale, and studies made of invented scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.study.design import DOMAINS, Cell, Settings, data_folder
from tests.studies import SMALL, invented


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four domains at rho = 0.5, as the study makes them. Tests copy it, or leave it as it is."""
    from bench.study.data import plans, scale_of
    from rfmeta_dist.data.shards.pack import pack
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.output.generate import render

    folder = tmp_path_factory.mktemp("study")
    for name, planned in plans(0.5, scale_of(SMALL.scale, SMALL.size), 0).items():
        samples = (sample for video in planned.videos for sample in render(video))
        pack(samples, open_store(str(data_folder(folder, 0.5))), name, contract=planned.contract)
    return folder


WriteRow = Callable[..., None]


@pytest.fixture
def write_row(tmp_path: Path) -> WriteRow:
    """Writes a training into a study at `tmp_path`: AUC on its sources, and on the target if it is judged."""

    def write(cell: Cell, source: float, quality: float | None = None, settings: Settings = SMALL) -> None:
        place, judged = tmp_path / "runs" / cell.name, tmp_path / "runs" / cell.judged
        judged.mkdir(parents=True, exist_ok=True)
        sources = {name: source for name in DOMAINS if name != cell.question.target}
        row = cell.columns() | {
            "settings": asdict(settings),
            "started": 0.0,
            "ended": 36.0,
            "training_s": 30.0,
            "machine": "a machine",
            "validation": {"frame": sources, "video": sources},
        }
        (place / "row.json").write_text(json.dumps(row))
        if quality is not None:
            scores = invented(cell.question.target, quality, cell.question.seed)
            (judged / "scores.parquet").write_bytes(scores.to_parquet())
            figures = {"video": {"threshold": {"value": 0.5}}}
            (judged / "evaluation.json").write_text(json.dumps({"figures": figures}))

    return write
