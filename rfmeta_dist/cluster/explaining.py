"""Look into the models of judged runs in the calling process. Ray is not needed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.parquet import metadata
from rfmeta_dist.data.reading.domains import target_of
from rfmeta_dist.evaluation.scores import SCORER, Scores
from rfmeta_dist.runs.folder import read_config, require_model
from rfmeta_dist.storage import lease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.detectors.package import Package
    from rfmeta_dist.evaluation.explain import Explanation
    from rfmeta_dist.storage.store import Store


def explain_here(folders: Sequence[Store]) -> Explanation:
    """Look at faces of the target of a run, and, if wanted, at the same faces with the model of another run.

    A run that was trained on GPUs is computed on the GPU of this machine if there is one.

    Args:
        folders: of the run to explain, and of the one beside it if there is one.

    Raises:
        RunError: a run is not trained, or was not judged, or not on its present target; the two runs have not
            the same target; a package is damaged; or another process writes into a folder.
        DataError: the target or a source is unknown or damaged.
    """
    judged = [_judged(folder) for folder in folders]
    _require_same(folders, [state for _, _, state in judged])

    names = {folder.url: config.run.name for folder, (config, _, _) in zip(folders, judged, strict=True)}
    if len(set(names.values())) < len(names):
        names = {url: url for url in names}

    import torch

    from rfmeta_dist.evaluation.explain import Side, explain
    from rfmeta_dist.recipes.load import load_model
    from rfmeta_dist.training import precision

    with ExitStack() as stack:
        for folder in folders:
            stack.enter_context(lease.held(folder, "explained"))
        sides = []
        for folder, (config, target, _) in zip(folders, judged, strict=True):
            gpu = config.training.gpus > 0 and torch.cuda.is_available()
            model = load_model(folder.sub("model"), "cuda" if gpu else "cpu")
            _require_scorer(folder, model)
            sides.append(Side(names[folder.url], folder, config, model, target))
        training = sides[0].config.training
        torch.set_num_threads(training.threads)
        precision.set_up(training)
        return explain(sides)


def _judged(folder: Store) -> tuple[Config, Scores, tuple[str, str, str]]:
    """Return a run's configuration, its target's scores, and the target, split and state they are of."""
    from rfmeta_dist.report.records import read_judged, require_target

    config = read_config(folder)
    require_model(folder)
    target_of(config)  # raises an error if the run has none
    if not folder.exists("evaluation.json"):
        raise RunError(
            f"run {folder.url} has not been judged, so its mistakes on its target are not known",
            f"judge it first: rfmeta evaluate {folder.url}",
        )
    record = read_judged(folder)
    require_target(record.evaluation, config, folder.url)
    if not len(record.target):
        raise RunError(
            f"{folder.url}/scores.parquet has no score of {config.data.target}",
            f"judge the run again first: rfmeta evaluate {folder.url}",
        )
    split = config.evaluation.target_split
    return config, record.target, (str(config.data.target), split, record.manifest)


def _require_same(folders: Sequence[Store], states: Sequence[tuple[str, str, str]]) -> None:
    """Check that a run beside another is another one, and was judged on the same state of the same target."""
    if len(folders) < 2:
        return
    (one, other), (first, second) = folders, states
    if one.url == other.url:
        raise RunError(
            f"run {one.url} was given twice, so there is nothing to show beside it",
            "give another run of the same target with --beside",
        )
    if first[:2] != second[:2]:
        raise RunError(
            f"run {one.url} was judged on {first[0]} (split: {first[1]}), but {other.url} on {second[0]} "
            f"(split: {second[1]}), so their decisions on the same faces cannot be compared",
            "give a run with the same target with --beside",
        )
    if first != second:
        raise RunError(
            f"runs {one.url} and {other.url} were judged on different states of {first[0]}, so the samples "
            "differ",
            "train both on the same data; `rfmeta leave-one-out` does so for several methods",
        )


def _require_scorer(folder: Store, model: Package) -> None:
    """Check that the scores in scores.parquet were given by the run's model, if the file says by which."""
    scorer = metadata(folder.read("scores.parquet"), SCORER)
    if scorer and scorer != model.scorer:
        raise RunError(
            f"the scores in {folder.url}/scores.parquet were given by another model than the one in model/",
            f"judge the run again first: rfmeta evaluate {folder.url}",
        )
