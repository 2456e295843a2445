"""Read the validation scores that a run's thresholds were chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import operating, thresholds
from rfmeta_dist.evaluation.scores import Scores

if TYPE_CHECKING:
    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.detectors.package import Contents, Package
    from rfmeta_dist.storage.store import Store


def read_validation(folder: Store, model: Package | Contents) -> Scores:
    """Return the scores of the sources' validation splits, after checking that the thresholds follow from them.

    The thresholds of the operating points are checked too if the package has them. Packages of earlier versions
    do not.

    The check is needed because figures are computed from these scores, and the package has no hash of their
    file.

    Args:
        folder: the run's folder.
        model: the run's package.

    Raises:
        RunError: validation.parquet is damaged, or is not the file that the model was made with.
        StorageError: the file is missing or cannot be read.
    """
    remedy = (
        "restore it from a backup, or delete the run's model/ folder and give this run's "
        "`rfmeta train` command again: it makes the model from the last checkpoint"
    )
    try:
        validation = Scores.from_parquet(folder.read("validation.parquet"))
    except DataError as error:
        raise RunError(f"{folder.url}/validation.parquet is damaged: {error.problem}", remedy) from error
    for unit in UNITS:
        if not _follow(validation, model, unit):
            raise RunError(
                f"the model's threshold for a {unit} does not follow from the scores in "
                f"{folder.url}/validation.parquet, so that file is not the one that the model was made with",
                remedy,
            )
    return validation


def _follow(validation: Scores, model: Package | Contents, unit: Unit) -> bool:
    """Return True if all thresholds that a package has for a unit follow from the validation scores."""
    if thresholds.from_sources(validation, unit).value != model.thresholds[unit].value:
        return False
    stored = {name: point.value for name, point in model.operating_points.get(unit, {}).items()}
    return stored == operating.choose_some(validation.per(unit), tuple(stored))
