"""Finish a trained run on its sources and judge it on its target, in the calling process. Ray is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.detectors import package, start
from rfmeta_dist.evaluation import checkpoints
from rfmeta_dist.evaluation.checkpoints import Candidate
from rfmeta_dist.runs.folder import MODEL
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    from rfmeta_dist.detectors.api import Detector
    from rfmeta_dist.evaluation.scores import Scores


def finish(config: Config, folder: Store, device: str) -> None:
    """Make the model of a run that is trained: recalibrate batch norm, set the thresholds, write the package.

    The classifier of hand-made features has been fitted already (recipes/fitted.py) and has no batch norm.

    If the run has several candidates, such a model is made of each of them, and one becomes the run's. Reads
    source domains only.

    Args:
        config: the run's.
        folder: the run's.
        device: name of a device, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        RfmetaError: the checkpoint or a source is damaged, or the scores are not numbers.
    """
    _set_up(config)
    from rfmeta_dist.evaluation import judge

    sources = Sources.of(config, folder)
    if config.method.facts.kind == "features":
        from rfmeta_dist.recipes import fitted

        made, about = fitted.read(folder)
        judge.finish(config, folder, made, sources, about)
        fitted.remove(folder)
        return
    from rfmeta_dist.training import kept

    found = checkpoints.candidates(config, {step: kept.folder_name(step) for step in kept.written(folder)})
    if len(found) == 1:
        detector, facts = _made_of(found[0], config, folder, sources, device)
        judge.finish(config, folder, detector, sources, facts)
    else:
        _choose(found, config, folder, sources, device)


def _set_up(config: Config) -> None:
    """Prepare torch for networks. A detector of hand-made features is judged without torch."""
    if config.method.facts.kind == "gradient":
        import torch

        from rfmeta_dist.training import precision

        torch.set_num_threads(config.training.threads)
        precision.set_up(config.training)


def _choose(found: Sequence[Candidate], config: Config, folder: Store, sources: Sources, device: str) -> None:
    """Make a model of each candidate, and one of them the run's. Candidates that were made before are kept."""
    from rfmeta_dist.evaluation import judge, scoring
    from rfmeta_dist.evaluation.validation import read_validation
    from rfmeta_dist.recipes.load import load_model
    from rfmeta_dist.training.checkpoint import DamagedError

    validation: dict[str, Scores] = {}
    left_out = []
    for candidate in found:
        place = folder.sub(f"{checkpoints.FOLDER}/{candidate.name}")
        if not place.exists(MODEL):
            try:
                detector, facts = _made_of(candidate, config, folder, sources, device)
            except DamagedError:
                if candidate.step == config.training.steps:
                    raise
                left_out.append(candidate.name)  # a damaged checkpoint costs a candidate, not the run
                continue
            view = scoring.view_of(config, sources)
            scores = scoring.score_sources(config, folder, detector, sources, view, once=True)
            judge.save_model(config, place, detector, sources, scores, facts)
        with checkpoints.reading(folder, candidate.name):
            validation[candidate.name] = read_validation(place, package.read(place.sub("model")))
    readable = [candidate for candidate in found if candidate.name in validation]
    choice = checkpoints.described(readable, validation, config.evaluation.checkpoint, left_out)
    model = load_model(folder.sub(f"{checkpoints.FOLDER}/{choice['chosen']}/model"), device)
    facts = {name: model.about[name] for name in ("step", "recalibration")} | {"checkpoints": choice}
    facts |= start.facts_of(folder)
    judge.save_model(config, folder, model.detector, sources, validation[choice["chosen"]], facts)


def _made_of(
    candidate: Candidate, config: Config, folder: Store, sources: Sources, device: str
) -> tuple[Detector, dict[str, Any]]:
    """Return the detector of a candidate, and facts about it for its package."""
    import torch

    from rfmeta_dist.recipes import gradient
    from rfmeta_dist.training import kept

    checkpoint = folder.sub(kept.folder_name(candidate.step))
    detector, words = gradient.from_checkpoint(
        config, checkpoint, sources, torch.device(device), averaged=candidate.averaged
    )
    return detector, {"step": candidate.step, "recalibration": words, **start.facts_of(folder)}


def evaluate(config: Config, folder: Store, device: str) -> dict[str, Any]:
    """Judge the run's model on its sealed target; return the content of evaluation.json.

    Args:
        config: the run's.
        folder: the run's; the lease is held.
        device: name of a device, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        RfmetaError: the model or the target is damaged, or the scores are not numbers.
    """
    _set_up(config)  # imports torch if it is needed, so that its absence is what an error names
    from rfmeta_dist.evaluation import judge
    from rfmeta_dist.recipes.load import load_model

    model = load_model(folder.sub("model"), device)
    others = {}
    for name in checkpoints.others(model.about):
        with checkpoints.reading(folder, name) as place:
            others[name] = load_model(place.sub("model"), device)
    return judge.evaluate(config, folder, model, others)


def evaluate_here(config: Config, folder: Store) -> dict[str, Any]:
    """Judge a finished run on its sealed target in this process; return the content of evaluation.json.

    A run that was trained on GPUs is judged on the GPU of this machine if there is one.

    Args:
        config: the run's.
        folder: the run's.

    Raises:
        RunError: another process is training or judging this run; both would write its ledger.
        RfmetaError: see `evaluate`.
    """
    device = _device(config)  # an error about a package that is missing comes before anything is written
    with lease.held(folder, "judged"):
        return evaluate(config, folder, device)


def _device(config: Config) -> str:
    """Return the name of the device to judge on.

    Raises:
        ModuleNotFoundError: PyTorch, which the run's model needs, is not installed.
    """
    if config.method.facts.kind == "features":
        return "cpu"
    import torch

    return "cuda" if config.training.gpus and torch.cuda.is_available() else "cpu"
