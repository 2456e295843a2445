"""A retraining's configuration for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfmeta_dist.config.retrain import Retraining


def retraining(folder: Path, *, mlflow: str | None = None, place: str | None = None) -> Retraining:
    """A retraining of the model `fas` in a folder, on the domains O, C and I."""
    base: dict[str, Any] = {
        "run": {"name": "r", "folder": str(folder)},
        "data": {"prefix": str(folder / "data"), "sources": ["O", "C", "I"]},
        "training": {"steps": 10},
    }
    registry = {"mlflow": mlflow, "place": place}
    return Retraining.model_validate({"name": "fas", "folder": str(folder), "base": base, "registry": registry})
