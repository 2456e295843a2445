"""Say which fields of the configuration a study must not search over, and why."""

from __future__ import annotations

from rfmeta_dist.config.left_out import LEFT_OUT

_FOLDS = "the study itself decides which domains a fold trains on"
REASONS = {  # against a search over a field, and what to do instead
    "training.seed": ("the best of several seeds is luck", "list the seeds in the study's field seeds"),
    "model.weights": ("a change of a file would not be noticed", "set base.model.weights"),
    "model.batch_norm": (
        "its running statistics are replaced before a candidate is judged, so all its values tie",
        "remove space.model.batch_norm",
    ),
    "training.start": ("a study's trainings begin with random weights", "remove space.training.start"),
    "data.sources": (_FOLDS, "remove space.data.sources"),
    "data.target": (_FOLDS, "remove space.data.target"),
    "data.within": (_FOLDS, "remove space.data.within"),
}


def reason_against(section: str, field: str) -> tuple[str, str] | None:
    """Return why a search over a field would be wrong, and what to do; None if it is not."""
    name = f"{section}.{field}" if field else section
    if section == "run":
        return "it only names where results are written", f"remove space.{name}"
    if section == "evaluation":
        return "candidates would be judged by different rules", f"set base.{name}"
    if field in LEFT_OUT.get(section, ()) and name not in REASONS:
        return "the trained weights do not depend on it", f"set base.{name}"
    return REASONS.get(name)
